"""The report's chapters: from cells to tables, drawings and sentences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

from analysis import figures, findings, tables
from analysis.comparison import agreement, compare_columns, rank_column
from analysis.contribution import contribution
from analysis.efficiency import progress
from analysis.figures import Drawing
from analysis.grid import Column, Grid
from analysis.hypothesis import DIAGNOSTICS, links, points
from analysis.lowshot import LowShot
from analysis.notation import objective_base
from analysis.records import Study
from analysis.sampling import sampling
from analysis.tables import Table
from analysis.uncertainty import Uncertainty
from analysis.verdict import changes, verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A part of the report.

    Attributes:
        key: Anchor.
        title: Heading.
        sentences: What the numbers say.
        tables, drawings: The numbers.
        note: What is said where there is nothing to show.
    """

    key: str
    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    note: str = ""


def _present(found: Iterable[Drawing | None]) -> tuple[Drawing, ...]:
    return tuple(drawing for drawing in found if drawing is not None)


def chapters(
    grid: Grid,
    uncertainty: Uncertainty,
    studies: Sequence[Study],
    few: LowShot,
    price_per_hour: float | None = None,
) -> tuple[Chapter, ...]:
    """All chapters, those of which nothing has been run yet included.

    Where no composition has been searched, what was run downstream comes first.
    """
    ranking = [(column, rank_column(grid, uncertainty, column)) for column in grid.columns]
    searched = (
        Chapter(
            key="best",
            title="The best compositions",
            sentences=tuple(findings.best_sentences(grid, ranking)),
            tables=(tables.best_table(grid), *tables.composition_tables(grid)),
            drawings=tuple(figures.composition_drawings(grid)),
        ),
        Chapter(
            key="ranking",
            title="How certain the ranking is",
            tables=(tables.ranking_table({c.title: ranked for c, ranked in ranking}),),
            drawings=_present(
                figures.ranking_drawing(column, ranked, position)
                for position, (column, ranked) in enumerate(ranking)
            ),
        ),
        _objectives(grid, uncertainty),
        _single(grid),
        _contributions(grid, uncertainty),
        _agreement(grid),
        _hypothesis(grid, uncertainty, studies),
        _search(studies, price_per_hour),
    )
    transfer = Chapter(
        key="transfer",
        title="Across data sets, and against supervised training",
        tables=tables.transfer_tables(studies),
    )
    downstream = (transfer, _low_shot(few))
    return (*searched, *downstream) if grid.columns else (*downstream, *searched)


def _pairs(grid: Grid) -> list[tuple[Column, Column]]:
    """Columns worth comparing: forms of one objective, and each against contrastive.

    Within a study; across studies on the same data and fidelity only where the study itself lacks
    the other side.
    """
    found = []
    for first, second in permutations(grid.columns, 2):
        if first.study.family != second.study.family or first.variant == second.variant:
            continue
        own = {column.variant for column in grid.columns if column.study is first.study}
        if first.study is not second.study and second.variant in own:
            continue
        forms = objective_base(first.variant) == objective_base(second.variant)
        if second.variant == "contrastive" or (forms and (second, first) not in found):
            found.append((first, second))
    return found


def _objectives(grid: Grid, uncertainty: Uncertainty) -> Chapter:
    pairs = [(a, b, compare_columns(grid, uncertainty, a, b)) for a, b in _pairs(grid)]
    compared = [item for item in pairs if item[2]]
    return Chapter(
        key="objectives",
        title="Objective against objective",
        tables=(tables.difference_table(compared),) if compared else (),
        drawings=_present(figures.difference_drawing(*item) for item in compared),
        note="Needs two objectives on the same data at the same fidelity.",
    )


def _single(grid: Grid) -> Chapter:
    only_assigned = grid.columns and not grid.plain
    return Chapter(
        key="single",
        title="Each augmentation alone",
        tables=() if only_assigned else (tables.ablation_table(grid),),
        drawings=tuple(figures.ablation_drawings(grid)),
        note="Needs an objective of which compositions were run; an assignment is none.",
    )


