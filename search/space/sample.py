"""The search space: what may vary, and how a point of it is chosen.

A point names an objective, a composition, and values for whatever keys of the trial's
configuration were given a range. One function, `choose`, walks the space and asks a chooser for
each decision; Optuna's trial is a chooser, so is a known point that is being put into an Optuna
study again. Points that no objective can use are excluded by the walk itself: a decision to which
only one answer is possible is not asked.
"""

import dataclasses
import fnmatch
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from optuna.distributions import (
    BaseDistribution,
    CategoricalChoiceType,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from handssl.augment import (
    AUGMENTATIONS,
    Composition,
    Geometric,
    Regressable,
    compositions,
)
from handssl.errors import ConfigError
from handssl.objectives import OBJECTIVES
from handssl.objectives.contrastive import ContrastiveObjective
from search.config.search import Range, SearchConfig

ASSIGNMENTS = ("contrastive", "relative", "equivariant")
_SUFFICES: Mapping[str, type] = {"relative": Regressable, "equivariant": Geometric}
"""Of these objectives, one of the views must have at least one augmentation of that kind."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A point of the search space.

    Attributes:
        objective: Label of the objective, a key of `search.objectives`.
        composition: The composition's notation: "T+CJ+S", "T+CJ/S" where the views differ, or
            "T:relative+CJ:contrastive" where each augmentation is assigned an objective.
        values: What else varies: dotted key of trial.pretrain and its value.
        repeat: Which of the point's seeds, from 0.
    """

    objective: str
    composition: str
    values: tuple[tuple[str, Any], ...] = ()
    repeat: int = 0


class Chooser(Protocol):
    """What decides; `optuna.Trial` is one."""

    def suggest_categorical(
        self, name: str, choices: Sequence[CategoricalChoiceType]
    ) -> CategoricalChoiceType:
        """One of the choices."""
        ...

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number in [low, high]."""
        ...

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """A whole number in [low, high]."""
        ...


def choose(chooser: Chooser, search: SearchConfig) -> Point:
    """Walk the space, asking for each decision."""
    label = str(chooser.suggest_categorical("objective", sorted(search.objectives)))
    kind = search.objectives[label].get("name", label)
    second = None if search.second_view is None else Composition.parse(search.second_view)
    if kind == "mixed":
        composition = _notation(_choose_assignment(chooser, search.augmentations), second)
    else:
        needed = _SUFFICES.get(kind, object)
        served = second is not None and _has(second, needed)
        subset = _choose_subset(chooser, search.augmentations, object if served else needed)
        composition = _notation(subset, second)
    values = tuple(
        (key, _choose_value(chooser, key, where))
        for key, where in search.ranges.items()
        if _applies(key, kind, Composition.parse(composition))
    )
    return Point(objective=label, composition=composition, values=values)


def _choose_subset(chooser: Chooser, names: Sequence[str], needed: type) -> Composition:
    """A subset that the objective can use; augmentations of the kind needed are asked last."""

    def suffices(name: str) -> bool:
        return issubclass(AUGMENTATIONS[name], needed)

    order = sorted(names, key=suffices)
    chosen: list[str] = []
    for position, name in enumerate(order):
        served = any(suffices(own) for own in chosen)
        last_chance = not any(suffices(own) for own in order[position + 1 :])
        forced = not served and last_chance and suffices(name)
        if forced or chooser.suggest_categorical(name, (False, True)):
            chosen.append(name)
    return Composition.parse("+".join(chosen))


def _has(view: Composition, kind: type) -> bool:
    return any(isinstance(own, kind) for own in view.augmentations)


def _choose_assignment(chooser: Chooser, names: Sequence[str]) -> Composition:
    """An objective for each augmentation, or none; at least one has one."""
    chosen: list[str] = []
    for position, name in enumerate(names):
        able = [objective for objective in ASSIGNMENTS if _assignable(name, objective)]
        forced = not chosen and position == len(names) - 1
        # Optuna ties a name to one set of choices, so the forced decision has a name of its own.
        decision = f"{name} (only)" if forced else name
        choices = able if forced else ["off", *able]
        objective = chooser.suggest_categorical(f"assign {decision}", choices)
        if objective != "off":
            chosen.append(f"{name}:{objective}")
    return Composition.parse("+".join(chosen))


def _notation(first: Composition, second: Composition | None) -> str:
    """The notation with assignments, "T:relative+CJ:contrastive", in the labels' order."""
    views = [
        "+".join(
            own.symbol if objective is None else f"{own.symbol}:{objective}"
            for own, objective in zip(view.augmentations, view.objectives, strict=True)
        )
        for view in (first, second)
        if view is not None
    ]
    return "/".join(views)


def _assignable(name: str, objective: str) -> bool:
    try:
        Composition.parse(f"{name}:{objective}")
    except ConfigError:
        return False
    return True


def _choose_value(chooser: Chooser, key: str, where: Range) -> Any:
    if where.choices is not None:
        return chooser.suggest_categorical(key, where.choices)
    assert where.low is not None
    assert where.high is not None
    if isinstance(where.low, int) and isinstance(where.high, int):
        return chooser.suggest_int(key, where.low, where.high, log=where.log)
    return chooser.suggest_float(key, where.low, where.high, log=where.log)


def _applies(key: str, kind: str, composition: Composition) -> bool:
    """Whether a key means anything for an objective and a composition."""
    used = {own for view in composition.views for own in view.objectives} | {kind}
    if key == "objective.temperature":
        return any(_contrasts(own) for own in used if own is not None)
    if key in ("objective.targets", "objective.rotation", "objective.norm"):
        return "relative" in used
    if key.startswith("magnitudes."):
        return any(key.split(".")[1] in view.names for view in composition.views)
    return True


def _contrasts(objective: str) -> bool:
    """Whether an objective has a contrastive term, and so a temperature."""
    kind = OBJECTIVES.get(objective)
    return isinstance(kind, type) and issubclass(kind, ContrastiveObjective)


def grid(search: SearchConfig) -> list[Point]:
    """Every point of a space of choices: the study's exhaustive search.

    The order is that of the study's table 5, composition by composition with the objectives side
    by side, all first repeats before the second ones: a study cut short is still comparable.

    Raises:
        ConfigError: A key has a range, which no grid can exhaust; or there is no point.
    """
    for key, where in search.ranges.items():
        if where.choices is None:
            raise ConfigError(
                f"search.space.{key} must list choices for search.kind=grid, but got a range; "
                "use search=random or search=tpe"
            )
    points = [
        Point(objective=label, composition=composition, values=values, repeat=repeat)
        for repeat in range(search.repeats)
        for composition, label in _compositions(search)
        for values in _all_values(search, label, composition)
    ]
    if not points:
        able = [name for name, kind in AUGMENTATIONS.items() if issubclass(kind, Regressable)]
        raise ConfigError(
            f"search.augmentations must have one of {', '.join(able)} for the relative objective, "
            f"but got {list(search.augmentations)}; add one, or another of search.objectives"
        )
    return matching(points, search.include, "search.include") if search.include else points


def matching(points: Sequence[Point], patterns: Sequence[str], key: str) -> list[Point]:
    """The points that some pattern names, in their order; a pattern is "OBJECTIVE COMPOSITION".

    Raises:
        ConfigError: A pattern names none.
    """
    named = [f"{point.objective} {point.composition}" for point in points]
    for pattern in patterns:
        if not fnmatch.filter(named, pattern):
            raise ConfigError(
                f"{key} must hold patterns of points such as {named[0]!r}, but got {pattern!r}, "
                "which names none"
            )
    return [
        point
        for point, name in zip(points, named, strict=True)
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    ]


def _compositions(search: SearchConfig) -> Iterator[tuple[str, str]]:
    singles = [name for name in search.single_augmentations if name not in search.augmentations]
    second = None if search.second_view is None else Composition.parse(search.second_view)
    for composition in (*compositions(search.augmentations), *map(Composition.parse, singles)):
        pair = dataclasses.replace(composition, second=second)
        for label, overrides in search.objectives.items():
            kind = overrides.get("name", label)
            if kind == "mixed":
                for assigned in _assignments(composition):
                    yield _notation(Composition.parse(assigned), second), label
            elif any(_has(view, _SUFFICES.get(kind, object)) for view in pair.views):
                yield _notation(composition, second), label


def _assignments(composition: Composition) -> Iterator[str]:
    able = [
        [f"{own.symbol}:{kind}" for kind in ASSIGNMENTS if _assignable(own.name, kind)]
        for own in composition.augmentations
    ]
    yield from ("+".join(assigned) for assigned in itertools.product(*able))


def _all_values(
    search: SearchConfig, label: str, composition: str
) -> Iterator[tuple[tuple[str, Any], ...]]:
    kind = search.objectives[label].get("name", label)
    parsed = Composition.parse(composition)
    keys = [key for key in search.ranges if _applies(key, kind, parsed)]
    for values in itertools.product(*(search.ranges[key].choices or () for key in keys)):
        yield tuple(zip(keys, values, strict=True))


class _Known:
    """A chooser that decides as a known point did, and notes what it was asked."""

    def __init__(self, point: Point, names: Iterable[str], *, partial: bool) -> None:
        composition = Composition.parse(point.composition)
        self._answers: dict[str, Any] = {"objective": point.objective, **dict(point.values)}
        for name in names:
            self._answers[name] = name in composition.names
            assigned = composition.assignment.get(name, "off")
            self._answers |= {f"assign {name}": assigned, f"assign {name} (only)": assigned}
        self._partial = partial
        self.parameters: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}

    def _note(self, name: str, distribution: BaseDistribution, open_value: Any) -> Any:
        if self._partial and name not in self._answers:
            return open_value
        value = self._answers[name]
        if not distribution._contains(distribution.to_internal_repr(value)):
            raise ValueError(f"{name}={value} is outside {distribution}")
        self.parameters[name], self.distributions[name] = value, distribution
        return value

    def suggest_categorical(
        self, name: str, choices: Sequence[CategoricalChoiceType]
    ) -> CategoricalChoiceType:
        value: CategoricalChoiceType = self._note(
            name, CategoricalDistribution(choices), choices[0]
        )
        return value

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return float(self._note(name, FloatDistribution(low, high, log=log, step=step), low))

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        return int(self._note(name, IntDistribution(low, high, log=log, step=step), low))


def parameters_of(
    point: Point, search: SearchConfig, *, partial: bool = False
) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """A point as Optuna's parameters with their distributions, as if it had been sampled.

    Args:
        point: The point.
        search: The space.
        partial: Leave open what the space asks about and the point does not say.

    Raises:
        ValueError, KeyError: The point lies outside the space.
    """
    names = tuple(dict.fromkeys((*search.augmentations, *search.single_augmentations)))
    known = _Known(point, names, partial=partial)
    chosen = choose(known, dataclasses.replace(search, augmentations=names))
    # What the space does not ask about would be lost silently, and the point taken for another.
    said = tuple((key, value) for key, value in chosen.values if key in known.parameters)
    if (chosen.objective, chosen.composition, said) != (
        point.objective,
        point.composition,
        point.values,
    ):
        raise ValueError(f"{point} is not in the space; the nearest is {chosen}")
    return known.parameters, known.distributions
