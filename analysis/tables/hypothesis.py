"""The hypothesis: diagnostics against the error, and the verdict under both target forms."""

from collections.abc import Iterable

from analysis.hypothesis import ALL, WITHIN, Link
from analysis.notation import objective_title
from analysis.tables.model import Column, Entry, Table, one_section, p_value, signed, span
from analysis.verdict import Verdict


def link_table(links: Iterable[Link]) -> Table:
    """Rank correlation of each diagnostic with the probe's median error."""
    rows = []
    for link in links:
        correlation = link.correlation
        scope = link.scope if link.scope in (ALL, WITHIN) else objective_title(link.scope)
        rows.append(
            [
                Entry(text=link.diagnostic),
                Entry(text=scope),
                Entry(text=str(correlation.n), value=correlation.n),
                signed(correlation.value),
                span(correlation.interval),
                p_value(correlation.p),
            ]
        )
    return Table(
        key="diagnostics",
        title="Do the features' diagnostics predict the error?",
        columns=(
            Column(name="Diagnostic", numeric=False),
            Column(name="Among", numeric=False),
            Column(name="n"),
            Column(name="Spearman ρ"),
            Column(name="95% interval"),
            Column(name="p"),
        ),
        sections=one_section(rows),
        caption="Rank correlation with the median error of the probe over n configurations (means "
        "over seeds): negative means that a higher diagnostic goes with a lower error. Each "
        "diagnostic is the mean over the recorded geometric augmentations, with an R² below 0 "
        "counted as 0. Within the objectives: ranks are taken inside each objective, so "
        "differences between objectives do not count. p: two-sided permutation test, not "
        "corrected for the number of tests. This is an association: the composition may change "
        "both.",
    )


def verdict_table(verdicts: Iterable[Verdict]) -> Table:
    """Relative minus contrastive, for each form of the relative targets."""
    rows = [
        [
            Entry(text=f"{v.targets} ({v.study})"),
            Entry(text=v.relative),
            Entry(text=v.contrastive),
            signed(v.best.difference_cm),
            span(v.best.interval),
            signed(v.best.held_out_cm),
            signed(v.mean_cm),
            span(v.mean_interval),
            Entry(text=f"{v.wins} of {v.shared}", value=v.wins),
        ]
        for v in verdicts
    ]
    return Table(
        key="verdict",
        title="Contrastive against relative, by the form of the relative targets",
        columns=(
            Column(name="Relative targets", numeric=False),
            Column(name="relative", group="Best composition", numeric=False),
            Column(name="contrastive", group="Best composition", numeric=False),
            Column(name="difference", group="Best against best", unit="cm"),
            Column(name="95% interval", group="Best against best", unit="cm"),
            Column(name="chosen by other seeds", group="Best against best", unit="cm"),
            Column(name="difference", group="Mean over compositions", unit="cm"),
            Column(name="95% interval", group="Mean over compositions", unit="cm"),
            Column(name="contrastive lower in"),
        ),
        sections=one_section(rows),
        caption="Relative minus contrastive, median error: positive means that contrastive has "
        "the lower error. Intervals as in the ranking; they do not include the selection of the "
        "best composition. Chosen by other seeds: the error at each seed of the composition that "
        "is best on the other seeds, mean over seeds, which removes the selection bias. A winner "
        "is named if the interval includes the spread between seeds and excludes zero, and this "
        "difference has the same sign.",
    )
