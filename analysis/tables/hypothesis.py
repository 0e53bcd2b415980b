"""The hypothesis in numbers: diagnostics against error, the verdict under both target forms."""

from collections.abc import Iterable

from analysis.hypothesis import ALL, WITHIN, Link
from analysis.notation import objective_title
from analysis.tables import model
from analysis.tables.model import Entry, Table, one_section, p_value, signed, span
from analysis.verdict import Verdict


def link_table(links: Iterable[Link]) -> Table:
    """Rank correlation of each diagnostic with the probe's median error."""
    rows = []
    for link in links:
        found = link.correlation
        scope = link.scope if link.scope in (ALL, WITHIN) else objective_title(link.scope)
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
            model.Column(name="Among", numeric=False),
            model.Column(name="n"),
            model.Column(name="Spearman ρ"),
            model.Column(name="95% interval"),
            model.Column(name="p"),
        ),
        sections=one_section(rows),
        caption="Rank correlation with the median error of the probe over n configurations (means "
        "over seeds): negative means that more of it goes with a lower error. Each diagnostic is "
        "the mean over the geometric augmentations in the record, an R² below 0 counting as 0. "
        "Within the objectives: ranks are taken in each, so that a difference between objectives "
        "is no correlation. p: two-sided permutation test, not corrected. An association: the "
        "composition may move both.",
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
            model.Column(name="Relative targets", numeric=False),
            model.Column(name="relative", group="Best composition", numeric=False),
            model.Column(name="contrastive", group="Best composition", numeric=False),
            model.Column(name="difference", group="Best against best", unit="cm"),
            model.Column(name="95% interval", group="Best against best", unit="cm"),
            model.Column(name="chosen by other seeds", group="Best against best", unit="cm"),
            model.Column(name="difference", group="Mean over compositions", unit="cm"),
            model.Column(name="95% interval", group="Mean over compositions", unit="cm"),
            model.Column(name="contrastive lower in"),
        ),
        sections=one_section(rows),
        caption="Relative minus contrastive, median error: positive means that contrastive has "
        "the lower error. Intervals as in the ranking, the choice of the best composition taken "
        "as given. The best of many was partly lucky; chosen by other seeds: each seed's error of "
        "what is the best by the others, in the mean. A winner is named where the interval "
        "includes the spread between seeds, excludes zero, and that difference has its sign.",
    )
