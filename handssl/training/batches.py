"""The views of every batch of a run, as a function of (seed, epoch, batch) alone."""

import torch
from torch import Tensor

from handssl.augment import Composition, Views, apply_views, sample_parameters
from handssl.data import Store
from handssl.training.randomness import stream
from handssl.training.timing import PartTimer


class Batches:
    """Pairs of views for every batch of every epoch.

    The images of an epoch are a permutation drawn from (seed, epoch), cut into batches; the
    images that do not fill an optimiser step are left out, others in every epoch (D20). The
    parameters of views are drawn for the whole batch and cut to this worker's rows, so any number
    of workers sees the same views.

    Args:
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

    def __init__(
        self,
        store: Store,
        compositions: tuple[Composition, ...],
        *,
        seed: int,
        size_px: int,
        batch_size: int,
        rows: slice,
        device: torch.device,
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
        self._rows = rows
        self._device = device
        self._timer = timer
        self._compiled = compiled
        self._order: tuple[int, Tensor] = (0, torch.empty(0, dtype=torch.long))

    def views(self, epoch: int, batch: int) -> list[tuple[Views, Views]]:
        """This worker's pairs of views in a batch (from 0) of an epoch (from 1)."""
        with self._timer("data", on_host=True):
            first = batch * self._batch_size
            rows = self._epoch_order(epoch)[first : first + self._batch_size][self._rows].numpy()
            images = self._store.batch(rows)
            if self._device.type == "cuda":
                images = images.pin_memory().to(self._device, non_blocking=True)
            centre_px, side_px = self._centre_px[rows], self._side_px[rows]

        def make(composition: Composition, generator: torch.Generator) -> Views:
            parameters = sample_parameters(composition, generator, self._batch_size)
            return apply_views(
                images,
                composition,
                {name: values[self._rows] for name, values in parameters.items()},
                size=self._size_px,
                centre_px=centre_px,
                side_px=side_px,
                compiled=self._compiled,
            )

        with self._timer("augment"):
            return [
                (
                    make(composition.views[0], stream(self._seed, "views", epoch, batch, k, "a")),
                    make(composition.views[1], stream(self._seed, "views", epoch, batch, k, "b")),
                )
                for k, composition in enumerate(self._compositions)
            ]

    def _epoch_order(self, epoch: int) -> Tensor:
        if self._order[0] != epoch:
            generator = stream(self._seed, "order", epoch)
            self._order = (epoch, torch.randperm(len(self._store), generator=generator))
        return self._order[1]
