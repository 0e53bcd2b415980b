"""The process group of `torch.distributed`: rank, number of workers, mean and agreement.

Every function also works without a process group, as for the only worker of one.
"""

from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

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
