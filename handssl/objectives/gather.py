"""Tensors from all workers, with gradient."""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from handssl import distributed
from handssl.errors import ConfigError


class _GatherRows(torch.autograd.Function):
    """Concatenation over workers; its gradient is the sum of all workers' gradients.

    If every worker w differentiates its loss L_w, worker v's rows receive Σ_w ∂L_w/∂z_v. So the
    mean over workers of the parameters' gradients, which data-parallel training computes, is the
    gradient of mean_w L_w: that of the joined batch.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.n = len(rows)
        parts = [torch.empty_like(rows) for _ in range(distributed.world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)  # (workers × batch, dim)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        total = grad_outputs[0].contiguous().clone()  # (workers × batch, dim)
        dist.all_reduce(total)
        start = distributed.rank() * ctx.n
        return total[start : start + ctx.n]  # (batch, dim)


def gather_rows(rows: Float[Tensor, "batch dim"]) -> Float[Tensor, "all_workers dim"]:
    """The rows of all workers in the order of their ranks; a no-op for one worker.

    Raises:
        ConfigError: If the workers hold different numbers of rows.
    """
    workers = distributed.world_size()
    if workers == 1:
        return rows
    count = torch.tensor([len(rows)], device=rows.device)
    counts = [torch.empty_like(count) for _ in range(workers)]
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
    """A loss whose value is the mean over workers and whose gradient is this worker's."""
    if distributed.world_size() == 1:
        return loss
    return loss + (distributed.mean(loss) - loss.detach())
