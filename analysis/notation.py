"""The study's notation: composition labels, objective variants, the order of table 5's rows."""

from collections.abc import Iterable, Mapping
from itertools import combinations

TOKENS: dict[str, str] = {
    "translate": "T",
    "color_jitter": "CJ",
    "scale": "S",
    "rotate": "Ro",
    "color_drop": "CD",
    "cutout": "CO",
    "gaussian_blur": "GB",
    "gaussian_noise": "GN",
    "sobel": "So",
    "crop": "Cr",
}
"""Augmentation name to the token of its label; the first four are the study's, in its order."""

STUDY_ROWS: tuple[str, ...] = (
    "CJ", "CJ+S", "CJ+S+Ro", "CJ+Ro", "S", "S+Ro", "Ro", "T",
    "T+CJ", "T+CJ+S", "T+CJ+S+Ro", "T+CJ+Ro", "T+S", "T+S+Ro", "T+Ro",
)  # fmt: skip
"""The 15 compositions in the order of the study's table 5."""

_TITLES: dict[str, str] = {
    "relative": "Relative",
    "contrastive": "Contrastive",
    "equivariant": "Equivariant contrastive",
    "mixed": "Mixed",
    "care": "CARE",
    "supervised": "Supervised",
    "random": "Random initialisation",
    "imagenet": "ImageNet weights",
}
_FORMS = {
    "relative": ("targets",),
    "mixed": ("mixture", "targets"),
    "equivariant": ("equivariance",),
}
"""Options that change what an objective means, not only how well it works."""

_ASSIGNED = {"contrastive": "c", "relative": "r", "equivariant": "e"}
"""Objective of an augmentation in a mixed composition to its letter in the label."""

_TOKEN_ORDER = {token: position for position, token in enumerate(TOKENS.values())}


def composition_tokens(composition: str) -> tuple[str, ...]:
    """The tokens of a composition in the study's order: ``"scale+T:relative"`` gives ("T", "S").

    Names and tokens are both understood; an assigned objective after a colon is left out; a name
    that is not known here stands for itself, after the known ones.
    """
    return tuple(assignment(composition))


def assignment(composition: str) -> dict[str, str]:
    """Token to the letter of the objective it is assigned, "" for none, in the study's order."""
    parts = composition.replace("/", "+").split("+")
    pairs = [part.strip().partition(":") for part in parts if part.strip()]
    assigned = {
        TOKENS.get(name, name): _ASSIGNED.get(objective, objective) for name, _, objective in pairs
    }
    known = len(TOKENS)
    return dict(
        sorted(assigned.items(), key=lambda own: (_TOKEN_ORDER.get(own[0], known), own[0]))
    )


def composition_label(composition: str) -> str:
    """The study's label: ``"scale+translate"`` gives ``"T+S"``, ``"scale/"`` gives ``"S/"``.

    Assigned objectives follow as letters: ``"scale:relative+T:contrastive"`` gives ``"T:c+S:r"``.
    """
    return "/".join(
        "+".join(f"{token}:{own}" if own else token for token, own in assignment(view).items())
        for view in composition.split("/")
    )


def is_assignment(label: str) -> bool:
    """Whether an augmentation is assigned an objective, as in ``"T:e+S:r"``."""
    return any(assignment(label).values())


def is_subset(label: str) -> bool:
    """Whether a label is a plain set of augmentations: of both views, under one objective."""
    return bool(label) and "/" not in label and ":" not in label


def sort_compositions(labels: Iterable[str]) -> list[str]:
    """Labels in table 5's order; others follow by size, then by name."""
    known = {label: position for position, label in enumerate(STUDY_ROWS)}
    return sorted(
        set(labels), key=lambda label: (known.get(label, len(known)), label.count("+"), label)
    )


def full_factorial(labels: Iterable[str]) -> tuple[str, ...] | None:
    """The tokens whose every non-empty subset is among the labels, or None if some is missing."""
    present = {frozenset(composition_tokens(label)) for label in labels if is_subset(label)}
    tokens = sorted(frozenset().union(*present), key=lambda t: (_TOKEN_ORDER.get(t, 99), t))
    subsets = (
        frozenset(subset)
        for size in range(1, len(tokens) + 1)
        for subset in combinations(tokens, size)
    )
    return tuple(tokens) if tokens and all(subset in present for subset in subsets) else None


def objective_variant(label: str, options: object) -> str:
    """The objective with what changes its meaning, as in ``"relative:released"``.

    Args:
        label: The record's objective: the name under which the search ran it.
        options: The record's ``config["objective"]``: its ``name``, and ``targets`` (relative and
            mixed), ``mixture`` or ``equivariance``. A label that these do not explain is kept.
    """
    if not isinstance(options, Mapping):
        return label
    name = str(options.get("name") or label)
    found = [str(options[key]) for key in _FORMS.get(name, ()) if options.get(key)]
    explained = {name, "_".join([name, *found])} | {f"{name}_{part}" for part in found}
    return ":".join([name, *found] if label in explained else [name, *found, label])


def objective_base(variant: str) -> str:
    """The objective of a variant: ``"relative:released"`` gives ``"relative"``."""
    return variant.split(":", 1)[0]


def objective_title(variant: str) -> str:
    """A heading: ``"relative:released"`` gives ``"Relative (released targets)"``."""
    base, *rest = variant.split(":")
    title = _TITLES.get(base, base.replace("_", " ").capitalize())
    if base == "relative" and rest:
        rest[0] += " targets"
    return f"{title} ({', '.join(rest)})" if rest else title


def sort_variants(variants: Iterable[str]) -> list[str]:
    """Variants in the study's column order: relative, contrastive, then the project's own."""
    order = {name: position for position, name in enumerate(_TITLES)}
    return sorted(
        set(variants),
        key=lambda v: (order.get(objective_base(v), len(order)), v.endswith(":released"), v),
    )
