"""The report's chapters: tables, drawings and sentences from the cells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TypeVar

from analysis import figures, findings, tables
from analysis.comparison import agreement, compare_columns, rank_columns
from analysis.contribution import contribution
from analysis.efficiency import efficiencies
from analysis.figures import Drawing
from analysis.grid import Grid, GridColumn
from analysis.hypothesis import DIAGNOSTICS, diagnosed_settings, links
from analysis.lowshot import LowShot
from analysis.records import Study
from analysis.sampling import sampling
from analysis.tables import Table
from analysis.uncertainty import Uncertainty
from analysis.verdict import verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A part of the report.

    Attributes:
        key: Anchor.
        title: Heading.
        sentences: Findings.
        tables, drawings: The numbers.
        note: Text for a chapter without tables and drawings.
    """

    key: str
    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    note: str = ""


_Item = TypeVar("_Item")


def _present(items: Iterable[_Item | None]) -> tuple[_Item, ...]:
    return tuple(item for item in items if item is not None)


def chapters(
    grid: Grid,
    uncertainty: Uncertainty,
    studies: Sequence[Study],
    low_shot: LowShot,
    price_per_hour: float | None = None,
) -> tuple[Chapter, ...]:
    """All chapters, including those without runs.

    Where no composition has been searched, the downstream chapters come first.
    """
    metric = studies[0].metric
    rankings = rank_columns(grid, uncertainty)
    searched = (
        Chapter(
            key="best",
            title="The best compositions",
            sentences=(
                *findings.gate_sentences(uncertainty, rankings),
                *findings.best_sentences(grid, rankings),
            ),
            tables=(tables.best_table(grid), *tables.composition_tables(grid)),
            drawings=tuple(figures.composition_drawings(grid)),
        ),
        Chapter(
            key="ranking",
            title="Certainty of the ranking",
            tables=(tables.ranking_table({c.title: ranked for c, ranked in rankings}, metric),),
            drawings=_present(figures.ranking_drawing(*ranked) for ranked in rankings),
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
    downstream = (transfer, _low_shot(low_shot))
    return (*searched, *downstream) if grid.columns else (*downstream, *searched)


def _pairs(grid: Grid) -> list[tuple[GridColumn, GridColumn]]:
    """Columns to compare: forms of one objective, and each objective against contrastive.

    Columns of two studies on the same data and fidelity are compared only where the first study
    lacks the second variant.
    """
    pairs: list[tuple[GridColumn, GridColumn]] = []
    for first, second in permutations(grid.columns, 2):
        if (
            first.study.comparable_key != second.study.comparable_key
            or first.variant == second.variant
        ):
            continue
        variants = {column.variant for column in grid.columns if column.study is first.study}
        if first.study is not second.study and second.variant in variants:
            continue
        forms = first.base == second.base and (second, first) not in pairs
        if second.variant == "contrastive" or forms:
            pairs.append((first, second))
    return pairs


def _objectives(grid: Grid, uncertainty: Uncertainty) -> Chapter:
    pairs = _pairs(grid)
    differences = compare_columns(grid, uncertainty, pairs)
    compared = [(*pair, rows) for pair, rows in zip(pairs, differences, strict=True) if rows]
    return Chapter(
        key="objectives",
        title="Differences between objectives",
        tables=(tables.difference_table(compared, compared[0][0].metric),) if compared else (),
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
        note="Needs an objective with compositions; an assignment of objectives does not count.",
    )


def _contributions(grid: Grid, uncertainty: Uncertainty) -> Chapter:
    items = _present(contribution(grid, uncertainty, column) for column in grid.columns)
    pairs = [item for item in items if item.pairs]
    chapter_tables = [tables.shapley_table(items, items[0].column.metric)] if items else []
    chapter_tables += [tables.interaction_table(pairs, items[0].column.metric)] if pairs else []
    return Chapter(
        key="contributions",
        title="Contribution of each augmentation",
        sentences=tuple(findings.contribution_sentences(items)),
        tables=tuple(chapter_tables),
        drawings=tuple(map(figures.contribution_drawing, items)),
        note="Needs every non-empty subset of a set of augmentations under one objective. "
        "Compositions with assigned objectives do not count.",
    )


def _agreement(grid: Grid) -> Chapter:
    items = _present(agreement(grid, column) for column in grid.columns)
    return Chapter(
        key="agreement",
        title="Agreement with the published ranking",
        sentences=tuple(findings.agreement_sentences(items)),
        tables=(tables.agreement_table(items),) if items else (),
        drawings=_present(map(figures.agreement_drawing, items)),
        note="Needs one of the paper's objectives.",
    )


def _comparable(studies: Sequence[Study]) -> list[list[Study]]:
    """Groups of studies whose errors may be compared."""
    groups: dict[tuple[str, str], list[Study]] = {}
    for study in studies:
        groups.setdefault(study.comparable_key, []).append(study)
    return list(groups.values())


def _hypothesis(grid: Grid, uncertainty: Uncertainty, studies: Sequence[Study]) -> Chapter:
    metric = studies[0].metric
    linked, (judged, turned) = links(studies), verdicts(grid, uncertainty)
    chapter_tables = [tables.verdict_table(judged, metric)] if judged else []
    chapter_tables += [tables.link_table(linked, metric)] if linked else []
    sentences = findings.verdict_sentences(judged, turned)
    sentences += findings.link_sentences(linked)
    if not linked:
        sentences.append("No run has recorded diagnostics of the features yet.")
    return Chapter(
        key="hypothesis",
        title="The hypothesis: equivariance helps, invariance hurts",
        sentences=tuple(sentences),
        tables=tuple(chapter_tables),
        drawings=_present(
            figures.scatter_drawing(
                {name: diagnosed_settings(group, name) for name in DIAGNOSTICS}, position
            )
            for position, group in enumerate(_comparable(studies))
        ),
    )


def _search(studies: Sequence[Study], price_per_hour: float | None) -> Chapter:
    metric = studies[0].metric
    searches = [item for item in efficiencies(studies) if item.steps]
    sampled = _present(map(sampling, studies))
    chapter_tables = (
        [tables.efficiency_table(searches, price_per_hour, metric)] if searches else []
    )
    chapter_tables += [tables.importance_table(sampled, metric)] if sampled else []
    drawings = [
        figures.efficiency_drawing([item for item in searches if item.study in group], position)
        for position, group in enumerate(_comparable(studies))
    ]
    return Chapter(
        key="search",
        title="The search",
        tables=tuple(chapter_tables),
        drawings=_present([*drawings, *map(figures.dependence_drawing, sampled)]),
        note="Needs a record of the search.",
    )


def _low_shot(results: LowShot) -> Chapter:
    chapter_tables = [tables.low_shot_table(results)] if results.curves else []
    chapter_tables += [tables.margin_table(results)] if results.margins else []
    return Chapter(
        key="lowshot",
        title="With few labels",
        sentences=tuple(findings.low_shot_sentences(results.margins)),
        tables=tuple(chapter_tables),
        drawings=tuple(figures.low_shot_drawings(results)),
        note="Needs runs with several shares of the labels: `python search/run_transfer.py "
        "study=lowshot`.",
    )
