"""Shapley values and interactions of the augmentations; diagnostics against the error."""

from collections.abc import Iterable, Sequence

from analysis.contribution import Contribution, Effect
from analysis.hypothesis import ALL, WITHIN, Link
from analysis.notation import objective_title
from analysis.records import ABSOLUTE, Metric
from analysis.tables.model import (
    Entry,
    Table,
    columns,
    number,
    p_value,
    section,
    signed,
    span,
    texts,
)


def _headings(metric: Metric) -> tuple[str, str, str]:
    return f"ours ({metric.unit}) ↓", f"95% interval ({metric.unit})", "published (cm)"


def _rows(effects: Sequence[Effect]) -> list[tuple[Entry, ...]]:
    return [
        (*texts(e.name), signed(e.value_cm), span(e.interval), signed(e.published_cm, absent="–"))
        for e in effects
    ]


def shapley_table(contributions: Iterable[Contribution], metric: Metric = ABSOLUTE) -> Table:
    """Shapley value of each augmentation: its effect, averaged over all orders of adding them."""
    return Table(
        key="shapley",
        title="Contribution of each augmentation",
        columns=columns("*Augmentation", *_headings(metric)),
        sections=tuple(section(_rows(c.shapley), c.column.title) for c in contributions),
        caption=f"Exact Shapley values of the full factorial, in {metric.unit} of "
        f"{metric.noun}: a "
        "negative value lowers the error. The empty composition is not run, so the values "
        "are centred: "
        "they sum to zero, and only their differences have a meaning. Published: the same, "
        "computed from the paper's table 5. Intervals as in the ranking.",
    )


def interaction_table(contributions: Iterable[Contribution], metric: Metric = ABSOLUTE) -> Table:
    """Interaction of each pair of augmentations."""
    return Table(
        key="interactions",
        title="Interactions of two augmentations",
        columns=columns("*Pair", *_headings(metric)),
        sections=tuple(section(_rows(c.pairs), c.column.title) for c in contributions),
        caption=f"Shapley interaction index, in {metric.unit} of {metric.noun}, over contexts "
        "with at "
        "least one other augmentation: negative means that both together lower the error by "
        "more than "
        "the sum of their single effects.",
    )


def link_table(links: Iterable[Link], metric: Metric = ABSOLUTE) -> Table:
    """Rank correlation of each diagnostic with the probe's error."""
    rows = [
        (
            *texts(link.diagnostic),
            *texts(link.scope if link.scope in (ALL, WITHIN) else objective_title(link.scope)),
            number(link.correlation.n, 0),
            signed(link.correlation.value),
            span(link.correlation.interval),
            p_value(link.correlation.p),
        )
        for link in links
    ]
    return Table(
        key="diagnostics",
        title="Do the features' diagnostics predict the error?",
        columns=columns("*Diagnostic", "*Among", "n", "Spearman ρ", "95% interval", "p"),
        sections=(section(rows),),
        caption=f"Rank correlation with the {metric.noun} of the probe over n configurations "
        "(means over seeds): negative means that a higher diagnostic goes with a lower "
        "error. Each "
        "diagnostic is the mean over the recorded geometric augmentations, with an R² below 0 "
        "counted as 0. Within the objectives: ranks are taken inside each objective, so "
        "differences between objectives do not count. p: two-sided permutation test, not "
        "corrected for the number of tests. This is an association: the composition may change "
        "both.",
    )
