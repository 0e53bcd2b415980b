"""Joint draws of every cell's median error: what the spread over poses and seeds leaves open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.grid import RANKED_BY, Column, Grid, Setting
from analysis.joint_errors import JointErrors
from analysis.records import Problem, Study
from analysis.statistics import (
    pooled_spread,
    pose_counts,
    pose_medians,
)

DRAWS = 1000
_SEED = 20260101
FloatArray = npt.NDArray[np.floating[Any]]
CellKey = tuple[tuple[str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Draws of one cell.

    Attributes:
        median_cm: (DRAWS,) the cell's median error.
        per_pose_cm: (poses,) median error of each pose, mean over seeds; None where unknown.
        poses: Names of the poses; cells with equal names were drawn together.
        covers: What the draws vary: ``"poses and seeds"``, ``"poses"`` or ``"seeds"``.
    """

    median_cm: FloatArray
    per_pose_cm: FloatArray | None
    poses: tuple[str, ...]
    covers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """Draws of all cells that allow any.

    Attributes:
        cells: (column key, label) to draws.
        problems: Study name to the error files that could not be used.
    """

    cells: Mapping[CellKey, Draws] = field(repr=False)
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)

    def of(self, column: Column, label: str) -> Draws | None:
        """Draws of a cell."""
        return self.cells.get((column.key, label))


class _Reader:
    """Draws poses; equal sets of poses share their draws."""

    def __init__(self) -> None:
        self._files: dict[str, JointErrors] = {}
        self._counts: dict[tuple[str, ...], npt.NDArray[np.integer[Any]]] = {}

    @property
    def problems(self) -> dict[str, tuple[Problem, ...]]:
        """Study name to the error files that could not be used."""
        return {name: tuple(files.problems) for name, files in self._files.items()}

    def draws(self, study: Study, setting: Setting) -> Draws | None:
        """Draws over poses of the mean over seeds; None without usable errors of every seed."""
        per_seed, per_pose, poses = [], [], None
        files = self._files.setdefault(study.name, JointErrors(study))
        for record in setting.records:
            errors = files.of(record)
            if errors is None or (poses is not None and errors.poses != poses):
                return None
            poses = errors.poses
            if poses not in self._counts:
                fixed = np.random.default_rng(_SEED)
                self._counts[poses] = pose_counts(len(poses), DRAWS, fixed)
            per_seed.append(pose_medians(errors, self._counts[poses]))
            per_pose.append(errors.median_per_pose())
        if poses is None or not np.isfinite(per_seed).all():
            return None
        return Draws(
            median_cm=np.mean(per_seed, axis=0),
            per_pose_cm=np.mean(per_pose, axis=0),
            poses=poses,
            covers="poses",
        )


def common_cover(draws: Iterable[Draws | None]) -> str:
    """What all of the draws vary, "" where one is missing or they have nothing in common."""
    parts = [set(own.covers.split(" and ")) if own else set() for own in draws]
    return " and ".join(sorted(set.intersection(*parts))) if parts else ""


def estimate(grid: Grid) -> Uncertainty:
    """Draws of every finished cell: poses from its errors, seeds from the objective's spread.

    The spread between seeds is pooled over the compositions of a column, so that one that was run
    once is as uncertain as the repeated ones say it must be. Where nothing in a column was
    repeated, its draws cover poses alone.
    """
    reader = _Reader()
    generator = np.random.default_rng(_SEED)
    cells: dict[CellKey, Draws] = {}
    for column in grid.columns:
        finished = grid.finished(column)
        seeds = {label: _values(setting) for label, setting in finished.items()}
        spread = pooled_spread(seeds.values())
        scales = None if spread is None else spread.scales(DRAWS, generator)
        for label, setting in finished.items():
            draws = reader.draws(column.study, setting)
            if scales is not None:
                draws = draws or Draws(
                    median_cm=np.full(DRAWS, setting.score),
                    per_pose_cm=None,
                    poses=(),
                    covers="",
                )
                moved = scales * generator.standard_normal(DRAWS) / np.sqrt(len(seeds[label]))
                draws = replace(
                    draws,
                    median_cm=np.maximum(draws.median_cm + moved, 0),  # a distance
                    covers="poses and seeds" if draws.covers else "seeds",
                )
            if draws is not None:
                cells[column.key, label] = draws
    return Uncertainty(cells=cells, problems=reader.problems)


def _values(setting: Setting) -> list[float]:
    return [r.metrics[RANKED_BY] for r in setting.records if RANKED_BY in r.metrics]
