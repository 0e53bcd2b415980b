"""A ranking with its uncertainty, from joint draws of all scores."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.floating[Any]]


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
