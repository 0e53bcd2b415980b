"""A composition of augmentations as one string, and all compositions of a set of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, Literal, cast, get_args

from handssl.augment.augmentation import Appearance, Augmentation, Geometric
from handssl.augment.registry import (
    APPEARANCE_ORDER,
    AUGMENTATIONS,
    GEOMETRIC_ORDER,
    REGRESSABLE,
)
from handssl.errors import ConfigError, require

Assignment = Literal["contrastive", "relative", "equivariant"]

_SYMBOLS: Final = {kind.symbol: name for name, kind in AUGMENTATIONS.items()}
_EQUIVARIANT: Final = ("translate", "rotate", "scale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Which augmentations a view gets, with their magnitudes, and which objective each serves.

    Attributes:
        augmentations: In the order of labels, each at most once.
        objectives: The objective of each, None outside mixed compositions.
        second: Composition of a pair's second view where it differs from the first.
        shared_rows: How many consecutive images get the same parameters.
    """

    augmentations: tuple[Augmentation, ...] = ()
    objectives: tuple[Assignment | None, ...] = ()
    second: "Composition | None" = None
    shared_rows: int = 1

    def __post_init__(self) -> None:
        require(
            self.shared_rows >= 1,
            f"shared_rows must be >= 1, but got shared_rows={self.shared_rows}; 1 shares nothing",
        )
        require(
            len(self.objectives) == len(self.augmentations),
            "objectives must have one entry an augmentation, but got "
            f"objectives={self.objectives}; use Composition.parse",
        )
        for name in self.names:
            require(
                self.names.count(name) == 1,
                f"composition must name each augmentation once, but got {'+'.join(self.names)}; "
                f"drop one {name}",
            )
        labels = list(AUGMENTATIONS)
        order = sorted(range(len(self.names)), key=lambda k: labels.index(self.names[k]))
        object.__setattr__(self, "augmentations", tuple(self.augmentations[k] for k in order))
        object.__setattr__(self, "objectives", tuple(self.objectives[k] for k in order))
        for name, objective in self.assignment.items():
            _check_assignment(name, objective)

    @classmethod
    def parse(cls, text: str) -> "Composition":
        """Composition from "translate+scale", symbols ("T+S") or names with an objective.

        "rotate:relative+color_jitter:contrastive" assigns an objective to each; "translate/" or
        "translate+scale/rotate" gives the two views of a pair different compositions. The empty
        string is the identity. Magnitudes are the released ones; see `with_magnitudes`.

        Raises:
            ConfigError: An unknown name or objective, a repetition, or an assignment that the
                augmentation cannot serve.

        Example:
            >>> Composition.parse("Ro+T").label
            'T+Ro'
            >>> Composition.parse("rotate:relative+color_jitter:contrastive").assignment
            {'color_jitter': 'contrastive', 'rotate': 'relative'}
        """
        first, slash, second = text.partition("/")
        require(
            "/" not in second,
            f'composition must have at most one "/", but got composition="{text}"; a pair has two '
            "views",
        )
        composition = _parse_view(first, text)
        return replace(composition, second=_parse_view(second, text)) if slash else composition

    @classmethod
    def identity(cls) -> "Composition":
        """No augmentation: the crop at margin 1.25, for evaluation."""
        return cls()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the augmentations, in the order of labels."""
        return tuple(augmentation.name for augmentation in self.augmentations)

    @property
    def label(self) -> str:
        """The paper's notation, "T+CJ+S+Ro"; "T+S/Ro" where the two views differ."""
        label = "+".join(augmentation.symbol for augmentation in self.augmentations)
        return label if self.second is None else f"{label}/{self.second.label}"

    @property
    def assignment(self) -> dict[str, Assignment | None]:
        """Objective of each augmentation, None where it is not assigned."""
        return dict(zip(self.names, self.objectives, strict=True))

    @property
    def views(self) -> tuple["Composition", "Composition"]:
        """Compositions of the first and the second view of a pair."""
        first = replace(self, second=None)
        if self.second is None:
            return first, first
        return first, replace(self.second, shared_rows=self.shared_rows)

    @property
    def geometric(self) -> tuple[Geometric, ...]:
        """Geometric augmentations in the order in which they act."""
        by_name = {a.name: a for a in self.augmentations if isinstance(a, Geometric)}
        return tuple(by_name[name] for name in GEOMETRIC_ORDER if name in by_name)

    @property
    def appearance(self) -> tuple[Appearance, ...]:
        """The other augmentations in the order in which they act."""
        by_name = {a.name: a for a in self.augmentations if isinstance(a, Appearance)}
        return tuple(by_name[name] for name in APPEARANCE_ORDER if name in by_name)

    @property
    def regressable(self) -> tuple[str, ...]:
        """Names whose relative parameters can be predicted; one view that has them suffices.

        The other view has their neutral parameters then.
        """
        names = {name for view in self.views for name in view.names}
        return tuple(name for name in REGRESSABLE if name in names)

    def restrict(self, objective: str) -> "Composition":
        """The part that is assigned to one objective, unassigned again; for mixed pairs."""
        keep = [a for a in self.augmentations if self.assignment[a.name] == objective]
        return Composition(
            augmentations=tuple(keep),
            objectives=(None,) * len(keep),
            second=None if self.second is None else self.second.restrict(objective),
        )

    def with_magnitudes(self, magnitudes: Mapping[str, float | int]) -> "Composition":
        """Composition with magnitudes such as {"rotate.max_deg": 30.0} in place of the defaults.

        Keys of augmentations that are not in the composition are checked and have no effect, so
        that one configuration serves a whole grid of compositions.
        """
        changes: dict[str, dict[str, float]] = {}
        for key, value in magnitudes.items():
            name, _, magnitude = key.partition(".")
            kind = _kind(name, key)
            valid = [f"{name}.{field.name}" for field in fields(kind)]
            require(
                key in valid,
                f'magnitude must be one of {", ".join(valid)}, but got magnitude="{key}"',
            )
            changes.setdefault(name, {})[magnitude] = float(value)
        for name, change in changes.items():
            AUGMENTATIONS[name](**change)
        return replace(
            self,
            augmentations=tuple(replace(a, **changes.get(a.name, {})) for a in self.augmentations),
            second=None if self.second is None else self.second.with_magnitudes(magnitudes),
        )

    def __str__(self) -> str:
        """The string that `parse` reads, magnitudes aside."""
        text = "+".join(
            name if objective is None else f"{name}:{objective}"
            for name, objective in self.assignment.items()
        )
        return text if self.second is None else f"{text}/{self.second}"


