"""Rank correlations, plain and within strata, with permutation p-values and bootstrap intervals.

Pooled over objectives, two quantities correlate wherever the objectives differ in both. Within the
objectives they may not, or the other way round (Simpson's paradox): `spearman_within` removes the
differences between strata.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from scipy import stats

from analysis.statistics.bootstrap import FloatArray, IntArray, Interval

Scores = Callable[[FloatArray], FloatArray]
"""From (..., n) values to (..., width) scores about zero, whose cosine is the correlation."""

_EXACT = 7  # 7! = 5,040 orders are all tried; beyond, a random sample of them
_ORDERS = 9999
_DRAWS = 2000
_MIN_PAIRS = 8  # for an interval
_CHUNK = 8_000_000  # numbers in memory at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """A rank correlation.

    Attributes:
        value: In [-1, 1]; None where one side is constant or there are fewer than 3 pairs.
        p: Two-sided permutation p-value: share of the orders at least as correlated.
        interval: 95% bootstrap interval over the pairs, None below 8 pairs.
        n: Number of pairs.
    """

    value: float | None
    p: float | None
    interval: Interval | None
    n: int


def spearman(
    x: Sequence[float], y: Sequence[float], generator: np.random.Generator
) -> Correlation:
    """Spearman's ρ: Pearson's correlation of the ranks, ties sharing their mean rank.

    Example:
        >>> import numpy as np
        >>> spearman([1, 2, 3, 4], [10, 30, 20, 40], np.random.default_rng(0)).value
        0.8
    """
    blocks = [slice(0, len(x))]
    return _correlate(lambda values: _centred_ranks(values, blocks), x, y, blocks, generator)


def kendall(x: Sequence[float], y: Sequence[float], generator: np.random.Generator) -> Correlation:
    """Kendall's τ-b: (concordant - discordant) / sqrt(untied pairs in x · untied pairs in y)."""
    first, second = np.triu_indices(len(x), k=1)

    def signs(values: FloatArray) -> Any:  # 0 for a tie: out of numerator and norm
        return np.sign(values[..., first] - values[..., second])

    return _correlate(signs, x, y, [slice(0, len(x))], generator)


def spearman_within(
    x: Sequence[float],
    y: Sequence[float],
    strata: Sequence[Hashable],
    generator: np.random.Generator,
) -> Correlation:
    """Correlation of ranks within each stratum, about the stratum's mean, divided by its size.

    Permutations and bootstrap draws stay within the strata. Strata of one pair are left out; for
    one stratum the value is Spearman's ρ.
    """
    members: dict[Hashable, list[int]] = {}
    for index, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(index)
    groups = [indices for indices in members.values() if len(indices) > 1]
    order = [index for indices in groups for index in indices]
    sizes = [len(indices) for indices in groups]
    blocks = [slice(stop - n, stop) for stop, n in zip(np.cumsum(sizes), sizes, strict=True)]

    def scores(values: FloatArray) -> Any:
        return _centred_ranks(values, blocks) / np.repeat(sizes, sizes)

    x, y = [x[index] for index in order], [y[index] for index in order]
    return _correlate(scores, x, y, blocks, generator, stratified=True)


def _centred_ranks(values: FloatArray, blocks: Sequence[slice]) -> FloatArray:
    """(..., n) ranks within the blocks of the last axis, minus their mean (size + 1) / 2."""
    parts = [stats.rankdata(values[..., k], axis=-1) - (k.stop - k.start + 1) / 2 for k in blocks]
    return np.concatenate(parts, axis=-1)


def _cosine(a: FloatArray, b: FloatArray) -> Any:
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))


def _correlate(
    scores: Scores,
    x: Sequence[float],
    y: Sequence[float],
    blocks: Sequence[slice],
    generator: np.random.Generator,
    *,
    stratified: bool = False,
) -> Correlation:
    n = len(x)
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    first = scores(a) if n >= 3 else np.zeros(0)
    value = float(_cosine(first, scores(b))) if n >= 3 else np.nan
    if not np.isfinite(value):
        return Correlation(value=None, p=None, interval=None, n=n)
    # `scipy.stats.permutation_test` draws other orders, so the published p-values would change.
    exact = n <= _EXACT and not stratified
    extreme = total = 0
    every: Iterable[IntArray] = [np.array(list(permutations(range(n))))] if exact else ()
    for orders in every or _orders(blocks, len(first), generator, stratified=stratified):
        permuted = _cosine(first, scores(b[orders]))  # (batch,)
        extreme += int((np.abs(permuted) >= abs(value) - 1e-12).sum())
        total += len(orders)
    p = extreme / total if exact else (extreme + 1) / (total + 1)
    interval = _interval(scores, a, b, blocks, generator) if n >= _MIN_PAIRS else None
    return Correlation(value=value, p=p, interval=interval, n=n)


def _interval(
    scores: Scores,
    a: FloatArray,
    b: FloatArray,
    blocks: Sequence[slice],
    generator: np.random.Generator,
) -> Interval:
    draws = []
    for count in _batches(_DRAWS, scores(a).shape[-1]):
        rows = [
            generator.integers(k.start, k.stop, size=(count, k.stop - k.start)) for k in blocks
        ]
        chosen = np.concatenate(rows, axis=1)  # (count, n), with replacement within the blocks
        draws.append(_cosine(scores(a[chosen]), scores(b[chosen])))
    low, high = np.nanpercentile(np.concatenate(draws), (2.5, 97.5))
    return Interval(low=float(low), high=float(high))


def _orders(
    blocks: Sequence[slice], width: int, generator: np.random.Generator, *, stratified: bool
) -> Iterator[IntArray]:
    """(batch, n) random orders of the pairs, within each block if `stratified`."""
    for count in _batches(_ORDERS, width):
        if stratified:
            parts = [np.tile(np.arange(k.start, k.stop), (count, 1)) for k in blocks]
            yield np.concatenate([generator.permuted(part, axis=1) for part in parts], axis=1)
        else:
            yield np.argsort(generator.random((count, blocks[-1].stop)), axis=1)


def _batches(total: int, width: int) -> list[int]:
    """Sizes of batches of draws, each of at most `_CHUNK` scores."""
    step = max(1, _CHUNK // width)
    return [min(step, total - start) for start in range(0, total, step)]
