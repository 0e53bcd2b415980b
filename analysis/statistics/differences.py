"""Tests of paired differences, and the correction for testing many."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.floating[Any]]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjusted p-values, in the order of the input; None stays None, uncounted.

    Sorted ascending, p_(i) is multiplied by (m - i + 1) and made monotone (Holm 1979).

    Example:
        >>> holm([0.04, None, 0.01])
        [0.04, None, 0.02]
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, (p, index) in enumerate(known):
        running = max(running, min(1.0, (len(known) - rank) * p))
        adjusted[index] = running
    return adjusted


def signed_rank_p(a: FloatArray, b: FloatArray) -> float | None:
    """Two-sided p-value of Wilcoxon's signed-rank test; pairs with a NaN are left out."""
    difference = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    difference = difference[np.isfinite(difference)]
    if len(difference) < 6:  # below six pairs no outcome can reach p < 0.05
        return None
    if not difference.any():
        return 1.0
    return float(stats.wilcoxon(difference).pvalue)


def welch_p(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Two-sided p-value of Welch's t-test between seeds; None with fewer than two on a side."""
    if len(a) < 2 or len(b) < 2 or (len(set(a)) == 1 and len(set(b)) == 1):
        return None
    return float(stats.ttest_ind(a, b, equal_var=False).pvalue)
