"""fANOVA importances and partial dependence from a forest of random trees.

Hutter, Hoos and Leyton-Brown (2014): a tree is a piecewise constant function on boxes, so the mean
over all other parameters, and the share of the variance that one parameter explains by itself, are
sums over its leaves. Parameters are scaled to [0, 1] and taken as uniform there, as Optuna's
evaluator does (which needs scikit-learn; this one needs numpy).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Forest", "fit_forest"]

FloatArray = npt.NDArray[np.floating[Any]]

_LEAST = 3  # observations in a leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """Leaves of one tree: (leaves, features) bounds and (leaves,) values."""

    low: FloatArray
    high: FloatArray
    value: FloatArray

    def marginal(self, feature: int, at: FloatArray) -> FloatArray:
        """Mean over all other features, at values of one."""
        size = self.high - self.low
        rest = np.prod(np.delete(size, feature, axis=1), axis=1)
        low, high = self.low[:, feature, None], self.high[:, feature, None]
        inside = (low <= at) & ((at < high) | ((high >= 1) & (at >= 1)))
        marginal: FloatArray = (self.value * rest) @ inside
        return marginal

    def variance(self) -> float:
        volume = np.prod(self.high - self.low, axis=1)
        mean = float(volume @ self.value)
        return float(volume @ (self.value - mean) ** 2)

    def main_effect(self, feature: int) -> float:
        edges = np.unique(np.concatenate([self.low[:, feature], self.high[:, feature]]))
        width = np.diff(edges)
        marginal = self.marginal(feature, (edges[:-1] + edges[1:]) / 2)
        mean = float(width @ marginal)
        return float(width @ (marginal - mean) ** 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """A fitted forest."""

    trees: tuple[_Tree, ...]
    features: int

    def importances(self) -> FloatArray:
        """(features,) share of the variance that each explains alone, mean over the trees."""
        shares = []
        for tree in self.trees:
            variance = tree.variance()
            if variance > 0:
                effects = [tree.main_effect(feature) for feature in range(self.features)]
                shares.append(np.array(effects) / variance)
        return np.mean(shares, axis=0) if shares else np.zeros(self.features)

    def dependence(self, feature: int, at: FloatArray) -> FloatArray:
        """(trees, points) partial dependence on one feature: the mean over all others."""
        return np.stack([tree.marginal(feature, at) for tree in self.trees])


def fit_forest(
    x: FloatArray, y: FloatArray, generator: np.random.Generator, trees: int = 64
) -> Forest:
    """Fits extremely randomised trees (Geurts et al. 2006): the best of one cut per feature.

    Args:
        x: (n, features) in [0, 1].
        y: (n,) targets.
        generator: Draws the cuts.
        trees: How many.
    """
    return Forest(trees=tuple(_grow(x, y, generator) for _ in range(trees)), features=x.shape[1])


def _grow(x: FloatArray, y: FloatArray, generator: np.random.Generator) -> _Tree:
    features = x.shape[1]
    waiting = [(np.arange(len(y)), np.zeros(features), np.ones(features))]
    lows, highs, values = [], [], []
    while waiting:
        rows, low, high = waiting.pop()
        cut = _cut(x[rows], y[rows], generator)
        if cut is None:
            lows.append(low)
            highs.append(high)
            values.append(y[rows].mean())
            continue
        feature, threshold = cut
        left = x[rows, feature] < threshold
        middle_high, middle_low = high.copy(), low.copy()
        middle_high[feature] = middle_low[feature] = threshold
        waiting += [(rows[left], low, middle_high), (rows[~left], middle_low, high)]
    return _Tree(low=np.array(lows), high=np.array(highs), value=np.array(values))


def _cut(x: FloatArray, y: FloatArray, generator: np.random.Generator) -> tuple[int, float] | None:
    if len(y) < 2 * _LEAST or np.ptp(y) == 0:
        return None
    low, high = x.min(axis=0), x.max(axis=0)
    thresholds = low + (high - low) * generator.random(x.shape[1])
    left = x < thresholds
    count = left.sum(axis=0)
    allowed = (count >= _LEAST) & (len(y) - count >= _LEAST) & (high > low)
    if not allowed.any():
        return None
    centred = y - y.mean()
    total = centred @ left  # sum of the left side; the right side's is its negative
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(allowed, total**2 / count + total**2 / (len(y) - count), -1.0)
    feature = int(gain.argmax())
    return feature, float(thresholds[feature])
