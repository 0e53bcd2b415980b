"""Optimisers and the learning rate's schedule."""

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

import torch
from timm.optim.lamb import Lamb
from timm.optim.lars import Lars
from torch import Tensor, nn

from handssl.training.config import OptimizerConfig

_TRUST: Final = 0.02
_EPSILON: Final = 1e-8
"""Defaults of the LARS wrapper that the released code uses (lightning-bolts)."""


def learning_rate(step: int, *, peak_lr: float, warmup_steps: float, total_steps: int) -> float:
    """Learning rate of an optimiser step (from 0): linear warm-up, then cosine to 0.

    lr = peak · (step + 1) / warmup while step < warmup, then
    lr = peak · ½ (1 + cos(π (step − warmup) / (total − warmup))).

    The schedule spans the full run whatever the step at which a run is stopped. The released
    code starts at exactly 0, which makes its first step void; here the first step counts (D6).
    """
    if step < warmup_steps:
        return peak_lr * min(1.0, (step + 1) / warmup_steps)
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak_lr * 0.5 * (1 + math.cos(math.pi * progress))


def parameter_groups(modules: Iterable[nn.Module], weight_decay: float) -> list[dict[str, Any]]:
    """Two groups: kernels and matrices with weight decay; biases, norms and scalars without."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


class LarsAdam(torch.optim.Adam):
    """Adam on gradients that LARS has rescaled, as in the paper's released code.

    g ← q (g + λ w) with q = min(η ‖w‖ / (‖g‖ + λ ‖w‖ + ε) / lr, 1) where neither norm is 0, then
    a step of Adam without weight decay. Adam's update does not change when a parameter's gradient
    is multiplied by a constant, so only changes of q from step to step and Adam's ε keep this
    from being plain Adam; `lamb` is the sound form of such a wrapper.

    Args:
        params: Parameter groups; `weight_decay` is LARS's λ and never reaches Adam.
        lr: Learning rate.
        fused: As for Adam.
    """

    def __init__(
        self, params: list[dict[str, Any]], *, lr: float, fused: bool | None = None
    ) -> None:
        groups = [
            {"params": g["params"], "lars_weight_decay": g["weight_decay"], "weight_decay": 0.0}
            for g in params
        ]
        super().__init__(groups, lr=lr, fused=fused)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Rescale the gradients in place, then let Adam use them."""
        for group in self.param_groups:
            used: list[Tensor] = [p for p in group["params"] if p.grad is not None]
            if used:
                _lars(used, lr=group["lr"], weight_decay=group["lars_weight_decay"])
        loss: float | None = super().step(closure)
        return loss


def _lars(parameters: list[Tensor], *, lr: float, weight_decay: float) -> None:
    """Rescale the gradients in place; the only user of the private `torch._foreach_*`.

    The public way, two norms and three products a parameter, gives the same bits on a CPU, but a
    step of a ResNet-18 would launch some 300 kernels on a GPU where these launch a few.
    """
    gradients: list[Tensor] = [p.grad for p in parameters if p.grad is not None]
    weight_norms = torch.stack(torch._foreach_norm(parameters))
    gradient_norms = torch.stack(torch._foreach_norm(gradients))
    trust = _TRUST * weight_norms / (gradient_norms + weight_decay * weight_norms + _EPSILON)
    # lr is 0 at the very end of the cosine, where the ratio's limit is 1 after the clip.
    clipped = (trust / max(lr, torch.finfo(torch.float32).tiny)).clamp(max=1.0)
    adapts = (weight_norms > 0) & (gradient_norms > 0)
    scale = torch.where(adapts, clipped, 1.0)
    if weight_decay:
        decay = torch._foreach_mul(parameters, (adapts * weight_decay).unbind())
        torch._foreach_add_(gradients, decay)
    torch._foreach_mul_(gradients, scale.unbind())


def build_optimizer(
    config: OptimizerConfig, modules: Iterable[nn.Module], *, lr: float
) -> torch.optim.Optimizer:
    """Optimiser of a configuration over the modules' parameters.

    `lars_sgd` has momentum 0.9 and a trust coefficient of 0.001; `lamb` clips the global gradient
    norm at 1, as its common implementations do (both timm's defaults).
    """
    groups = parameter_groups(modules, config.weight_decay)
    match config.name:
        case "lars_adam":
            return LarsAdam(groups, lr=lr, fused=True)
        case "adam":
            return torch.optim.Adam(groups, lr=lr, fused=True)
        case "lamb":
            return Lamb(groups, lr=lr)
        case _:
            return Lars(groups, lr=lr, momentum=0.9)
