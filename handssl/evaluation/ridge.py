"""Ridge regression with every penalty from one eigendecomposition."""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

PENALTIES: Final = tuple(10.0 ** (k / 2) for k in range(-12, 5))
"""Relative to the mean diagonal of the features' covariance: 10⁻⁶ to 10²."""


def standardise(
    x: Float[Tensor, "batch feature"],
) -> tuple[Float[Tensor, "batch feature"], Float[Tensor, " feature"], Float[Tensor, " feature"]]:
    """Rows of zero mean and unit variance, and the mean and scale that make them so.

    The scale is one over the standard deviation; 0 for features whose spread is below a millionth
    of the features' size.
    """
    std, mean = torch.std_mean(x, dim=0, correction=0)
    scale = torch.where(std > 1e-6 * x.square().mean().sqrt(), 1 / std, 0.0)
    return (x - mean) * scale, mean, scale


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearMap:
    """A fitted linear map.

    Attributes:
        weight: (D, K) float64, on the features as they are.
        bias: (K,) float64.
    """

    weight: Float[Tensor, "feature output"]
    bias: Float[Tensor, " output"]

    def __call__(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch output"]:
        """Predictions, float64."""
        return x.double() @ self.weight + self.bias


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridge(LinearMap):
    """A linear map with the penalty it was fitted under.

    Attributes:
        penalty: (K,) chosen for each output.
    """

    penalty: Float[Tensor, " output"]


def fit_ridge(
    x: Float[Tensor, "batch feature"],
    y: Float[Tensor, "batch output"],
    held_out: Bool[Tensor, " batch"],
    *,
    penalties: tuple[float, ...] = PENALTIES,
) -> Ridge:
    """Ridge with each output's penalty chosen on held-out rows, then fitted to all rows.

    Minimises ‖Xw + b − y‖² / n + λ ‖w‖² for standardised X; with XᵀX / n = V diag(e) Vᵀ the
    solution is w = V diag(1 / (e + λ)) Vᵀ Xᵀy / n for every λ at once. The penalty is the one
    with the smallest mean absolute error on the held-out rows, as in the pose metrics.

    Args:
        x: Features.
        y: Targets, all finite.
        held_out: Rows that choose the penalty; at least one of each kind.
        penalties: Candidates, in units of the standardised features' variance.
    """
    x, y = x.double(), y.double()
    grid = torch.tensor(penalties, dtype=torch.float64)
    fit, check = _Decomposition(x[~held_out], y[~held_out]), (x[held_out], y[held_out])
    # (penalties, K) errors on the held-out rows; one penalty an output.
    errors = torch.stack([(fit.solve(value)(check[0]) - check[1]).abs().mean(0) for value in grid])
    best = grid[errors.argmin(0)]
    return _Decomposition(x, y).solve(best)


class _Decomposition:
    """The part that the solutions for all penalties share.

    With fewer rows than features the same w comes from the smaller matrix of the two:
    XXᵀ / n = U diag(e) Uᵀ gives w = Xᵀ U / n · diag(1 / (e + λ)) Uᵀ y.
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        standard, self._x_mean, self._scale = standardise(x)  # (n, D), (D,), (D,)
        self._mean = y.mean(0)
        rows, features = standard.shape
        # XᵀX (D, D) or XXᵀ (n, n), whichever is smaller, and its eigenvectors.
        primal = rows >= features
        gram = (standard.mT @ standard if primal else standard @ standard.mT) / rows
        self._values, vectors = torch.linalg.eigh(gram)
        self._values.clamp_(min=0)
        centred = y - self._mean
        if primal:
            self._vectors = vectors  # V, (D, D); moments Vᵀ Xᵀy / n, (D, K)
            self._moments = vectors.mT @ (standard.mT @ centred) / rows
        else:
            self._vectors = standard.mT @ vectors / rows  # Xᵀ U / n, (D, n); moments Uᵀ y, (n, K)
            self._moments = vectors.mT @ centred

    def solve(self, penalty: Tensor) -> Ridge:
        """Solution for one penalty, or one for each output."""
        penalties = penalty.expand(len(self._mean))
        # (D or n, K); then back to (D, K), and from standardised to plain features.
        rotated = self._moments / (self._values[:, None] + penalties)
        weight = (self._vectors @ rotated) * self._scale[:, None]
        return Ridge(weight=weight, bias=self._mean - self._x_mean @ weight, penalty=penalties)
