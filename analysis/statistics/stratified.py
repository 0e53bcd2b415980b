"""Rank correlation within strata: what is left when the strata themselves are taken out.

Pooled over objectives, two quantities correlate wherever the objectives differ in both; within
them they may not, or the other way round (Simpson).
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.statistics.agreement import Correlation, bonett_wright
from analysis.statistics.bootstrap import Interval

FloatArray = npt.NDArray[np.floating[Any]]
Blocks = Sequence[slice]

_RANDOM = 9999
_DRAWS = 2000
_LARGE = 500
_LEAST = 8  # pairs for an interval
_CHUNK = 8_000_000  # numbers in memory at a time


def spearman_within(
    x: Sequence[float],
    y: Sequence[float],
    strata: Sequence[Hashable],
    generator: np.random.Generator,
) -> Correlation:
    """Correlation of ranks taken within each stratum, about its mean and divided by its size.

    p: two-sided, from 9,999 random orders within the strata; interval: 2,000 bootstrap draws
    within the strata, None below 8 pairs. Beyond 500 pairs the normal limit of those orders, and
    Bonett and Wright's interval. Strata of one pair are left out; one stratum is Spearman's ρ.
    """
    members: dict[Hashable, list[int]] = {}
    for index, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(index)
    kept = [indices for indices in members.values() if len(indices) > 1]
    order = [index for indices in kept for index in indices]
    ends = np.cumsum([len(indices) for indices in kept])
    blocks = [slice(end - len(own), end) for own, end in zip(kept, ends, strict=True)]
    a, b = np.asarray(x, dtype=float)[order], np.asarray(y, dtype=float)[order]
    n = len(order)
    value = float(_correlation(_scores(a, blocks), _scores(b, blocks))) if n >= 3 else np.nan
    if not np.isfinite(value):
        return Correlation(value=None, p=None, interval=None, n=n)
    first, second = _scores(a, blocks), _scores(b, blocks)
    if n > _LARGE:
        return _large(first, second, blocks)
    extreme = 1
    for count in _batches(_RANDOM, n):
        mixed = np.concatenate([_shuffled(second[k], count, generator) for k in blocks], axis=-1)
        extreme += int((np.abs(_correlation(first, mixed)) >= abs(value) - 1e-12).sum())
    return Correlation(
        value=value, p=extreme / (_RANDOM + 1), interval=_interval(a, b, blocks, generator), n=n
    )


def _large(a: FloatArray, b: FloatArray, blocks: Blocks) -> Correlation:
    """The orders' Σ ab has mean 0 and variance Σ over strata of Σa² Σb² / (size - 1)."""
    value = float(_correlation(a, b))
    variance = sum(float((a[k] @ a[k]) * (b[k] @ b[k])) / (k.stop - k.start - 1) for k in blocks)
    p = 2 * float(stats.norm.sf(abs(a @ b) / np.sqrt(variance)))
    freedom = len(a) - len(blocks) + 1
    return Correlation(value=value, p=p, interval=bonett_wright(value, freedom), n=len(a))


def _scores(values: FloatArray, blocks: Blocks) -> FloatArray:
    """(…, n) ranks within the blocks of the last axis, centred, divided by the block's size."""
    parts = []
    for block in blocks:
        own = values[..., block]
        size = own.shape[-1]
        parts.append((stats.rankdata(own, axis=-1) - (size + 1) / 2) / size)
    return np.concatenate(parts, axis=-1) if parts else values[..., :0]


def _correlation(a: FloatArray, b: FloatArray) -> FloatArray:
    """Pearson's about zero: the scores are centred."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: FloatArray = (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return found


def _shuffled(values: FloatArray, count: int, generator: np.random.Generator) -> FloatArray:
    return generator.permuted(np.broadcast_to(values, (count, len(values))), axis=1)


def _batches(total: int, n: int) -> list[int]:
    step = max(1, _CHUNK // max(1, n))
    return [min(step, total - start) for start in range(0, total, step)]


def _interval(
    a: FloatArray, b: FloatArray, blocks: Blocks, generator: np.random.Generator
) -> Interval | None:
    if len(a) < _LEAST:
        return None
    found = []
    for count in _batches(_DRAWS, len(a)):
        drawn = np.concatenate(
            [generator.integers(k.start, k.stop, size=(count, k.stop - k.start)) for k in blocks],
            axis=1,
        )
        found.append(_correlation(_scores(a[drawn], blocks), _scores(b[drawn], blocks)))
    low, high = np.nanpercentile(np.concatenate(found), (2.5, 97.5))
    return Interval(low=float(low), high=float(high))
