"""Linear regression on cached features: ridge, and L1 regression by reweighted ridge.

Ridge solves for every penalty with one eigendecomposition.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

PENALTIES: Final = tuple(10.0 ** (k / 2) for k in range(-12, 5))
"""Relative to the mean diagonal of the features' covariance: 10⁻⁶ to 10²."""

_REWEIGHTINGS: Final = 20
_DESCENTS: Final = 12
"""Steps of conjugate gradients under one set of weights; each lowers the loss it majorises."""

_SMALLEST: Final = 1e-3
"""Residuals below this share of the mean one weigh no more than it."""


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


def fit_robust(
    x: Float[Tensor, "batch feature"],
    y: Float[Tensor, "batch output"],
    held_out: Bool[Tensor, " batch"],
) -> Ridge:
    """Linear map with the smallest mean absolute error and the penalty that ridge chose.

    Minimises, for each output and standardised X, Σ |Xw + b − y| / n + λ / (2s) ‖w‖², with λ
    the penalty that `fit_ridge` chooses on the held-out rows and s the mean absolute residual
    of its solution (at least a hundredth of the targets' spread): where all residuals are
    equally large, both have the same solution. Since |r| ≤ r² / (2 |r₀|) + |r₀| / 2, with
    equality at r = r₀, ridge with weights 1 / |r₀| from the last residuals never increases the
    L1 loss. Its normal equations are solved for all outputs at once by conjugate gradients,
    preconditioned in the features' eigenbasis and started from the last solution.

    Arguments are those of `fit_ridge`.
    """
    start = fit_ridge(x, y, held_out)
    x, y = x.double(), y.double()
    standard, x_mean, scale = standardise(x)
    rows = len(x)
    values, vectors = torch.linalg.eigh(standard.mT @ standard / rows)
    design = torch.cat([standard @ vectors, torch.ones(rows, 1, dtype=torch.float64)], dim=1)
    moments = design.mT @ (y - y.mean(0)) / rows
    diagonal = torch.cat([values.clamp_min(0), torch.ones(1, dtype=torch.float64)])[:, None]

    # Outputs that ridge fits exactly, such as the wrist's depth of 0, have no residual: a
    # hundredth of their spread replaces it.
    spread = 0.01 * (y - y.mean(0)).abs().mean(0) + 1e-12
    level = (start(x) - y).abs().mean(0).maximum(spread)
    ridge_penalty = start.penalty.expand(len(diagonal), -1).clone()
    ridge_penalty[-1] = 0  # The intercept is free.
    penalty = ridge_penalty / level
    solution = moments / (diagonal + ridge_penalty)
    solution[-1] = y.mean(0)
    for _ in range(_REWEIGHTINGS):
        residual = y - design @ solution
        weight = 1 / residual.abs().maximum(_SMALLEST * level)
        solution = solution + _descend(
            design,
            weight,
            penalty,
            design.mT @ (weight * residual) / rows - penalty * solution,
            1 / (weight.mean(0) * diagonal + penalty),
        )
    slopes = (vectors @ solution[:-1]) * scale[:, None]
    return Ridge(weight=slopes, bias=solution[-1] - x_mean @ slopes, penalty=start.penalty)


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


def _descend(
    design: Tensor, weight: Tensor, penalty: Tensor, gradient: Tensor, inverse: Tensor
) -> Tensor:
    """Step d from (Aᵀ W A / n + P) d = g by preconditioned conjugate gradients, per output."""
    step = torch.zeros_like(gradient)
    scaled = inverse * gradient
    direction = scaled.clone()
    power = (gradient * scaled).sum(0)
    tiny = torch.finfo(torch.float64).tiny
    for _ in range(_DESCENTS):
        image = design.mT @ (weight * (design @ direction)) / len(design) + penalty * direction
        length = power / (direction * image).sum(0).clamp_min(tiny)
        step = step + length * direction
        gradient = gradient - length * image
        scaled = inverse * gradient
        after = (gradient * scaled).sum(0)
        direction = scaled + after / power.clamp_min(tiny) * direction
        power = after
    return step