def compositions(names: Iterable[str]) -> list[Composition]:
    """All non-empty subsets, in the order of the paper's table 5.

    Its rows walk the tree of subsets depth first over colour, scale, rotation and the other
    names, without translation and then with it: CJ, CJ+S, CJ+S+Ro, CJ+Ro, S, …, T, T+CJ, …

    Example:
        >>> [composition.label for composition in compositions(["translate", "scale"])]
        ['S', 'T', 'T+S']
    """
    wanted = Composition.parse("+".join(names)).names
    rest = [name for name in wanted if name != "translate"]
    subsets = _depth_first(rest)
    if "translate" in wanted:
        subsets = [*subsets, *(("translate", *subset) for subset in [(), *subsets])]
    return [Composition.parse("+".join(subset)) for subset in subsets]


def _depth_first(names: Sequence[str]) -> list[tuple[str, ...]]:
    return [
        (name, *tail)
        for k, name in enumerate(names)
        for tail in [(), *_depth_first(names[k + 1 :])]
    ]


def _kind(name: str, context: str) -> type[Augmentation]:
    if name not in AUGMENTATIONS:
        raise ConfigError(
            f"augmentation must be one of {', '.join(AUGMENTATIONS)}, but got augmentation="
            f'"{name}" in "{context}"'
        )
    return AUGMENTATIONS[name]


def _parse_view(text: str, context: str) -> Composition:
    augmentations: list[Augmentation] = []
    objectives: list[Assignment | None] = []
    for part in text.split("+") if text.strip() else []:
        name, colon, objective = (piece.strip() for piece in part.partition(":"))
        augmentations.append(_kind(_SYMBOLS.get(name, name), context)())
        if colon and objective not in get_args(Assignment):
            raise ConfigError(
                f"objective of {name} must be one of {', '.join(get_args(Assignment))}, but got "
                f'objective="{objective}" in "{context}"'
            )
        objectives.append(cast("Assignment", objective) if colon else None)
    return Composition(augmentations=tuple(augmentations), objectives=tuple(objectives))


def _check_assignment(name: str, objective: Assignment | None) -> None:
    if objective == "relative" and name not in REGRESSABLE:
        raise ConfigError(
            f"relative must be assigned to one of {', '.join(REGRESSABLE)}, but got "
            f"{name}:relative; its parameters are ambiguous, assign contrastive"
        )
    if objective == "equivariant" and name not in _EQUIVARIANT:
        raise ConfigError(
            f"equivariant must be assigned to one of {', '.join(_EQUIVARIANT)}, but got "
            f"{name}:equivariant; assign contrastive"
        )
