"""The paper's notation: composition labels, objective variants, the order of table 5's rows."""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any, Final

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
"""Augmentation name to the token in labels; the first four are the paper's, in its order."""

PAPER_ROWS: tuple[str, ...] = (
    "CJ", "CJ+S", "CJ+S+Ro", "CJ+Ro", "S", "S+Ro", "Ro", "T",
    "T+CJ", "T+CJ+S", "T+CJ+S+Ro", "T+CJ+Ro", "T+S", "T+S+Ro", "T+Ro",
)  # fmt: skip
"""The 15 compositions in the order of the paper's table 5."""

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
OBJECTIVE_DEFAULTS: Final[Mapping[str, Any]] = {
    "temperature": 0.5,
    "chunk_size": None,
    "hidden_dim": 2048,
    "projection_dim": 128,
    "targets": "standardised",
    "rotation": "angle",
    "norm": "l1",
    "equivariance": "released",
    "mixture": "separate",
    "contrastive_weighting": "constant",
    "contrastive_weight": 1.0,
}
"""Settings of objectives that lack them, as schema 1 wrote them: without them, a setting that only
one objective has would separate the objectives."""

_FORMS = {
    "relative": ("targets",),
    "mixed": ("mixture", "targets"),
    "equivariant": ("equivariance",),
}
"""Options that change the meaning of an objective, not only its quality."""

_ASSIGNED = {"contrastive": "c", "relative": "r", "equivariant": "e"}
"""Objective of an augmentation in a mixed composition to its letter in the label."""

_TOKEN_ORDER = {token: position for position, token in enumerate(TOKENS.values())}


def composition_tokens(composition: str) -> tuple[str, ...]:
    """The tokens of a composition in the paper's order, without assigned objectives.

    Names and tokens are both accepted. Unknown names are their own tokens and come last.

    Example:
        >>> composition_tokens("scale+T:relative")
        ('T', 'S')
    """
    return tuple(assignment(composition))


def assignment(composition: str) -> dict[str, str]:
    """Token to the letter of the assigned objective, "" for none, in the paper's order."""
    parts = composition.replace("/", "+").split("+")
    pairs = [part.strip().partition(":") for part in parts if part.strip()]
    assigned = {
        TOKENS.get(name, name): _ASSIGNED.get(objective, objective) for name, _, objective in pairs
    }
    known = len(TOKENS)
    return dict(
        sorted(assigned.items(), key=lambda item: (_TOKEN_ORDER.get(item[0], known), item[0]))
    )


def composition_label(composition: str) -> str:
    """The paper's label of a composition, followed by letters for assigned objectives.

    Example:
        >>> composition_label("scale+translate"), composition_label("scale:relative+T:contrastive")
        ('T+S', 'T:c+S:r')
    """
    return "/".join(
        "+".join(f"{token}:{key}" if key else token for token, key in assignment(view).items())
        for view in composition.split("/")
    )


def is_assignment(label: str) -> bool:
    """Whether an augmentation has an assigned objective, as in `"T:e+S:r"`."""
    return any(assignment(label).values())


def is_subset(label: str) -> bool:
    """Whether a label is one set of augmentations for both views, under one objective."""
    return bool(label) and "/" not in label and ":" not in label


def sort_compositions(labels: Iterable[str]) -> list[str]:
    """Labels in the order of table 5; others follow by size, then by name."""
    known = {label: position for position, label in enumerate(PAPER_ROWS)}
    return sorted(
        set(labels), key=lambda label: (known.get(label, len(known)), label.count("+"), label)
    )


def full_factorial(labels: Iterable[str]) -> tuple[str, ...] | None:
    """The tokens of the labels if all their non-empty subsets are among the labels, else None."""
    present = {frozenset(composition_tokens(label)) for label in labels if is_subset(label)}
    tokens = sorted(frozenset().union(*present), key=lambda t: (_TOKEN_ORDER.get(t, 99), t))
    subsets = (
        frozenset(subset)
        for size in range(1, len(tokens) + 1)
        for subset in combinations(tokens, size)
    )
    return tuple(tokens) if tokens and all(subset in present for subset in subsets) else None


def objective_variant(label: str, options: object) -> str:
    """The objective with the options that change its meaning, as in `"relative:released"`.

    Args:
        label: The record's objective: the name under which the search ran it.
        options: The record's `config["objective"]`: its `name`, and `targets` (relative and
            mixed), `mixture` or `equivariance`. A label that these do not explain is appended.
    """
    if not isinstance(options, Mapping):
        return label
    name = str(options.get("name") or label)
    forms = [str(options[key]) for key in _FORMS.get(name, ()) if options.get(key)]
    explained = {name, "_".join([name, *forms])} | {f"{name}_{form}" for form in forms}
    return ":".join([name, *forms] if label in explained else [name, *forms, label])


def objective_base(variant: str) -> str:
    """The objective of a variant: `"relative:released"` gives `"relative"`."""
    return variant.split(":", 1)[0]


def objective_title(variant: str) -> str:
    """A heading: `"relative:released"` gives `"Relative (released targets)"`."""
    base, *rest = variant.split(":")
    title = _TITLES.get(base, base.replace("_", " ").capitalize())
    if base == "relative" and rest:
        rest[0] += " targets"
    return f"{title} ({', '.join(rest)})" if rest else title


def plural(count: int, noun: str) -> str:
    """`"1 run"`, `"2 runs"`."""
    return f"{count} {noun}{'s' if count != 1 else ''}"


def sort_variants(variants: Iterable[str]) -> list[str]:
    """Variants in the paper's column order: relative, contrastive, then this project's."""
    order = {name: position for position, name in enumerate(_TITLES)}
    return sorted(
        set(variants),
        key=lambda v: (order.get(objective_base(v), len(order)), v.endswith(":released"), v),
    )
