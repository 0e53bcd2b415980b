"""How the workers of a run share its batches and average its gradients."""

import inspect
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from handssl.errors import ConfigError


def worker_rows(batch_size: int, *, rank: int, world_size: int) -> slice:
    """Rows of a global batch that a worker trains on.

    Raises:
        ConfigError: If the workers cannot share the batch equally.
    """
    if batch_size % world_size:
        raise ConfigError(
            f"batch_size must be a multiple of the number of workers, {world_size}, but got "
            f"batch_size={batch_size}; every worker takes an equal share"
        )
    share = batch_size // world_size
    return slice(rank * share, (rank + 1) * share)


def existing_device(device: str | torch.device) -> torch.device:
    """The device, checked to exist.

    Raises:
        ConfigError: If CUDA is asked for and missing.
    """
    chosen = torch.device(device)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            f"device must exist on this machine, but got device={device} without CUDA; use "
            "device=cpu"
        )
    return chosen


def data_parallel(module: nn.Module) -> DistributedDataParallel:
    """The module with gradients averaged over the workers of the default group.

    Buffers are not broadcast: running statistics are already those of all workers. PyTorch 2.15
    renamed the option that says so.
    """
    options = inspect.signature(DistributedDataParallel).parameters
    name = "forward_sync_buffers" if "forward_sync_buffers" in options else "broadcast_buffers"
    settings: dict[str, Any] = {name: False, "gradient_as_bucket_view": True}
    return DistributedDataParallel(module, **settings)
