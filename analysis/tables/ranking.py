"""Rankings with uncertainty, differences between objectives, the verdict, the paper's ranking."""

from collections.abc import Iterable, Mapping, Sequence

from analysis.comparison import Agreement, Difference, RankedComposition
from analysis.grid import GridColumn
from analysis.records import ABSOLUTE, Metric
from analysis.statistics import Correlation
from analysis.tables.model import (
    UNKNOWN,
    Entry,
    Table,
    columns,
    number,
    p_value,
    result,
    section,
    signed,
    span,
    texts,
)
from analysis.verdict import Verdict

INTERVALS = (
    "95% intervals: validation poses are drawn with replacement, the same draws for every "
    "composition; the spread between seeds is added on the logarithmic scale. It is that of the "
    "row itself with three seeds or more, else that pooled over the objective, if Bartlett's test "
    "finds no difference between its rows (p ≥ 0.05); else they include poses only. Those of "
    "differences hold for all rows of the table together (max-t). A test "
    "over poses compares these trained encoders, one over seeds compares the compositions."
)
_TESTS = ("p over poses", "p over seeds")


def _headings(metric: Metric) -> tuple[str, str]:
    return f"difference ({metric.unit})", f"95% interval ({metric.unit})"


def ranking_table(
    rankings: Mapping[str, Sequence[RankedComposition]], metric: Metric = ABSOLUTE
) -> Table:
    """Compositions of every column, best first; `rankings` is by column title."""
    sections = tuple(
        section(
            (_row(i, entry) for i, entry in enumerate(ranked, start=1)),
            title if ranked else f"{title}: nothing has finished yet",
        )
        for title, ranked in rankings.items()
    )
    return Table(
        key="ranking",
        title="Ranking of the compositions, with its uncertainty",
        columns=(
            *columns("*Composition", "rank", f"{metric.axis} ↓", _headings(metric)[1]),
            *columns("P(best)", "95% of ranks"),
            *columns(*_headings(metric), *_TESTS, group="Behind the best"),
        ),
        sections=sections,
        caption=INTERVALS + " P(best): share of the draws in which the composition has the lowest "
        "error. p over poses: Wilcoxon's signed-rank test of the median errors per pose; p over "
        "seeds: Welch's t-test between seeds; both Holm-corrected over the compositions of an "
        "objective. The best was selected by the same numbers, so the p-values against it are too "
        "small; P(best) and the ranks include the selection. Without errors of each joint for the "
        "metric, intervals include seeds only. n/a: cannot be computed from these "
        "records.",
    )


def _row(position: int, ranked: RankedComposition) -> tuple[Entry, ...]:
    behind, rank = ranked.behind, ranked.rank
    p_best = ranks = UNKNOWN
    if rank:
        p_best = number(rank.best)
        ranks = Entry(text=f"{rank.low} to {rank.high}", value=rank.low, high=rank.high)
    return (
        Entry(text=ranked.label),
        number(position, 0),
        result(
            ranked.setting.summary(ranked.setting.metric.name), "finished", best=behind is None
        ),
        span(ranked.interval),
        p_best,
        ranks,
        *(_difference(behind) if behind else (number(None),) * 4),
    )


def _difference(difference: Difference) -> tuple[Entry, ...]:
    return (
        signed(difference.value_cm),
        span(difference.interval),
        p_value(difference.p_poses),
        p_value(difference.p_seeds),
    )


def difference_table(
    pairs: Iterable[tuple[GridColumn, GridColumn, Sequence[Difference]]],
    metric: Metric = ABSOLUTE,
) -> Table:
    """First objective minus second, composition by composition."""
    sections = tuple(
        section(((*texts(d.label), *_difference(d)) for d in rows), f"{a.title} minus {b.title}")
        for a, b, rows in pairs
    )
    return Table(
        key="objective_differences",
        title="Differences between objectives, composition by composition",
        columns=columns("*Composition", *_headings(metric), *_TESTS),
        sections=sections,
        caption=f"Difference of the {metric.noun}s; positive: the second objective has the lower "
        f"error. {INTERVALS} Tests as in the ranking, Holm-corrected over the compositions.",
    )


def verdict_table(verdicts: Iterable[Verdict], metric: Metric = ABSOLUTE) -> Table:
    """Relative minus contrastive, for each form of the relative targets."""
    rows = [
        (
            *texts(f"{v.targets} ({v.study})", v.relative, v.contrastive),
            signed(v.best.difference_cm),
            span(v.best.interval),
            signed(v.best.held_out_cm),
            signed(v.mean_cm),
            span(v.mean_interval),
            Entry(text=f"{v.wins} of {v.shared}", value=v.wins),
        )
        for v in verdicts
    ]
    return Table(
        key="verdict",
        title="Contrastive against relative, by the form of the relative targets",
        columns=(
            *columns("*Relative targets"),
            *columns("*relative", "*contrastive", group="Best composition"),
            *columns(*_headings(metric), group="Best against best"),
            *columns(f"chosen by other seeds ({metric.unit})", group="Best against best"),
            *columns(*_headings(metric), group="Mean over compositions"),
            *columns("contrastive lower in"),
        ),
        sections=(section(rows),),
        caption=f"Relative minus contrastive, {metric.noun}: positive means that contrastive has "
        "the lower error. Intervals as in the ranking, together for all differences here "
        "and between the two forms; they do not include the selection of the "
        "best composition. Chosen by other seeds: the error at each seed of the composition that "
        "is best on the other seeds, mean over seeds, which removes the selection bias. A winner "
        "is named if the interval includes the spread between seeds and excludes zero, and this "
        "difference has the same sign.",
    )


def _correlation(correlation: Correlation) -> tuple[Entry, Entry, Entry]:
    return signed(correlation.value), span(correlation.interval), p_value(correlation.p)


def agreement_table(agreements: Iterable[Agreement]) -> Table:
    """Rank correlation of our absolute medians with the published ones."""
    rows = [
        (
            Entry(text=item.column.title),
            number(item.spearman.n, 0),
            *_correlation(item.spearman),
            *_correlation(item.kendall),
        )
        for item in agreements
    ]
    values = ("value", "95% interval", "p")
    return Table(
        key="agreement",
        title="Agreement with the published ranking",
        columns=(
            *columns("*Objective", "compositions"),
            *columns(*values, group="Spearman ρ"),
            *columns(*values, group="Kendall τ-b"),
        ),
        sections=(section(rows),),
        caption="Rank correlation between our absolute median errors and those of table 5, over "
        "the finished compositions. p: two-sided permutation test (9,999 random orders, all "
        "orders up "
        "to 7 compositions). Intervals: 2,000 bootstrap draws of the compositions.",
    )
