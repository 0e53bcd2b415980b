"""Bootstrap of poses and seeds: joint draws of the median error of every cell."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from analysis.grid import Grid, GridColumn
from analysis.joint_errors import JointErrors
from analysis.records import Problem, Record, Study
from analysis.statistics import (
    FloatArray,
    IntArray,
    Interval,
    SeedDraws,
    difference_shift,
    interval,
    pose_counts,
    pose_medians,
    row_spreads,
    seed_draws,
    simultaneous,
)

POSE_DRAWS = 1000
DRAWS = 4000  # of poses, used again, and seeds
SEED = 20260101
CellKey = tuple[tuple[str, str], str]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Bootstrap draws of the median error of a row.

    Attributes:
        mean_cm: The median error, mean over seeds.
        over_poses_cm: (DRAWS,) that mean under draws of the poses; None without errors per pose.
        seeds: Draws of its relative deviation by other seeds; None where their spread is unknown.
        per_pose_cm: (poses,) median error of each pose, mean over seeds; None where unknown.
        poses: Names of the poses; rows with equal names share their draws of poses.
    """

    mean_cm: float
    over_poses_cm: FloatArray | None = None
    seeds: SeedDraws | None = None
    per_pose_cm: FloatArray | None = None
    poses: tuple[str, ...] = ()

    @property
    def sources(self) -> str:
        """Sources of variation: `"poses and seeds"`, `"poses"` or `"seeds"`."""
        known = {"poses": self.over_poses_cm, "seeds": self.seeds}
        return " and ".join(name for name, draws in known.items() if draws is not None)

    @property
    def median_cm(self) -> FloatArray:
        """(DRAWS,) draws of the median error; seeds multiply it, so none is below zero."""
        over_poses = np.full(DRAWS, self.mean_cm)
        if self.over_poses_cm is not None:
            over_poses = self.over_poses_cm
        return over_poses if self.seeds is None else over_poses * np.exp(self.seeds.shift)

    @property
    def interval(self) -> Interval:
        """95% interval."""
        return interval(self.median_cm, self.sources)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrast:
    """(DRAWS,) joint draws of a difference, cm, and the sources of variation in them."""

    draws_cm: FloatArray
    sources: str


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
                self._counts[poses] = pose_counts(len(poses), POSE_DRAWS, generator)
            per_seed.append(pose_medians(errors, self._counts[poses]))
            per_pose.append(errors.median_per_pose())
        if poses is None or not np.isfinite(per_seed).all():
            return None
        return Draws(
            mean_cm=float(np.mean(per_seed)),
            over_poses_cm=np.resize(np.mean(per_seed, axis=0), DRAWS),  # over and over
            per_pose_cm=np.mean(per_pose, axis=0),  # (seeds, poses) -> (poses,)
            poses=poses,
        )


def common_sources(draws: Iterable[Draws | None]) -> str:
    """Sources of variation that all draws share, "" for none or where draws are missing."""
    parts = [set(d.sources.split(" and ")) if d else set() for d in draws]
    return " and ".join(sorted(set.intersection(*parts))) if parts else ""


def contrast(terms: Sequence[tuple[float, Draws | None]]) -> Contrast | None:
    """Draws of Σ weight · median error; None where the rows share no source of variation.

    Only sources that all rows have vary: one row without a known spread between seeds leaves the
    difference over poses alone.
    """
    sources = common_sources(draws for _, draws in terms)
    if not sources:
        return None
    total = np.zeros(DRAWS)
    shifts = []
    for weight, draws in terms:
        if draws is None:
            continue
        over_poses = draws.over_poses_cm if "poses" in sources else None
        total += weight * (draws.mean_cm if over_poses is None else over_poses)
        if draws.seeds is not None and "seeds" in sources:
            shifts.append((weight * draws.mean_cm, draws.seeds))
    return Contrast(draws_cm=total + difference_shift(shifts), sources=sources)


def family(contrasts: Iterable[Contrast | None]) -> list[Interval | None]:
    """Simultaneous 95% intervals of everything that one table or list of sentences compares."""
    contrasts = list(contrasts)
    known = [item for item in contrasts if item is not None]
    if not known:
        return [None] * len(contrasts)
    bounds = iter(simultaneous(np.stack([item.draws_cm for item in known])).tolist())
    result: list[Interval | None] = []
    for item in contrasts:
        low, high = next(bounds) if item else (0.0, 0.0)
        result.append(Interval(low=low, high=high, sources=item.sources) if item else None)
    return result


def paired(
    poses: Contrast | None, differences: Sequence[float], generator: np.random.Generator
) -> Contrast | None:
    """Add to draws over poses what the paired differences vary, as Student's t with n - 1.

    The differences are a single row: with fewer than three of them, poses vary alone.
    """
    (seeds,) = seed_draws(row_spreads([differences]), [len(differences)], DRAWS, generator)
    if seeds is None:
        return poses
    if poses is None:
        return Contrast(draws_cm=np.mean(differences) + seeds.shift, sources="seeds")
    return Contrast(draws_cm=poses.draws_cm + seeds.shift, sources="poses and seeds")


def with_seeds(
    rows: Mapping[Key, tuple[Sequence[float], Draws | None]], generator: np.random.Generator
) -> dict[Key, Draws]:
    """Add the spread between seeds, on the logarithmic scale, to the rows of one column.

    Args:
        rows: The error at every seed, cm, and the draws over poses. A row with neither these nor
            a spread is left out.
        generator: Draws the seeds.
    """
    logs = [_logs(errors) for errors, _ in rows.values()]
    seeds = seed_draws(row_spreads(logs), [max(1, len(row)) for row in logs], DRAWS, generator)
    result: dict[Key, Draws] = {}
    for (key, (errors, draws)), shift in zip(rows.items(), seeds, strict=True):
        known = shift if min(errors, default=0) > 0 else None
        if draws is not None:
            result[key] = replace(draws, mean_cm=float(np.mean(errors)), seeds=known)
        elif known is not None:
            result[key] = Draws(mean_cm=float(np.mean(errors)), seeds=known)
    return result


def _logs(errors: Sequence[float]) -> list[float]:
    """Logarithms; none where an error is not positive, so that its spread stays unknown."""
    return [math.log(error) for error in errors] if min(errors, default=0) > 0 else []


def estimate(grid: Grid) -> Uncertainty:
    """Draws of every finished cell: poses from its errors, seeds from its spread or its column's.

    See `row_spreads` for which spread a row has. Without one, its draws vary poses alone.
    """
    bootstrap = PoseBootstrap()
    generator = np.random.default_rng(SEED)
    cells: dict[CellKey, Draws] = {}
    for column in grid.columns:
        rows = {
            (column.key, label): (
                setting.errors_cm,
                bootstrap.draws(column.study, setting.records),
            )
            for label, setting in grid.finished(column).items()
        }
        cells |= with_seeds(rows, generator)
    return Uncertainty(cells=cells, problems=bootstrap.problems)
