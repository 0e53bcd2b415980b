"""Contrastive against relative: the winner under each form of the relative targets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.grid import Grid, GridColumn, Setting
from analysis.records import Metric
from analysis.statistics import Interval, interval
from analysis.uncertainty import Uncertainty, interval_between
from handssl.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The lowest error of one column minus that of another.

    Attributes:
        difference_cm: Best minus best, means over seeds.
        interval: 95% interval for the two chosen compositions; None where it is unknown.
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
        """`"contrastive"`, `"relative"`, or "" where that is uncertain."""
        return {1: "contrastive", -1: "relative", 0: ""}[self.best.lower]


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


def verdicts(grid: Grid, uncertainty: Uncertainty) -> list[Verdict]:
    """Contrastive against relative, for every target form, within one data set and fidelity."""
    result = []
    for relative in (column for column in grid.columns if column.base == "relative"):
        others = [
            column
            for column in grid.columns
            if column.variant == "contrastive"
            and column.study.comparable_key == relative.study.comparable_key
        ]
        others.sort(key=lambda column: column.study is not relative.study)
        if others and (verdict := _verdict(grid, uncertainty, relative, others[0])):
            result.append(verdict)
    return result


def changes(grid: Grid, uncertainty: Uncertainty, verdicts: Iterable[Verdict]) -> list[Change]:
    """Every pair of both target forms with the same contrastive column."""
    groups: dict[tuple[str, str], dict[str, Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict.columns[1].key, {}).setdefault(verdict.targets, verdict)
    result = []
    for forms in groups.values():
        if {"released", "standardised"} <= forms.keys():
            released, standardised = forms["released"], forms["standardised"]
            gap = _gap(grid, uncertainty, standardised.columns[0], released.columns[0])
            result.append(Change(released=released, standardised=standardised, gap=gap))
    return result


def _verdict(
    grid: Grid, uncertainty: Uncertainty, relative: GridColumn, contrastive: GridColumn
) -> Verdict | None:
    ours, theirs = grid.best(relative), grid.best(contrastive)
    if ours is None or theirs is None:
        return None
    first, second = grid.finished(relative), grid.finished(contrastive)
    shared = [label for label in first if label in second]
    both = (relative, contrastive)
    pairs = [[uncertainty.of(column, label) for column in both] for label in shared]
    gaps = [x.median_cm - y.median_cm for x, y in pairs if x is not None and y is not None]
    complete = bool(gaps) and len(gaps) == len(shared)
    total = sum(first[label].score - second[label].score for label in shared)
    return Verdict(
        columns=both,
        targets=[*relative.variant.split(":"), "standardised"][1],
        relative=ours[0],
        contrastive=theirs[0],
        best=_gap(grid, uncertainty, relative, contrastive),
        mean_cm=total / max(1, len(shared)),
        mean_interval=interval(np.mean(gaps, axis=0)) if complete else None,
        wins=sum(second[label].score < first[label].score for label in shared),
        shared=len(shared),
    )


def _gap(grid: Grid, uncertainty: Uncertainty, first: GridColumn, second: GridColumn) -> Gap:
    ours, theirs = grid.best(first), grid.best(second)
    if ours is None or theirs is None:
        raise DataError(f"columns {first.title} and {second.title} must have finished runs")
    a, b = (_held_out(grid.candidates(column)) for column in (first, second))
    return Gap(
        difference_cm=ours[1].score - theirs[1].score,
        interval=interval_between(
            uncertainty.of(first, ours[0]), uncertainty.of(second, theirs[0])
        ),
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
