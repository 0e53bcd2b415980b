"""Rank correlations with permutation p-values and bootstrap intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.statistics.bootstrap import Interval

FloatArray = npt.NDArray[np.floating[Any]]

_EXACT = 7  # 7! = 5040 orders are all tried; beyond, a random sample of them
_RANDOM = 9999
_LARGE = 500  # beyond, the large-sample forms replace permutations and bootstrap
_DRAWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """A rank correlation.

    Attributes:
        value: In [-1, 1]; None where one side is constant or there are fewer than 3 pairs.
        p: Two-sided permutation p-value: share of the orders at least as correlated; Student's t
            approximation beyond 500 pairs.
        interval: 95% bootstrap interval over the pairs, None below 8 pairs; Bonett and Wright's
            (2000) beyond 500.
        n: Number of pairs.
    """

    value: float | None
    p: float | None
    interval: Interval | None
    n: int


def _ranks(values: FloatArray) -> FloatArray:
    ranks: FloatArray = stats.rankdata(values, axis=-1)
    return ranks


def _signs(values: FloatArray) -> FloatArray:
    first, second = np.triu_indices(values.shape[-1], k=1)
    return np.sign(values[..., first] - values[..., second])


def _cosine(a: FloatArray, b: FloatArray) -> FloatArray:
    norm = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: FloatArray = (a * b).sum(axis=-1) / norm
    return ratio


def _spearman(x: FloatArray, y: FloatArray) -> FloatArray:
    a, b = _ranks(x), _ranks(y)
    return _cosine(a - a.mean(axis=-1, keepdims=True), b - b.mean(axis=-1, keepdims=True))


def _kendall(x: FloatArray, y: FloatArray) -> FloatArray:
    return _cosine(_signs(x), _signs(y))  # tau-b: ties have sign 0 in numerator and norm


def _orders(n: int, generator: np.random.Generator) -> tuple[npt.NDArray[np.intp], bool]:
    if n <= _EXACT:
        return np.array(list(permutations(range(n)))), True
    return np.argsort(generator.random((_RANDOM, n)), axis=1), False


def _correlate(
    statistic: Any, x: Sequence[float], y: Sequence[float], generator: np.random.Generator
) -> Correlation:
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    n = len(a)
    value = float(statistic(a, b)) if n >= 3 else float("nan")
    if not np.isfinite(value):
        return Correlation(value=None, p=None, interval=None, n=n)
    orders, exact = _orders(n, generator)
    permuted = np.abs(np.concatenate([statistic(a, b[part]) for part in _chunks(orders, n)]))
    extreme = int((permuted >= abs(value) - 1e-12).sum())
    p = extreme / len(orders) if exact else (extreme + 1) / (len(orders) + 1)
    return Correlation(value=value, p=p, interval=_interval(statistic, a, b, generator), n=n)


def _chunks(orders: npt.NDArray[np.intp], n: int) -> list[npt.NDArray[np.intp]]:
    return np.array_split(orders, max(1, len(orders) * n * n // 8_000_000))


def _interval(
    statistic: Any, a: FloatArray, b: FloatArray, generator: np.random.Generator
) -> Interval | None:
    if len(a) < 8:
        return None
    chosen = generator.integers(len(a), size=(_DRAWS, len(a)))
    parts = _chunks(chosen, len(a))
    draws = np.concatenate([statistic(a[part], b[part]) for part in parts])
    low, high = np.nanpercentile(draws, (2.5, 97.5))
    return Interval(low=float(low), high=float(high))


def _large_spearman(x: Sequence[float], y: Sequence[float]) -> Correlation:
    found = stats.spearmanr(x, y)
    value, n = float(found.statistic), len(x)
    if not np.isfinite(value):
        return Correlation(value=None, p=None, interval=None, n=n)
    return Correlation(value=value, p=float(found.pvalue), interval=bonett_wright(value, n), n=n)


def bonett_wright(value: float, n: int) -> Interval:
    """95% interval of a rank correlation over many pairs (Bonett and Wright 2000).

    tanh(artanh ρ ± z · sqrt((1 + ρ²/2) / (n - 3))).
    """
    centre = np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    half = 1.959964 * np.sqrt((1 + value**2 / 2) / (n - 3))
    low, high = np.tanh((centre - half, centre + half))
    return Interval(low=float(low), high=float(high))


def spearman(
    x: Sequence[float], y: Sequence[float], generator: np.random.Generator
) -> Correlation:
    """Spearman's ρ: Pearson's correlation of the ranks, ties sharing their mean rank."""
    if len(x) > _LARGE:
        return _large_spearman(x, y)
    return _correlate(_spearman, x, y, generator)


def kendall(x: Sequence[float], y: Sequence[float], generator: np.random.Generator) -> Correlation:
    """Kendall's τ-b: (concordant - discordant) / sqrt(untied pairs in x · untied pairs in y)."""
    return _correlate(_kendall, x, y, generator)
