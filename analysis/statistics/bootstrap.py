"""Bootstrap over validation poses.

The resampled unit is the pose (`group`), because images of one pose on several backgrounds, and
the 21 joints of one hand, are not independent. All runs share the draws of poses, so differences
between them are paired.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

_WINDOW = 0.2  # middle share of the sorted errors, which nearly always contains the median
_CHUNK = 1_000_000  # weights in memory at a time: 4 MB, which fit a cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A 95% interval, and its sources of variation: `"poses and seeds"`, `"poses"`, `"seeds"`."""

    low: float
    high: float
    sources: str = ""

    @property
    def excludes_zero(self) -> bool:
        """Whether both ends have the same sign."""
        return self.low > 0 or self.high < 0

    @property
    def decides(self) -> bool:
        """Whether it includes the spread between seeds and excludes zero."""
        return self.excludes_zero and "seeds" in self.sources


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseErrors:
    """Validation errors of one run.

    Attributes:
        error_cm: (n, 21) error of every joint, NaN where it is not valid, cm.
        pose: (n,) index into `poses`.
        poses: Names of the poses, sorted.
    """

    error_cm: FloatArray
    pose: IntArray
    poses: tuple[str, ...]

    def median_per_pose(self) -> FloatArray:
        """(poses,) median over the valid joints of all images of a pose, cm; NaN for none."""
        medians = np.full(len(self.poses), np.nan)
        order = np.argsort(self.pose, kind="stable")
        bounds = np.searchsorted(self.pose[order], np.arange(len(self.poses) + 1))
        for index, (start, stop) in enumerate(pairwise(bounds)):
            errors = self.error_cm[order[start:stop]]
            errors = errors[np.isfinite(errors)]
            if errors.size:
                medians[index] = np.median(errors)
        return medians


def interval(draws: FloatArray, sources: str = "") -> Interval:
    """Percentile interval of bootstrap draws, which vary by the sources."""
    low, high = np.percentile(draws, (2.5, 97.5))
    return Interval(low=float(low), high=float(high), sources=sources)


def simultaneous(draws: FloatArray) -> FloatArray:
    """(family, 2) intervals that all cover together in 95% of the cases (max-t).

    Each row of draws is studentised about its median by the two halves of its 95% interval, so
    that rows with few degrees of freedom count no more than others. All intervals are widened by
    the 95% quantile of the largest of these. A family of one keeps its interval.

    Args:
        draws: (family, draws) joint draws.
    """
    low, middle, high = np.percentile(draws, (2.5, 50, 97.5), axis=1)[..., None]
    deviation = draws - middle
    half = np.where(deviation > 0, high - middle, middle - low)
    largest = np.divide(np.abs(deviation), half, out=np.zeros_like(half), where=half > 0)
    factor = max(1.0, float(np.percentile(largest.max(axis=0), 95))) if len(draws) > 1 else 1.0
    return np.hstack([middle - factor * (middle - low), middle + factor * (high - middle)])


def pose_counts(poses: int, draws: int, generator: np.random.Generator) -> IntArray:
    """(draws, poses) number of times that each pose is drawn, with `poses` draws in total."""
    return generator.multinomial(poses, np.full(poses, 1 / poses), size=draws)


def pose_medians(errors: PoseErrors, counts: IntArray) -> FloatArray:
    """(draws,) pooled median of the valid errors under each draw of poses, cm.

    Equals `np.median` of the errors with every image repeated as often as its pose was drawn. Only
    the middle of the sorted errors is searched; draws whose median lies outside (with few poses)
    are repeated over all errors.
    """
    # (n, 21) errors to (valid,) sorted values, each with the index of its pose.
    valid = np.isfinite(errors.error_cm)
    value = errors.error_cm[valid].astype(float)
    pose = np.broadcast_to(errors.pose[:, None], valid.shape)[valid]
    order = np.argsort(value, kind="stable")
    value, pose = value[order], pose[order]
    half = int(len(value) * _WINDOW / 2)
    window = slice(len(value) // 2 - half, len(value) // 2 + half)
    medians = _search(value, pose, counts, window)
    outside = np.isnan(medians)
    if outside.any():
        medians[outside] = _search(value, pose, counts[outside], slice(0, len(value)))
    return medians


def _search(value: FloatArray, pose: IntArray, counts: IntArray, window: slice) -> FloatArray:
    """(draws,) weighted medians, NaN for those outside the window."""
    # (draws, poses) @ (poses,): errors below the window and in total, repeated as drawn.
    poses = counts.shape[1]
    below = counts @ np.bincount(pose[: window.start], minlength=poses)
    total = counts @ np.bincount(pose, minlength=poses)
    inside, middle = value[window], pose[window]
    medians = np.full(len(counts), np.nan)
    if not len(inside):
        return medians
    narrow = counts.astype(np.int32)
    step = max(1, _CHUNK // len(inside))
    for start in range(0, len(counts), step):
        # (rows, window) errors up to each value; the median is where these reach the middle ranks.
        rows = slice(start, start + step)
        reached = np.cumsum(narrow[rows][:, middle], axis=1, dtype=np.int32)
        ranks = np.stack([(total[rows] + 1) // 2, total[rows] // 2 + 1])  # the two middle ranks
        ranks -= below[rows]
        within = (ranks[0] > 0) & (ranks[1] <= reached[:, -1])
        for row in np.flatnonzero(within):
            low, high = reached[row].searchsorted(ranks[:, row])
            medians[start + row] = (inside[low] + inside[high]) / 2
    return medians
