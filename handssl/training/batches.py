"""The views of every batch of a run, as a function of (seed, epoch, batch) alone."""

import torch
from torch import Tensor

from handssl.augment import Composition, apply_views, sample_parameters
from handssl.data import Store
from handssl.training.randomness import stream
from handssl.training.step import PairOfViews
from handssl.training.timing import PartTimer
from handssl.training.workers import Workers


class Batches:
    """Pairs of views for every batch of every epoch.

    The images of an epoch are a permutation drawn from (seed, epoch), cut into batches; what does
    not fill an optimiser step is left out, another part in every epoch (D20). The parameters of
    views are drawn for the whole batch and cut to this worker's rows, so any number of workers
    sees the same views.

    Args:
        store: Images to train on.
        compositions: One a pair; each may differ between a pair's two views.
        seed: Source of every random number.
        size_px: Side of a view.
        batch_size: Images of a batch over all workers.
        device: Where views are made.
        workers: Who shares a batch.
        timer: Counts `data` and `augment`.
        compiled: Whether views are made with `torch.compile` where it is worth it.
    """

    def __init__(
        self,
        store: Store,
        compositions: tuple[Composition, ...],
        *,
        seed: int,
        size_px: int,
        batch_size: int,
        device: torch.device,
        workers: Workers,
        timer: PartTimer,
        compiled: bool = False,
    ) -> None:
        self._store = store
        self._centre_px = torch.from_numpy(store.centre_px)
        self._side_px = torch.from_numpy(store.side_px)
        self._compositions = compositions
        self._seed = seed
        self._size_px = size_px
        self._batch_size = batch_size
        self._device = device
        self._compiled = compiled
        self._rows = workers.rows(batch_size)
        self._timer = timer
        self._order: tuple[int, Tensor] = (0, torch.empty(0, dtype=torch.long))

    def pairs(self, epoch: int, batch: int) -> list[PairOfViews]:
        """This worker's views of a batch (from 0) of an epoch (from 1)."""
        with self._timer("data", on_host=True):
            first = batch * self._batch_size
            rows = self._epoch_order(epoch)[first : first + self._batch_size][self._rows].numpy()
            images = self._store.batch(rows)
            if self._device.type == "cuda":
                images = images.pin_memory().to(self._device, non_blocking=True)
            centre_px, side_px = self._centre_px[rows], self._side_px[rows]
        pairs = []
        with self._timer("augment"):
            for index, composition in enumerate(self._compositions):
                generators = (
                    stream(self._seed, "views", epoch, batch, index, side) for side in "ab"
                )
                a, b = (
                    apply_views(
                        images,
                        own,
                        {
                            name: values[self._rows]
                            for name, values in sample_parameters(
                                own, generator, self._batch_size
                            ).items()
                        },
                        size=self._size_px,
                        centre_px=centre_px,
                        side_px=side_px,
                        compiled=self._compiled,
                    )
                    for own, generator in zip(composition.views, generators, strict=True)
                )
                pairs.append(
                    PairOfViews(a.images, b.images, a.parameters, b.parameters, a.matrix, b.matrix)
                )
        return pairs

    def _epoch_order(self, epoch: int) -> Tensor:
        if self._order[0] != epoch:
            generator = stream(self._seed, "order", epoch)
            self._order = (epoch, torch.randperm(len(self._store), generator=generator))
        return self._order[1]
