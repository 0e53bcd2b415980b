"""Contrastive against relative: the winner under each form of the relative targets."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.baselines import unbeaten
from analysis.grid import Grid, GridColumn, Setting
from analysis.records import Metric
from analysis.statistics import Interval
from analysis.uncertainty import Contrast, Uncertainty, contrast, family
from handssl.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The lowest error of one column minus that of another.

    Attributes:
        difference_cm: Best minus best, means over seeds.
        interval: 95% interval for the two chosen compositions, simultaneous over all gaps and
            means of the page; None where it is unknown.
        held_out_cm: The difference when each seed's best is chosen by the other seeds, mean over
            seeds; None with one seed. It has no selection bias.
    """

    difference_cm: float
    interval: Interval | None
    held_out_cm: float | None

    @property
    def lower(self) -> int:
        """1 if the second is lower, -1 if the first is, 0 if that is uncertain.

        It is certain if the interval includes the spread between seeds and excludes zero, and the
        held-out difference has the same sign.
        """
        if self.interval is None or not self.interval.decides:
            return 0
        sign = 1 if self.interval.low > 0 else -1
        same = self.held_out_cm is None or self.held_out_cm * sign > 0
        return sign if same and self.difference_cm * sign > 0 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Relative minus contrastive, under one form of the relative targets.

    Attributes:
        columns: The relative and the contrastive column.
        targets: `"standardised"` or `"released"`.
        relative, contrastive: The best composition of each.
        best: Best against best; positive: contrastive has the lower error.
        mean_cm, mean_interval: Relative minus contrastive, mean over the shared compositions.
        unbeaten: Why the better of both is not shown to beat every baseline; "" if it is.
        wins, shared: Shared compositions, and those in which contrastive has the lower error.
    """

    columns: tuple[GridColumn, GridColumn]
    targets: str
    relative: str
    contrastive: str
    best: Gap
    mean_cm: float
    mean_interval: Interval | None
    wins: int
    shared: int
    unbeaten: str

    @property
    def study(self) -> str:
        """Name of the study of the relative column."""
        return self.columns[0].study.name

    @property
    def metric(self) -> Metric:
        """The metric that ranks."""
        return self.columns[0].metric

    @property
    def decided(self) -> str:
        """`"contrastive"`, `"relative"`, or "" if that is uncertain or a baseline is as good."""
        return "" if self.unbeaten else {1: "contrastive", -1: "relative", 0: ""}[self.best.lower]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Verdicts of both forms of the targets against the same contrastive column.

    Attributes:
        released, standardised: The verdicts.
        gap: Best of standardised minus best of released; negative: standardised is better.
    """

    released: Verdict
    standardised: Verdict
    gap: Gap


_Pair = tuple[GridColumn, GridColumn]


def verdicts(grid: Grid, uncertainty: Uncertainty) -> tuple[list[Verdict], list[Change]]:
    """Contrastive against relative, for every target form, within one data set and fidelity.

    And what changes between both forms of the targets against the same contrastive column. The
    intervals of all these differences are simultaneous.
    """
    pairs = _pairs(grid)
    groups: dict[tuple[str, str], dict[str, _Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair[1].key, {}).setdefault(_targets(pair[0]), pair)
    both = [forms for forms in groups.values() if {"released", "standardised"} <= forms.keys()]
    between = [(forms["standardised"][0], forms["released"][0]) for forms in both]
    spans = family(
        [_best(grid, uncertainty, pair) for pair in (*pairs, *between)]
        + [_mean(grid, uncertainty, pair) for pair in pairs]
    )
    gaps = [_gap(grid, *item) for item in zip((*pairs, *between), spans, strict=False)]
    means = spans[len(gaps) :]
    judged = [_verdict(grid, uncertainty, *item) for item in zip(pairs, gaps, means, strict=False)]
    of = {(verdict.columns[0].key, verdict.columns[1].key): verdict for verdict in judged}
    changes = []
    for forms, gap in zip(both, gaps[len(pairs) :], strict=True):
        released, standardised = (
            of[forms[name][0].key, forms[name][1].key] for name in ("released", "standardised")
        )
        changes.append(Change(released=released, standardised=standardised, gap=gap))
    return judged, changes


def _pairs(grid: Grid) -> list[_Pair]:
    """Each relative column with the contrastive one of its study, or of a comparable one."""
    pairs = []
    for relative in (column for column in grid.columns if column.base == "relative"):
        others = [
            column
            for column in grid.columns
            if column.variant == "contrastive"
            and column.study.comparable_key == relative.study.comparable_key
        ]
        others.sort(key=lambda column: column.study is not relative.study)
        if others and grid.best(relative) and grid.best(others[0]):
            pairs.append((relative, others[0]))
    return pairs


def _targets(relative: GridColumn) -> str:
    return [*relative.variant.split(":"), "standardised"][1]


def _chosen(grid: Grid, column: GridColumn) -> tuple[str, Setting]:
    best = grid.best(column)
    if best is None:
        raise DataError(f"column {column.title} must have finished runs")
    return best


def _best(grid: Grid, uncertainty: Uncertainty, pair: _Pair) -> Contrast | None:
    """Best of the first column minus best of the second."""
    first, second = (uncertainty.of(column, _chosen(grid, column)[0]) for column in pair)
    return contrast([(1, first), (-1, second)])


def _shared(grid: Grid, pair: _Pair) -> list[str]:
    first, second = map(grid.finished, pair)
    return [label for label in first if label in second]


def _mean(grid: Grid, uncertainty: Uncertainty, pair: _Pair) -> Contrast | None:
    """First minus second column, mean over the compositions of both."""
    shared = _shared(grid, pair)
    weights = zip(pair, (1 / max(1, len(shared)), -1 / max(1, len(shared))), strict=True)
    return contrast(
        [(weight, uncertainty.of(col, label)) for col, weight in weights for label in shared]
    )


def _verdict(
    grid: Grid, uncertainty: Uncertainty, pair: _Pair, gap: Gap, span: Interval | None
) -> Verdict:
    first, second = map(grid.finished, pair)
    better = pair[gap.difference_cm > 0]
    shared = _shared(grid, pair)
    total = sum(first[label].score - second[label].score for label in shared)
    return Verdict(
        columns=pair,
        targets=_targets(pair[0]),
        relative=_chosen(grid, pair[0])[0],
        contrastive=_chosen(grid, pair[1])[0],
        best=gap,
        mean_cm=total / max(1, len(shared)),
        mean_interval=span,
        wins=sum(second[label].score < first[label].score for label in shared),
        shared=len(shared),
        unbeaten=unbeaten(better.study, uncertainty.of(better, _chosen(grid, better)[0])),
    )


def _gap(grid: Grid, pair: _Pair, span: Interval | None) -> Gap:
    first, second = (_chosen(grid, column)[1].score for column in pair)
    a, b = (_held_out(grid.candidates(column)) for column in pair)
    return Gap(
        difference_cm=first - second,
        interval=span,
        held_out_cm=None if a is None or b is None else a - b,
    )


def _held_out(candidates: Mapping[str, Setting]) -> float | None:
    """Mean over seeds of the error of the composition that the other seeds rank best, cm."""
    errors = [setting.errors_cm for setting in candidates.values()]
    seeds = min(map(len, errors))
    if seeds < 2:
        return None
    table = np.array([values[:seeds] for values in errors])  # (compositions, seeds)
    others = (table.sum(axis=1, keepdims=True) - table) / (seeds - 1)  # mean of the other seeds
    chosen = others.argmin(axis=0)
    return float(table[chosen, np.arange(seeds)].mean())
