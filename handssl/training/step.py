"""Forward pass of one batch: encoder on all views, objective on their features."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handssl.encoders import Encoder
from handssl.objectives import Objective, ViewPair
from handssl.training.timing import PartTimer


class PairOfViews(NamedTuple):
    """Two views of the same images, as one objective's pair needs them."""

    images_a: Float[Tensor, "batch 3 size size"]
    images_b: Float[Tensor, "batch 3 size size"]
    parameters_a: dict[str, Tensor]
    parameters_b: dict[str, Tensor]
    matrix_a: Float[Tensor, "batch 3 3"]
    matrix_b: Float[Tensor, "batch 3 3"]


class Step(nn.Module):
    """Encoder and objective as one module, so that one wrapper averages all their gradients.

    Both views of a pair go through the encoder together and share its batch statistics, as in
    the released code; separate pairs go separately.

    Args:
        encoder: The encoder.
        objective: The objective.
        timer: Counts `encoder` (its forward and backward) and `objective`.
    """

    def __init__(self, encoder: Encoder, objective: Objective, timer: PartTimer) -> None:
        super().__init__()
        self.encoder = encoder
        self.objective = objective
        self._timer = timer
        self.features_ready: float | torch.cuda.Event | None = None
        """Mark at which the last backward pass had left the objective and reached the encoder."""

    def forward(self, pairs: Sequence[PairOfViews]) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and the objective's terms for pairs of views."""
        self.features_ready = None
        view_pairs = []
        for pair in pairs:
            with self._timer("encoder"):
                images = torch.cat([pair.images_a, pair.images_b])
                features = self.encoder(images.contiguous(memory_format=torch.channels_last))
            if features.requires_grad:
                features.register_hook(self._reach_encoder)
            features_a, features_b = features.chunk(2)
            view_pairs.append(
                ViewPair(
                    features_a=features_a,
                    features_b=features_b,
                    views_a=pair.parameters_a,
                    views_b=pair.parameters_b,
                    matrix_a=pair.matrix_a,
                    matrix_b=pair.matrix_b,
                )
            )
        with self._timer("objective"):
            output = self.objective(view_pairs)
        return output.loss, output.terms

    def _reach_encoder(self, gradient: Tensor) -> None:
        if self.features_ready is None:
            self.features_ready = self._timer.now()
