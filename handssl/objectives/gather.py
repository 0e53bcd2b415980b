"""Tensors from all workers, with gradient."""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from handssl.errors import ConfigError


def world_size() -> int:
    """Number of workers; 1 outside torch.distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Index of this worker; 0 outside torch.distributed."""
    return dist.get_rank() if world_size() > 1 else 0


class _GatherRows(torch.autograd.Function):
    """Concatenation over workers; its gradient is the sum of all workers' gradients.

    If every worker w differentiates its own loss L_w, worker v's rows receive Σ_w ∂L_w/∂z_v, so
    the mean over workers of the parameters' gradients, which is what data-parallel training
    takes, is the gradient of mean_w L_w: that of the joined batch.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.n = len(rows)
        parts = [torch.empty_like(rows) for _ in range(world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        total = grad_outputs[0].contiguous().clone()
        dist.all_reduce(total)
        start = rank() * ctx.n
        return total[start : start + ctx.n]


def gather_rows(rows: Float[Tensor, "batch dim"]) -> Float[Tensor, "all_workers dim"]:
    """The rows of all workers in the order of their ranks; a no-op for one worker.

    Raises:
        ConfigError: Workers hold different numbers of rows.
    """
    if world_size() == 1:
        return rows
    count = torch.tensor([len(rows)], device=rows.device)
    counts = [torch.empty_like(count) for _ in range(world_size())]
    dist.all_gather(counts, count)
    sizes = [int(c) for c in counts]
    if len(set(sizes)) > 1:
        raise ConfigError(
            f"batch_size must be the same on all workers, but got batch_size={sizes}; choose a "
            "batch that divides by the number of workers"
        )
    gathered: Tensor = _GatherRows.apply(rows)
    return gathered


def mean_over_workers(loss: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """The mean over workers as value, this worker's own loss as gradient."""
    if world_size() == 1:
        return loss
    mean = loss.detach().clone()
    dist.all_reduce(mean)
    return loss + (mean / world_size() - loss.detach())
