"""Rankings with their uncertainty, differences between objectives, published agreement."""

from collections.abc import Iterable, Mapping, Sequence

from analysis.comparison import Agreement, Difference, Standing
from analysis.grid import Column
from analysis.statistics import Correlation
from analysis.tables import model
from analysis.tables.model import Entry, Section, Table, one_section, p_value, result, signed, span

INTERVALS = (
    "95% intervals: validation poses are drawn with replacement, the same draws for every "
    "composition; the spread between seeds, pooled over the compositions of an objective, is "
    "added. Where no composition of an objective was repeated, they cover poses alone. A test "
    "over poses speaks about these trained encoders, one over seeds about the composition."
)


def ranking_table(standings: Mapping[str, Sequence[Standing]]) -> Table:
    """Every column's compositions, best first; `standings` is by column title."""
    sections = [
        Section(
            title=title if ranked else f"{title}: nothing has finished yet",
            rows=tuple(_standing(i, s) for i, s in enumerate(ranked, start=1)),
        )
        for title, ranked in standings.items()
    ]
    return Table(
        key="ranking",
        title="Ranking of the compositions, with its uncertainty",
        columns=(
            model.Column(name="Composition", numeric=False),
            model.Column(name="rank"),
            model.Column(name="median PJE", unit="cm", better="↓"),
            model.Column(name="95% interval", unit="cm"),
            model.Column(name="P(best)"),
            model.Column(name="95% of ranks"),
            model.Column(name="difference", group="Behind the best", unit="cm"),
            model.Column(name="95% interval", group="Behind the best", unit="cm"),
            model.Column(name="p over poses", group="Behind the best"),
            model.Column(name="p over seeds", group="Behind the best"),
        ),
        sections=tuple(sections),
        caption=INTERVALS + " P(best): share of the draws in which the composition has the lowest "
        "error. p over poses: Wilcoxon's signed-rank test of the median errors per pose; p over "
        "seeds: Welch's t-test between seeds; both Holm-corrected over the compositions of an "
        "objective. The best was chosen by these very numbers, so the p-values against it are too "
        "small; P(best) and the ranks allow for the choice. n/a: cannot be known from these "
        "records.",
    )


def _standing(position: int, standing: Standing) -> tuple[Entry, ...]:
    behind = standing.behind
    rank = standing.rank
    unknown = Entry(text="n/a", absent=True)
    return (
        Entry(text=standing.label),
        Entry(text=str(position), value=position),
        result(standing.setting.summary("median_pje_cm"), "finished", best=behind is None),
        span(standing.interval),
        Entry(text=f"{rank.best:.2f}", value=rank.best) if rank else unknown,
        Entry(text=f"{rank.low} to {rank.high}", value=rank.low, high=rank.high)
        if rank
        else unknown,
        Entry(text="–", absent=True) if behind is None else signed(behind.value_cm),
        span(behind.interval) if behind else Entry(text="–", absent=True),
        p_value(behind.p_poses) if behind else Entry(text="–", absent=True),
        p_value(behind.p_seeds) if behind else Entry(text="–", absent=True),
    )


def difference_table(pairs: Iterable[tuple[Column, Column, Sequence[Difference]]]) -> Table:
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
            model.Column(name="Composition", numeric=False),
            model.Column(name="difference", unit="cm"),
            model.Column(name="95% interval", unit="cm"),
            model.Column(name="p over poses"),
            model.Column(name="p over seeds"),
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
    columns = [model.Column(name="Objective", numeric=False), model.Column(name="compositions")]
    for name in ("Spearman ρ", "Kendall τ-b"):
        columns += [
            model.Column(name="value", group=name),
            model.Column(name="95% interval", group=name),
            model.Column(name="p", group=name),
        ]
    return Table(
        key="agreement",
        title="Agreement with the published ranking",
        columns=tuple(columns),
        sections=one_section(rows),
        caption="Rank correlation between our median errors and those of table 5, over the "
        "compositions that have finished. p: two-sided permutation test (9,999 random orders, all "
        "orders up to 7 compositions). Intervals: 2,000 bootstrap draws of the compositions.",
    )
