"""L1 regression on cached features, by iteratively reweighted ridge."""

from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handssl.evaluation.ridge import Ridge, fit_ridge, standardise

_REWEIGHTINGS: Final = 20
_DESCENTS: Final = 12
"""Steps of conjugate gradients under one set of weights; each lowers the loss it majorises."""

_SMALLEST: Final = 1e-3
"""Residuals below this share of the mean one weigh no more than it."""


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
