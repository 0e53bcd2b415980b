"""The process group of `torch.distributed`: rank, number of workers, mean, agreement, gathering.

Every function also works without a process group, as for the only worker of one.
"""

from typing import Any, TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from handssl.errors import ConfigError

T = TypeVar("T")


def in_group() -> bool:
    """Whether this process is in a process group."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Index of this worker, from 0."""
    return dist.get_rank() if in_group() else 0


def world_size() -> int:
    """Number of workers."""
    return dist.get_world_size() if in_group() else 1


def mean(values: Tensor) -> Tensor:
    """Mean over the workers, without a gradient; with one worker, the values themselves.

    Example:
        >>> mean(torch.tensor([1.0, 2.0]))
        tensor([1., 2.])
    """
    if world_size() == 1:
        return values
    total = values.detach().clone()
    dist.all_reduce(total)
    return total / world_size()


def barrier() -> None:
    """Wait until all workers have called this."""
    if world_size() > 1:
        dist.barrier()


def from_first_worker(value: T, device: str | torch.device) -> T:
    """The value of worker 0, on every worker.

    Args:
        value: Any picklable value; that of worker 0 counts.
        device: Device of this worker, over which the group communicates.
    """
    values = [value]
    if in_group():
        dist.broadcast_object_list(values, device=torch.device(device))
    return values[0]


class _GatherRows(torch.autograd.Function):
    """Concatenation over workers; its gradient is the sum of all workers' gradients.

    If every worker w differentiates its loss L_w, worker v's rows receive Σ_w ∂L_w/∂z_v. So the
    mean over workers of the parameters' gradients, which data-parallel training computes, is the
    gradient of mean_w L_w: that of the joined batch.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.n = len(rows)
        parts = [torch.empty_like(rows) for _ in range(world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)  # (workers × batch, dim)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        total = grad_outputs[0].contiguous().clone()  # (workers × batch, dim)
        dist.all_reduce(total)
        start = rank() * ctx.n
        return total[start : start + ctx.n]  # (batch, dim)


def gather_rows(rows: Float[Tensor, "batch dim"]) -> Float[Tensor, "all_workers dim"]:
    """The rows of all workers in the order of their ranks; a no-op for one worker.

    Raises:
        ConfigError: If the workers hold different numbers of rows.
    """
    workers = world_size()
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
    if world_size() == 1:
        return loss
    return loss + (mean(loss) - loss.detach())
