"""Rankings: the rank of each entrant over joint draws, tests of pairs, a correction for many."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.statistics.bootstrap import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """Rank of one entrant over the draws.

    Attributes:
        best: Share of the draws in which its score is the lowest; ties are shared.
        low, high: 95% interval of its rank, 1 is the best.
    """

    best: float
    low: int
    high: int


def rank_draws(draws: FloatArray) -> list[Rank]:
    """Ranks of the rows of `draws` (entrants, draws); lower scores are better.

    Example:
        >>> import numpy as np
        >>> rank_draws(np.array([[1.0, 1.0, 3.0, 1.0], [2.0, 2.0, 2.0, 2.0]]))[0].best
        0.75
    """
    lowest = draws == draws.min(axis=0)
    best = (lowest / lowest.sum(axis=0)).mean(axis=1)
    ranks = stats.rankdata(draws, method="min", axis=0)
    low, high = np.percentile(ranks, (2.5, 97.5), axis=1, method="inverted_cdf")
    return [
        Rank(best=float(share), low=int(first), high=int(last))
        for share, first, last in zip(best, low, high, strict=True)
    ]


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
    return float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0


def welch_p(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Two-sided p-value of Welch's t-test between seeds; None with fewer than two on a side."""
    if len(a) < 2 or len(b) < 2 or (len(set(a)) == 1 and len(set(b)) == 1):
        return None
    return float(stats.ttest_ind(a, b, equal_var=False).pvalue)
