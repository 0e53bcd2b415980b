"""Shapley values and interactions of the augmentations."""

from collections.abc import Iterable, Sequence

from analysis.contribution import Contribution, Share
from analysis.tables import model
from analysis.tables.model import Entry, Section, Table, signed, span


def _rows(shares: Sequence[Share]) -> tuple[tuple[Entry, ...], ...]:
    return tuple(
        (
            Entry(text=share.name),
            signed(share.value_cm),
            span(share.interval),
            signed(share.published_cm, absent="–"),
        )
        for share in shares
    )


def _columns(what: str) -> tuple[model.Column, ...]:
    return (
        model.Column(name=what, numeric=False),
        model.Column(name="ours", unit="cm", better="↓"),
        model.Column(name="95% interval", unit="cm"),
        model.Column(name="published", unit="cm"),
    )


def shapley_table(contributions: Iterable[Contribution]) -> Table:
    """What each augmentation adds to the median error, averaged over all orders of adding them."""
    return Table(
        key="shapley",
        title="What each augmentation contributes",
        columns=_columns("Augmentation"),
        sections=tuple(
            Section(title=c.column.title, rows=_rows(c.shapley)) for c in contributions
        ),
        caption="Exact Shapley values of the full factorial, in cm of median error: negative "
        "lowers the error. The empty composition is not run; the values are centred, so they sum "
        "to zero and their differences are what counts. Published: the same computed from the "
        "study's table 5. Intervals as in the ranking.",
    )


def interaction_table(contributions: Iterable[Contribution]) -> Table:
    """What two augmentations do together beyond the sum of each."""
    return Table(
        key="interactions",
        title="Which augmentations work together",
        columns=_columns("Pair"),
        sections=tuple(Section(title=c.column.title, rows=_rows(c.pairs)) for c in contributions),
        caption="Shapley interaction index, in cm of median error, over contexts with at least "
        "one other augmentation: negative means that the two together lower the error by "
        "more than the sum of what each does alone.",
    )
