"""Shapley values and interactions of the augmentations."""

from collections.abc import Iterable, Sequence

from analysis.contribution import Contribution, Effect
from analysis.tables.model import Column, Entry, Section, Table, signed, span


def _rows(effects: Sequence[Effect]) -> tuple[tuple[Entry, ...], ...]:
    return tuple(
        (
            Entry(text=effect.name),
            signed(effect.value_cm),
            span(effect.interval),
            signed(effect.published_cm, absent="–"),
        )
        for effect in effects
    )


def _columns(first: str) -> tuple[Column, ...]:
    return (
        Column(name=first, numeric=False),
        Column(name="ours", unit="cm", better="↓"),
        Column(name="95% interval", unit="cm"),
        Column(name="published", unit="cm"),
    )


def shapley_table(contributions: Iterable[Contribution]) -> Table:
    """Shapley value of each augmentation: its effect, averaged over all orders of adding them."""
    return Table(
        key="shapley",
        title="Contribution of each augmentation",
        columns=_columns("Augmentation"),
        sections=tuple(
            Section(title=c.column.title, rows=_rows(c.shapley)) for c in contributions
        ),
        caption="Exact Shapley values of the full factorial, in cm of median error: a negative "
        "value lowers the error. The empty composition is not run, so the values are centred: "
        "they sum to zero, and only their differences have a meaning. Published: the same, "
        "computed from the paper's table 5. Intervals as in the ranking.",
    )


def interaction_table(contributions: Iterable[Contribution]) -> Table:
    """Interaction of each pair of augmentations."""
    return Table(
        key="interactions",
        title="Interactions of two augmentations",
        columns=_columns("Pair"),
        sections=tuple(Section(title=c.column.title, rows=_rows(c.pairs)) for c in contributions),
        caption="Shapley interaction index, in cm of median error, over contexts with at least "
        "one other augmentation: negative means that both together lower the error by more than "
        "the sum of their single effects.",
    )
