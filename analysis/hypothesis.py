"""The hypothesis: do features that are equivariant help the probe, and does invariance hurt it?"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from analysis.grid import RANKED_BY, Column, Grid, is_transfer
from analysis.notation import objective_base
from analysis.records import Record
from analysis.statistics import Correlation, Interval, interval, spearman
from analysis.uncertainty import Uncertainty

__all__ = ["DIAGNOSTICS", "Link", "Point", "Verdict", "links", "points", "verdicts"]

GEOMETRIC = ("translate", "scale", "rotate", "crop")
DIAGNOSTICS = ("equivariance", "invariance")
_SEED = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One finished run with diagnostics.

    Attributes:
        record: The run.
        title: Objective variant, for colours.
        x: Mean of the diagnostic over the geometric augmentations that the record holds.
        error_cm: The probe's median error.
    """

    record: Record = field(repr=False)
    title: str
    x: float
    error_cm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A diagnostic against the error.

    Attributes:
        diagnostic: ``"equivariance"`` or ``"invariance"``.
        scope: ``"all runs"`` or an objective variant.
        correlation: Spearman's, over runs.
    """

    diagnostic: str
    scope: str
    correlation: Correlation


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Best relative minus best contrastive, under one form of the relative targets.

    Attributes:
        study: The study's name.
        targets: ``"standardised"`` or ``"released"``.
        relative, contrastive: The best composition of each.
        difference_cm: Relative minus contrastive, median error; positive: contrastive wins.
        interval: Its 95% interval, None where it cannot be known.
        covers: What the interval covers.
        mean_cm, mean_interval: Relative minus contrastive, mean over the shared compositions.
        wins, shared: In how many of the shared compositions contrastive has the lower error.
    """

    study: str
    targets: str
    relative: str
    contrastive: str
    difference_cm: float
    interval: Interval | None
    covers: str
    mean_cm: float
    mean_interval: Interval | None
    wins: int
    shared: int

    @property
    def decided(self) -> str:
        """``"contrastive"``, ``"relative"``, or "" where the interval includes zero or is none."""
        if self.interval is None or not self.interval.excludes_zero:
            return ""
        return "contrastive" if self.interval.low > 0 else "relative"


def points(records: Iterable[Record], diagnostic: str) -> list[Point]:
    """Runs that hold the diagnostic for at least one geometric augmentation."""
    found = []
    for record in records:
        names = (f"{diagnostic}/{name}" for name in GEOMETRIC)
        values = [record.metrics[name] for name in names if name in record.metrics]
        error = record.metrics.get(RANKED_BY)
        if (
            record.status == "finished"
            and values
            and error is not None
            and not is_transfer(record)
        ):
            x = float(np.mean(values))
            found.append(Point(record=record, title=record.variant, x=x, error_cm=error))
    return found


def links(records: Iterable[Record]) -> list[Link]:
    """Correlation of each diagnostic with the error, over all runs and within each objective."""
    everything = list(records)
    found = []
    for diagnostic in DIAGNOSTICS:
        cloud = points(everything, diagnostic)
        scopes = {"all runs": cloud}
        for point in cloud:
            scopes.setdefault(point.title, []).append(point)
        for scope, members in scopes.items():
            correlation = spearman(
                [point.x for point in members],
                [point.error_cm for point in members],
                np.random.default_rng(_SEED),
            )
            found.append(Link(diagnostic=diagnostic, scope=scope, correlation=correlation))
    return [link for link in found if link.correlation.n >= 3]


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


def _verdict(
    grid: Grid, uncertainty: Uncertainty, relative: Column, contrastive: Column
) -> Verdict | None:
    ours, theirs = grid.best(relative), grid.best(contrastive)
    if ours is None or theirs is None:
        return None
    a, b = uncertainty.of(relative, ours[0]), uncertainty.of(contrastive, theirs[0])
    first, second = grid.finished(relative), grid.finished(contrastive)
    shared = [label for label in first if label in second]
    gaps = []
    for label in shared:
        x, y = uncertainty.of(relative, label), uncertainty.of(contrastive, label)
        if x is not None and y is not None:
            gaps.append(x.median_cm - y.median_cm)
    complete = bool(gaps) and len(gaps) == len(shared)
    total = sum(first[label].score - second[label].score for label in shared)
    return Verdict(
        study=relative.study.name,
        targets=[*relative.variant.split(":"), "standardised"][1],
        relative=ours[0],
        contrastive=theirs[0],
        difference_cm=ours[1].score - theirs[1].score,
        interval=interval(a.median_cm - b.median_cm) if a and b else None,
        covers=a.covers if a else "",
        mean_cm=total / max(1, len(shared)),
        mean_interval=interval(np.mean(gaps, axis=0)) if complete else None,
        wins=sum(second[label].score < first[label].score for label in shared),
        shared=len(shared),
    )
