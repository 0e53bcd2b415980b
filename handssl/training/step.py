"""Forward pass of one batch: encoder on all views, objective on their features."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from handssl.augment import Views
from handssl.encoders import Encoder
from handssl.objectives import Objective, ObjectiveOutput, ViewPair
from handssl.training.timing import PartTimer


class Step(nn.Module):
    """Encoder and objective as one module, so that one wrapper averages all their gradients.

    Both views of a pair go through the encoder together and share its batch statistics, as in
    the released code; separate pairs go separately.

    Args:
        encoder: The encoder.
        objective: The objective.
        timer: Counts the forward passes of `encoder` and `objective`.
    """

    def __init__(self, encoder: Encoder, objective: Objective, timer: PartTimer) -> None:
        super().__init__()
        self.encoder = encoder
        self.objective = objective
        self._timer = timer

    def forward(
        self, views: Sequence[tuple[Views, Views]]
    ) -> tuple[ObjectiveOutput, list[Tensor]]:
        """Loss and terms for the pairs of views of one batch, and (2B, D) features of each."""
        features, pairs = [], []
        for a, b in views:
            with self._timer("encoder"):
                images = torch.cat([a.images, b.images])  # (2B, 3, size, size)
                encoded = self.encoder(images.contiguous(memory_format=torch.channels_last))
            features.append(encoded)
            features_a, features_b = encoded.chunk(2)  # (B, D) each
            pairs.append(ViewPair(a=a, b=b, features_a=features_a, features_b=features_b))
        with self._timer("objective"):
            return self.objective(pairs), features


def data_parallel(module: nn.Module) -> DistributedDataParallel:
    """The module with gradients averaged over the workers of the default group.

    Buffers are not broadcast: running statistics are already those of all workers. PyTorch 2.15
    renamed the option that says so.
    """
    options = inspect.signature(DistributedDataParallel).parameters
    name = "forward_sync_buffers" if "forward_sync_buffers" in options else "broadcast_buffers"
    buffers: dict[str, Any] = {name: False}
    return DistributedDataParallel(module, gradient_as_bucket_view=True, **buffers)
