"""The workers of one run: who this one is, which rows are its own, and means over all of them."""

import inspect
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from handssl.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """This worker's place in the default process group; one of one where there is no group.

    Attributes:
        rank: This worker, from 0.
        count: All workers.
        grouped: Whether a process group exists.
    """

    rank: int = 0
    count: int = 1
    grouped: bool = False

    @classmethod
    def current(cls) -> "Workers":
        """As `torch.distributed` says."""
        if dist.is_available() and dist.is_initialized():
            return cls(rank=dist.get_rank(), count=dist.get_world_size(), grouped=True)
        return cls()

    def rows(self, batch_size: int) -> slice:
        """This worker's rows of a global batch.

        Raises:
            ConfigError: If the workers cannot share the batch equally.
        """
        if batch_size % self.count:
            raise ConfigError(
                f"batch_size must be a multiple of the number of workers, {self.count}, but got "
                f"batch_size={batch_size}; every worker takes an equal share"
            )
        share = batch_size // self.count
        return slice(self.rank * share, (self.rank + 1) * share)

    def mean(self, values: Tensor) -> Tensor:
        """Mean over workers; the values themselves where there is one."""
        if self.count > 1:
            values = values.clone()
            dist.all_reduce(values)
            values = values / self.count
        return values

    def wait(self) -> None:
        """Until all workers have come here."""
        if self.count > 1:
            dist.barrier()

    def device_for(self, device: str | torch.device) -> torch.device:
        """The device, checked to exist.

        Raises:
            ConfigError: If CUDA is asked for and missing.
        """
        chosen = torch.device(device)
        if chosen.type == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                f"device must exist here, but got device={device} without CUDA; use device=cpu"
            )
        return chosen


def data_parallel(module: nn.Module) -> DistributedDataParallel:
    """The module with gradients averaged over the workers of the default group.

    Buffers are not sent around: running statistics are already those of all workers. The option
    that says so was renamed in PyTorch 2.15.
    """
    known = inspect.signature(DistributedDataParallel).parameters
    name = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    options: dict[str, Any] = {name: False, "gradient_as_bucket_view": True}
    return DistributedDataParallel(module, **options)
