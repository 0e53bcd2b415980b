"""Rankings with uncertainty, differences between objectives, agreement with the paper."""

from collections.abc import Iterable, Mapping, Sequence

from analysis.comparison import Agreement, Difference, RankedComposition
from analysis.grid import GridColumn
from analysis.statistics import Correlation
from analysis.tables.model import (
    Column,
    Entry,
    Section,
    Table,
    one_section,
    p_value,
    result,
    signed,
    span,
)

INTERVALS = (
    "95% intervals: validation poses are drawn with replacement, the same draws for every "
    "composition; the spread between seeds, pooled over the compositions of an objective, is "
    "added. Without repeats of any composition of an objective, they include poses only. A test "
    "over poses compares these trained encoders, one over seeds compares the compositions."
)


def ranking_table(rankings: Mapping[str, Sequence[RankedComposition]]) -> Table:
    """Compositions of every column, best first; `rankings` is by column title."""
    sections = [
        Section(
            title=title if ranked else f"{title}: nothing has finished yet",
            rows=tuple(_row(i, entry) for i, entry in enumerate(ranked, start=1)),
        )
        for title, ranked in rankings.items()
    ]
    return Table(
        key="ranking",
        title="Ranking of the compositions, with its uncertainty",
        columns=(
            Column(name="Composition", numeric=False),
            Column(name="rank"),
            Column(name="median PJE", unit="cm", better="↓"),
            Column(name="95% interval", unit="cm"),
            Column(name="P(best)"),
            Column(name="95% of ranks"),
            Column(name="difference", group="Behind the best", unit="cm"),
            Column(name="95% interval", group="Behind the best", unit="cm"),
            Column(name="p over poses", group="Behind the best"),
            Column(name="p over seeds", group="Behind the best"),
        ),
        sections=tuple(sections),
        caption=INTERVALS + " P(best): share of the draws in which the composition has the lowest "
        "error. p over poses: Wilcoxon's signed-rank test of the median errors per pose; p over "
        "seeds: Welch's t-test between seeds; both Holm-corrected over the compositions of an "
        "objective. The best was selected by the same numbers, so the p-values against it are too "
        "small; P(best) and the ranks include the selection. n/a: cannot be computed from these "
        "records.",
    )


def _row(position: int, ranked: RankedComposition) -> tuple[Entry, ...]:
    behind, rank = ranked.behind, ranked.rank
    p_best = ranks = Entry(text="n/a", absent=True)
    if rank:
        p_best = Entry(text=f"{rank.best:.2f}", value=rank.best)
        ranks = Entry(text=f"{rank.low} to {rank.high}", value=rank.low, high=rank.high)
    differences = (Entry(text="–", absent=True),) * 4
    if behind:
        differences = (
            signed(behind.value_cm),
            span(behind.interval),
            p_value(behind.p_poses),
            p_value(behind.p_seeds),
        )
    return (
        Entry(text=ranked.label),
        Entry(text=str(position), value=position),
        result(ranked.setting.summary("median_pje_cm"), "finished", best=behind is None),
        span(ranked.interval),
        p_best,
        ranks,
        *differences,
    )


def difference_table(
    pairs: Iterable[tuple[GridColumn, GridColumn, Sequence[Difference]]],
) -> Table:
    """First objective minus second, composition by composition."""
    sections = [
        Section(
            title=f"{first.title} minus {second.title}",
            rows=tuple(
                (
                    Entry(text=difference.label),
                    signed(difference.value_cm),
                    span(difference.interval),
                    p_value(difference.p_poses),
                    p_value(difference.p_seeds),
                )
                for difference in differences
            ),
        )
        for first, second, differences in pairs
    ]
    return Table(
        key="objective_differences",
        title="Differences between objectives, composition by composition",
        columns=(
            Column(name="Composition", numeric=False),
            Column(name="difference", unit="cm"),
            Column(name="95% interval", unit="cm"),
            Column(name="p over poses"),
            Column(name="p over seeds"),
        ),
        sections=tuple(sections),
        caption="Difference of the median errors; positive: the second objective has the lower "
        f"error. {INTERVALS} Tests as in the ranking, Holm-corrected over the compositions.",
    )


def _correlation(correlation: Correlation) -> tuple[Entry, Entry, Entry]:
    if correlation.value is None:
        unknown = Entry(text="n/a", absent=True)
        return unknown, unknown, unknown
    return (
        signed(correlation.value),
        span(correlation.interval),
        p_value(correlation.p),
    )


def agreement_table(agreements: Iterable[Agreement]) -> Table:
    """Rank correlation of our medians with the published ones."""
    rows = [
        [
            Entry(text=item.column.title),
            Entry(text=str(item.spearman.n), value=item.spearman.n),
            *_correlation(item.spearman),
            *_correlation(item.kendall),
        ]
        for item in agreements
    ]
    columns = [Column(name="Objective", numeric=False), Column(name="compositions")]
    for name in ("Spearman ρ", "Kendall τ-b"):
        columns += [
            Column(name="value", group=name),
            Column(name="95% interval", group=name),
            Column(name="p", group=name),
        ]
    return Table(
        key="agreement",
        title="Agreement with the published ranking",
        columns=tuple(columns),
        sections=one_section(rows),
        caption="Rank correlation between our median errors and those of table 5, over the "
        "finished compositions. p: two-sided permutation test (9,999 random orders, all orders up "
        "to 7 compositions). Intervals: 2,000 bootstrap draws of the compositions.",
    )
