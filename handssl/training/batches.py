"""The views of every batch of a run, as a function of (seed, epoch, batch) alone."""

from dataclasses import dataclass

import torch
from torch import Tensor

from handssl.augment import Composition, Views, apply_views, sample_parameters
from handssl.data import Store
from handssl.errors import require
from handssl.training.randomness import stream
from handssl.training.timing import PartTimer


def worker_rows(batch_size: int, *, rank: int, world_size: int) -> slice:
    """Rows of a global batch that a worker trains on.

    Raises:
        ConfigError: If the workers cannot share the batch equally.
    """
    require(
        batch_size % world_size == 0,
        f"batch_size must be a multiple of the number of workers, {world_size}, but got "
        f"batch_size={batch_size}; every worker takes an equal share",
    )
    share = batch_size // world_size
    return slice(rank * share, (rank + 1) * share)


@dataclass(kw_only=True)
class Batches:
    """Pairs of views for every batch of every epoch.

    The images of an epoch are a permutation drawn from (seed, epoch), cut into batches; the
    images that do not fill an optimiser step are left out, others in every epoch (D20). The
    parameters of views are drawn for the whole batch and cut to this worker's rows, so any number
    of workers sees the same views.

    Attributes:
        store: Images to train on.
        compositions: One a pair; each may differ between a pair's two views.
        seed: Source of every random number.
        size_px: Side of a view.
        batch_size: Images of a batch over all workers.
        rows: This worker's rows of a batch.
        device: Where views are made.
        timer: Counts `data` and `augment`.
        compiled: Whether to make views with `torch.compile` where it is worth it.
    """

    store: Store
    compositions: tuple[Composition, ...]
    seed: int
    size_px: int
    batch_size: int
    rows: slice
    device: torch.device
    timer: PartTimer
    compiled: bool = False

    def __post_init__(self) -> None:
        self._centre_px = torch.from_numpy(self.store.centre_px)
        self._side_px = torch.from_numpy(self.store.side_px)
        self._order: tuple[int, Tensor] = (0, torch.empty(0, dtype=torch.long))

    def views(self, epoch: int, batch: int) -> list[tuple[Views, Views]]:
        """This worker's pairs of views in a batch (from 0) of an epoch (from 1)."""
        with self.timer("data", on_host=True):
            start = batch * self.batch_size
            rows = self._epoch_order(epoch)[start : start + self.batch_size][self.rows].numpy()
            images = self.store.batch(rows)
            if self.device.type == "cuda":
                images = images.pin_memory().to(self.device, non_blocking=True)
            centre_px, side_px = self._centre_px[rows], self._side_px[rows]

        def make(composition: Composition, generator: torch.Generator) -> Views:
            parameters = sample_parameters(composition, generator, self.batch_size)
            return apply_views(
                images,
                composition,
                {name: values[self.rows] for name, values in parameters.items()},
                size=self.size_px,
                centre_px=centre_px,
                side_px=side_px,
                compiled=self.compiled,
            )

        with self.timer("augment"):
            return [
                (
                    make(first, stream(self.seed, "views", epoch, batch, k, "a")),
                    make(second, stream(self.seed, "views", epoch, batch, k, "b")),
                )
                for k, (first, second) in enumerate(pair.views for pair in self.compositions)
            ]

    def _epoch_order(self, epoch: int) -> Tensor:
        if self._order[0] != epoch:
            generator = stream(self.seed, "order", epoch)
            self._order = (epoch, torch.randperm(len(self.store), generator=generator))
        return self._order[1]
