"""The spread between seeds: of a row, pooled over a column, and its draws."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats

from analysis.statistics.bootstrap import FloatArray

_MIN_SEEDS = 3  # for a spread of the row itself
_SAME_SPREAD = 0.05  # Bartlett's p from which spreads are pooled


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Mean, sample standard deviation (n - 1; None for one value) and count."""

    mean: float
    sd: float | None
    n: int


def summarise(values: Sequence[float]) -> Summary | None:
    """Summary of the finite values, or None where there is none.

    Example:
        >>> summarise([1.0, 3.0])
        Summary(mean=2.0, sd=1.4142135623730951, n=2)
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    mean = math.fsum(finite) / len(finite)
    if len(finite) == 1:
        return Summary(mean=mean, sd=None, n=1)
    variance = math.fsum((value - mean) ** 2 for value in finite) / (len(finite) - 1)
    return Summary(mean=mean, sd=math.sqrt(variance), n=len(finite))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Standard deviation between seeds, with its degrees of freedom."""

    sd: float
    freedom: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeedDraws:
    """Draws of what another set of seeds would have given for a mean over seeds.

    With s the estimated spread, √ν · s / σ follows χ(ν), and the mean deviates by a normal
    variable: together Student's t. Both have the quantiles of their distribution exactly, in a
    random order, which takes most of the noise out of few draws.

    Attributes:
        error: Standard error of the mean: spread / sqrt(seeds).
        normal: (count,) standard normal deviations of the mean, independent in every row.
        ratio: (count,) s² / σ² of the spread: χ²(ν) / ν. The same array in the rows of one pool.
    """

    error: float
    normal: FloatArray
    ratio: FloatArray

    @property
    def shift(self) -> FloatArray:
        """(count,) draws of the deviation of the mean: error · Student's t."""
        return self.error * self.normal / np.sqrt(self.ratio)


def row_spreads(rows: Sequence[Sequence[float]]) -> list[Spread | None]:
    """The spread between seeds of each row of one column.

    A row with three seeds or more has its own. The others have the spread pooled over the column
    (the same object), if the rows with two seeds or more are at least two and Bartlett's test
    does not tell their spreads apart (p ≥ 0.05); None otherwise.

    Example:
        >>> row_spreads([[1.0, 3.0], [5.0], [2.0, 4.0]])[1]
        Spread(sd=1.4142135623730951, freedom=2)
    """
    summaries = [summarise(row) for row in rows]
    repeated = [s for s in summaries if s is not None and s.sd is not None]
    freedom = sum(s.n - 1 for s in repeated)
    pooled = None
    if len(repeated) > 1 and bartlett_p([row for row in rows if len(row) > 1]) >= _SAME_SPREAD:
        squares = sum((s.n - 1) * s.sd**2 for s in repeated if s.sd is not None)
        pooled = Spread(sd=math.sqrt(squares / freedom), freedom=freedom)
    return [
        Spread(sd=s.sd, freedom=s.n - 1)
        if s is not None and s.sd is not None and s.n >= _MIN_SEEDS
        else pooled
        for s in summaries
    ]


def bartlett_p(rows: Sequence[Sequence[float]]) -> float:
    """p-value of Bartlett's test of equal variances; 0 where all variances are zero."""
    with np.errstate(all="ignore"):
        return float(np.nan_to_num(stats.bartlett(*rows).pvalue))


def seed_draws(
    spreads: Sequence[Spread | None],
    seeds: Sequence[int],
    count: int,
    generator: np.random.Generator,
) -> list[SeedDraws | None]:
    """Draws for every row that has a spread."""
    ratios = {
        id(spread): generator.permutation(_ratios(count, spread.freedom))
        for spread in spreads
        if spread is not None
    }
    return [
        SeedDraws(
            error=spread.sd / math.sqrt(n),
            normal=generator.permutation(_normals(count)),
            ratio=ratios[id(spread)],
        )
        if spread is not None
        else None
        for spread, n in zip(spreads, seeds, strict=True)
    ]


@cache
def _normals(count: int) -> FloatArray:
    """(count,) quantiles of the normal distribution, at the middles of equal shares."""
    return np.asarray(stats.norm.ppf((np.arange(count) + 0.5) / count))


@cache
def _ratios(count: int, freedom: int) -> FloatArray:
    """(count,) such quantiles of χ²(freedom) / freedom."""
    return np.asarray(stats.chi2.ppf((np.arange(count) + 0.5) / count, freedom) / freedom)


def difference_shift(terms: Sequence[tuple[float, SeedDraws]]) -> FloatArray | float:
    """(count,) draws of the deviation of Σ weight · mean.

    The estimated variance of the sum is drawn as Σ v · ratio over its spreads, and the sum as a
    normal variable over it. For one spread that is Student's t; for the difference of two rows
    with their own it has Welch and Satterthwaite's degrees of freedom.
    """
    total = sum((weight * term.error) ** 2 for weight, term in terms)
    if not total:
        return 0.0
    deviation = sum(weight * term.error * term.normal for weight, term in terms)
    ratio = sum((weight * term.error) ** 2 / total * term.ratio for weight, term in terms)
    return deviation / np.sqrt(ratio)