def _contributions(grid: Grid, uncertainty: Uncertainty) -> Chapter:
    found = [
        item
        for column in grid.columns
        if (item := contribution(grid, uncertainty, column)) is not None
    ]
    shown = [tables.shapley_table(found)] if found else []
    if pairs := [item for item in found if item.pairs]:
        shown.append(tables.interaction_table(pairs))
    return Chapter(
        key="contributions",
        title="What each augmentation contributes",
        sentences=tuple(findings.contribution_sentences(found)),
        tables=tuple(shown),
        drawings=tuple(
            figures.contribution_drawing(item, grid.columns.index(item.column)) for item in found
        ),
        note="Needs every non-empty subset of a set of augmentations under one objective; a "
        "composition that assigns an objective to each augmentation is not such a subset.",
    )


def _agreement(grid: Grid) -> Chapter:
    found = [item for column in grid.columns if (item := agreement(grid, column)) is not None]
    return Chapter(
        key="agreement",
        title="Agreement with the published ranking",
        sentences=tuple(findings.agreement_sentences(found)),
        tables=(tables.agreement_table(found),) if found else (),
        drawings=_present(
            figures.agreement_drawing(grid, item, grid.columns.index(item.column))
            for item in found
        ),
        note="Needs one of the study's own objectives.",
    )


def _families(studies: Sequence[Study]) -> list[list[Study]]:
    """Studies whose errors may be compared, together."""
    found: dict[tuple[str, str], list[Study]] = {}
    for study in studies:
        found.setdefault(study.family, []).append(study)
    return list(found.values())


def _hypothesis(grid: Grid, uncertainty: Uncertainty, studies: Sequence[Study]) -> Chapter:
    linked, judged = links(studies), verdicts(grid, uncertainty)
    shown = []
    if judged:
        shown.append(tables.verdict_table(judged))
    if linked:
        shown.append(tables.link_table(linked))
    turned = changes(grid, uncertainty, judged)
    sentences = [*findings.verdict_sentences(judged, turned), *findings.link_sentences(linked)]
    if not linked:
        sentences.append("No run has recorded the features' diagnostics yet.")
    return Chapter(
        key="hypothesis",
        title="The hypothesis: equivariance helps, invariance hurts",
        sentences=tuple(sentences),
        tables=tuple(shown),
        drawings=_present(
            figures.scatter_drawing({name: points(own, name) for name in DIAGNOSTICS}, position)
            for position, own in enumerate(_families(studies))
        ),
    )


def _search(studies: Sequence[Study], price_per_hour: float | None) -> Chapter:
    found = [item for item in progress(studies) if item.steps]
    sampled = [item for study in studies if (item := sampling(study)) is not None]
    shown = [tables.efficiency_table(found, price_per_hour)] if found else []
    searched = [
        figures.efficiency_drawing([item for item in found if item.study in own], position)
        for position, own in enumerate(_families(studies))
    ]
    if sampled:
        shown.append(tables.importance_table(sampled))
    return Chapter(
        key="search",
        title="The search itself",
        tables=tuple(shown),
        drawings=_present([*searched, *map(figures.dependence_drawing, sampled)]),
        note="Needs a record of the search.",
    )


def _low_shot(found: LowShot) -> Chapter:
    shown = [tables.low_shot_table(found)] if found.curves else []
    shown += [tables.margin_table(found)] if found.margins else []
    return Chapter(
        key="lowshot",
        title="With few labels",
        sentences=tuple(findings.low_shot_sentences(found.margins)),
        tables=tuple(shown),
        drawings=tuple(figures.low_shot_drawings(found)),
        note="Needs runs with several shares of the labels: `python search/run_transfer.py "
        "study=lowshot`.",
    )
