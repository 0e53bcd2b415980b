"""Bootstrap of poses and seeds: joint draws of the median error of every cell."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from analysis.grid import Grid, GridColumn
from analysis.joint_errors import JointErrors
from analysis.records import Problem, Record, Study
from analysis.statistics import (
    FloatArray,
    IntArray,
    Interval,
    interval,
    pooled_spread,
    pose_counts,
    pose_medians,
)

DRAWS = 1000
SEED = 20260101
CellKey = tuple[tuple[str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Bootstrap draws of a median error, or of a difference of two.

    Attributes:
        median_cm: (DRAWS,) the median error.
        per_pose_cm: (poses,) median error of each pose, mean over seeds; None where unknown.
        poses: Names of the poses; cells with equal names share their draws of poses.
        sources: Sources of variation: `"poses and seeds"`, `"poses"` or `"seeds"`.
    """

    median_cm: FloatArray
    per_pose_cm: FloatArray | None = None
    poses: tuple[str, ...] = ()
    sources: str

    @property
    def interval(self) -> Interval:
        """95% interval."""
        return interval(self.median_cm, self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """Draws of all cells that allow any.

    Attributes:
        cells: (column key, label) to draws.
        problems: Study name to the error files that could not be used.
    """

    cells: Mapping[CellKey, Draws] = field(repr=False)
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)

    def of(self, column: GridColumn, label: str) -> Draws | None:
        """Draws of a cell."""
        return self.cells.get((column.key, label))


class PoseBootstrap:
    """Draws of poses with replacement; runs on equal sets of poses share their draws."""

    def __init__(self) -> None:
        self._files: dict[str, JointErrors] = {}
        self._counts: dict[tuple[str, ...], IntArray] = {}

    @property
    def problems(self) -> dict[str, tuple[Problem, ...]]:
        """Study name to the error files that could not be used."""
        return {name: tuple(files.problems) for name, files in self._files.items()}

    def draws(self, study: Study, records: Sequence[Record]) -> Draws | None:
        """Draws over poses of the mean over seeds; None without usable errors of every seed."""
        per_seed, per_pose, poses = [], [], None
        files = self._files.setdefault(study.name, JointErrors(study))
        for record in records:
            errors = files.of(record)
            if errors is None or (poses is not None and errors.poses != poses):
                return None
            poses = errors.poses
            if poses not in self._counts:
                generator = np.random.default_rng(SEED)
                self._counts[poses] = pose_counts(len(poses), DRAWS, generator)
            per_seed.append(pose_medians(errors, self._counts[poses]))
            per_pose.append(errors.median_per_pose())
        if poses is None or not np.isfinite(per_seed).all():
            return None
        return Draws(
            median_cm=np.mean(per_seed, axis=0),  # (seeds, DRAWS) -> (DRAWS,)
            per_pose_cm=np.mean(per_pose, axis=0),  # (seeds, poses) -> (poses,)
            poses=poses,
            sources="poses",
        )


def with_seeds(draws: Draws | None, mean_cm: float, shift_cm: FloatArray) -> Draws:
    """Add the spread between seeds to draws over poses.

    Args:
        draws: Draws over poses; None where there are none, so that seeds alone vary.
        mean_cm: The mean over seeds.
        shift_cm: (DRAWS,) draws of the deviation of that mean.
    """
    if draws is None:
        return Draws(median_cm=np.full(DRAWS, mean_cm) + shift_cm, sources="seeds")
    return replace(draws, median_cm=draws.median_cm + shift_cm, sources="poses and seeds")


def common_sources(draws: Iterable[Draws | None]) -> str:
    """Sources of variation that all draws share, "" for none or where draws are missing."""
    parts = [set(d.sources.split(" and ")) if d else set() for d in draws]
    return " and ".join(sorted(set.intersection(*parts))) if parts else ""


def interval_between(first: Draws | None, second: Draws | None) -> Interval | None:
    """95% interval of first minus second, draw by draw; None where either has no draws."""
    if first is None or second is None:
        return None
    return interval(first.median_cm - second.median_cm, common_sources([first, second]))


def estimate(grid: Grid) -> Uncertainty:
    """Draws of every finished cell: poses from its errors, seeds from the objective's spread.

    The spread between seeds is pooled over the compositions of a column, so a composition that was
    run once is as uncertain as the repeated ones. Without any repeat in a column, its draws vary
    poses alone.
    """
    bootstrap = PoseBootstrap()
    generator = np.random.default_rng(SEED)
    cells: dict[CellKey, Draws] = {}
    for column in grid.columns:
        finished = grid.finished(column)
        seeds = {label: setting.errors_cm for label, setting in finished.items()}
        spread = pooled_spread(seeds.values())
        scales = None if spread is None else spread.scales(DRAWS, generator)
        for label, setting in finished.items():
            draws = bootstrap.draws(column.study, setting.records)
            if scales is not None:
                shift = scales * generator.standard_normal(DRAWS) / np.sqrt(len(seeds[label]))
                draws = with_seeds(draws, setting.score, shift)
                # A distance is not negative.
                draws = replace(draws, median_cm=np.maximum(draws.median_cm, 0))
            if draws is not None:
                cells[column.key, label] = draws
    return Uncertainty(cells=cells, problems=bootstrap.problems)
