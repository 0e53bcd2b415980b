"""The hypothesis in numbers: diagnostics against error, the verdict under both target forms."""

from collections.abc import Iterable

from analysis.hypothesis import Link, Verdict
from analysis.notation import objective_title
from analysis.tables import model
from analysis.tables.model import Entry, Table, one_section, p_value, signed, span

__all__ = ["link_table", "verdict_table"]


def link_table(links: Iterable[Link]) -> Table:
    """Rank correlation of each diagnostic with the probe's median error."""
    rows = []
    for link in links:
        found = link.correlation
        scope = link.scope if link.scope == "all runs" else objective_title(link.scope)
        rows.append(
            [
                Entry(text=link.diagnostic),
                Entry(text=scope),
                Entry(text=str(found.n), value=found.n),
                signed(found.value),
                span(found.interval),
                p_value(found.p),
            ]
        )
    return Table(
        key="diagnostics",
        title="Do the features' diagnostics predict the error?",
        columns=(
            model.Column(name="Diagnostic", numeric=False),
            model.Column(name="Runs of", numeric=False),
            model.Column(name="runs"),
            model.Column(name="Spearman ρ"),
            model.Column(name="95% interval"),
            model.Column(name="p"),
        ),
        sections=one_section(rows),
        caption="Correlation with the median error of the probe: negative means that more of it "
        "goes with a lower error. Each diagnostic is the mean over the geometric augmentations in "
        "the record. Over all runs the objectives differ in both, so look within an objective "
        "too. p: two-sided permutation test; not corrected, it describes.",
    )


def verdict_table(verdicts: Iterable[Verdict]) -> Table:
    """Relative minus contrastive, for each form of the relative targets."""
    rows = [
        [
            Entry(text=f"{v.targets} ({v.study})"),
            Entry(text=v.relative),
            Entry(text=v.contrastive),
            signed(v.difference_cm),
            span(v.interval),
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
            model.Column(name="Relative targets", numeric=False),
            model.Column(name="relative", group="Best composition", numeric=False),
            model.Column(name="contrastive", group="Best composition", numeric=False),
            model.Column(name="difference", group="Best against best", unit="cm"),
            model.Column(name="95% interval", group="Best against best", unit="cm"),
            model.Column(name="difference", group="Mean over compositions", unit="cm"),
            model.Column(name="95% interval", group="Mean over compositions", unit="cm"),
            model.Column(name="contrastive lower in"),
        ),
        sections=one_section(rows),
        caption="Relative minus contrastive, median error: positive means that contrastive has "
        "the lower error. Intervals as in the ranking; the choice of the best composition is "
        "taken as given.",
    )
