"""Contrastive against relative, and whether the form of the relative targets turns the verdict."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.errors import RecordsError
from analysis.grid import RANKED_BY, Column, Grid, Setting
from analysis.notation import objective_base
from analysis.statistics import Interval, interval
from analysis.uncertainty import Uncertainty, common_cover


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The lowest median error of one column minus that of another.

    Attributes:
        difference_cm: Best minus best, means over seeds.
        interval: Its 95% interval, the choice of both taken as given; None where it cannot be
            known.
        covers: What the interval covers on both sides, as in ``"poses and seeds"``.
        held_out_cm: The same with each side's best chosen by the other seeds, the mean over them;
            None with one seed. The best of many is chosen for its luck too, this one is not.
    """

    difference_cm: float
    interval: Interval | None
    covers: str
    held_out_cm: float | None

    @property
    def lower(self) -> int:
        """1 where the second is lower, -1 where the first is, 0 where that is not certain.

        Certain: the interval excludes zero, the spread between seeds is in it, and chosen by the
        other seeds the sign is the same.
        """
        if self.interval is None or not self.interval.excludes_zero or "seeds" not in self.covers:
            return 0
        sign = 1 if self.interval.low > 0 else -1
        same = self.held_out_cm is None or self.held_out_cm * sign > 0
        return sign if same and self.difference_cm * sign > 0 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Relative minus contrastive, under one form of the relative targets.

    Attributes:
        columns: The relative and the contrastive column.
        targets: ``"standardised"`` or ``"released"``.
        relative, contrastive: The best composition of each.
        best: Best against best; positive: contrastive has the lower error.
        mean_cm, mean_interval: Relative minus contrastive, mean over the shared compositions.
        wins, shared: In how many of the shared compositions contrastive has the lower error.
    """

    columns: tuple[Column, Column]
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
        """Name of the relative column's study."""
        return self.columns[0].study.name

    @property
    def decided(self) -> str:
        """``"contrastive"``, ``"relative"``, or "" where that is not certain."""
        return {1: "contrastive", -1: "relative", 0: ""}[self.best.lower]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Both forms of the targets against the same contrastive column.

    Attributes:
        released, standardised: The verdicts.
        gap: Best of standardised minus best of released; negative: standardised is better.
    """

    released: Verdict
    standardised: Verdict
    gap: Gap


def verdicts(grid: Grid, uncertainty: Uncertainty) -> list[Verdict]:
    """Contrastive against relative, for every target form, within one data set and fidelity."""
    found = []
    for relative in grid.columns:
        if objective_base(relative.variant) != "relative":
            continue
        others = [
            column
            for column in grid.columns
            if column.variant == "contrastive" and column.study.family == relative.study.family
        ]
        others.sort(key=lambda column: column.study is not relative.study)
        verdict = _verdict(grid, uncertainty, relative, others[0]) if others else None
        if verdict is not None:
            found.append(verdict)
    return found


def changes(grid: Grid, uncertainty: Uncertainty, found: Iterable[Verdict]) -> list[Change]:
    """Every pair of both target forms that were judged against the same contrastive column."""
    groups: dict[tuple[str, str], dict[str, Verdict]] = {}
    for verdict in found:
        groups.setdefault(verdict.columns[1].key, {}).setdefault(verdict.targets, verdict)
    return [
        Change(
            released=forms["released"],
            standardised=forms["standardised"],
            gap=_gap(
                grid,
                uncertainty,
                (forms["standardised"].columns[0], forms["released"].columns[0]),
            ),
        )
        for forms in groups.values()
        if {"released", "standardised"} <= forms.keys()
    ]


def _verdict(
    grid: Grid, uncertainty: Uncertainty, relative: Column, contrastive: Column
) -> Verdict | None:
    ours, theirs = grid.best(relative), grid.best(contrastive)
    if ours is None or theirs is None:
        return None
    first, second = grid.finished(relative), grid.finished(contrastive)
    shared = [label for label in first if label in second]
    pairs = [(uncertainty.of(relative, own), uncertainty.of(contrastive, own)) for own in shared]
    gaps = [x.median_cm - y.median_cm for x, y in pairs if x is not None and y is not None]
    complete = bool(gaps) and len(gaps) == len(shared)
    total = sum(first[label].score - second[label].score for label in shared)
    return Verdict(
        columns=(relative, contrastive),
        targets=[*relative.variant.split(":"), "standardised"][1],
        relative=ours[0],
        contrastive=theirs[0],
        best=_gap(grid, uncertainty, (relative, contrastive)),
        mean_cm=total / max(1, len(shared)),
        mean_interval=interval(np.mean(gaps, axis=0)) if complete else None,
        wins=sum(second[label].score < first[label].score for label in shared),
        shared=len(shared),
    )


def _gap(grid: Grid, uncertainty: Uncertainty, columns: tuple[Column, Column]) -> Gap:
    (first, ours), (second, theirs) = (_best(grid, column) for column in columns)
    a, b = uncertainty.of(columns[0], first), uncertainty.of(columns[1], second)
    held_out = [_held_out(grid.competing(column)) for column in columns]
    return Gap(
        difference_cm=ours.score - theirs.score,
        interval=interval(a.median_cm - b.median_cm) if a and b else None,
        covers=common_cover([a, b]),
        held_out_cm=None
        if held_out[0] is None or held_out[1] is None
        else held_out[0] - held_out[1],
    )


def _best(grid: Grid, column: Column) -> tuple[str, Setting]:
    best = grid.best(column)
    if best is None:
        raise RecordsError(f"column {column.title} must have a finished run, but got none")
    return best


def _held_out(entrants: Mapping[str, Setting]) -> float | None:
    """Mean over seeds of the error there of what is the best by the other seeds, cm."""
    seeds = [
        [r.metrics[RANKED_BY] for r in own.records if RANKED_BY in r.metrics]
        for own in entrants.values()
    ]
    least = min(len(own) for own in seeds)
    if least < 2:
        return None
    table = np.array([own[:least] for own in seeds])
    left = (table.sum(axis=1, keepdims=True) - table) / (least - 1)
    chosen = left.argmin(axis=0)
    return float(table[chosen, np.arange(least)].mean())
