"""The spread between seeds: mean and standard deviation, and a spread pooled over cells."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.statistics.bootstrap import FloatArray


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
    """Standard deviation between seeds, pooled over cells, with its degrees of freedom."""

    sd: float
    freedom: int

    def scales(self, count: int, generator: np.random.Generator) -> FloatArray:
        """(count,) draws of the standard deviation: sd · sqrt(freedom / χ²(freedom)).

        All cells of the pool share them. Times one standard normal a cell, divided by
        sqrt(seeds), they are draws of the mean of that cell, and a difference of two cells follows
        Student's t exactly.
        """
        ratio: FloatArray = self.freedom / generator.chisquare(self.freedom, size=count)
        return self.sd * np.sqrt(ratio)


def pooled_spread(groups: Iterable[Sequence[float]]) -> Spread | None:
    """Spread of values about the mean of their group; None where no group has two values.

    A few seeds estimate the spread of one cell badly. All cells of an objective together estimate
    it well, if the spread is about the same in each, which is assumed.

    Example:
        >>> pooled_spread([[1.0, 3.0], [5.0], [2.0, 4.0]])
        Spread(sd=1.4142135623730951, freedom=2)
    """
    summaries = [summary for group in groups if (summary := summarise(group)) is not None]
    freedom = sum(summary.n - 1 for summary in summaries)
    if freedom < 1:
        return None
    squares = sum((s.n - 1) * s.sd**2 for s in summaries if s.sd is not None)
    return Spread(sd=math.sqrt(squares / freedom), freedom=freedom)
