"""CARE (Gupta et al., ICLR 2024): augmentations act as orthogonal maps on the projections."""

import dataclasses

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor

from handssl.augment import Composition
from handssl.distributed import mean_over_workers
from handssl.objectives.config import CareConfig
from handssl.objectives.contrastive import ContrastiveObjective
from handssl.objectives.objective import ObjectiveOutput, ViewPair


class CareObjective(ContrastiveObjective):
    """NT-Xent + λ · mean ‖offdiag(Z₁Z₁ᵀ) − offdiag(Z₂Z₂ᵀ)‖² per chunk.

    All images of a chunk share the parameters of their first view, and those of their second, so
    an orthogonal map of the projections per pair of parameters brings the term to zero.
    """

    config: CareConfig

    def __init__(self, config: CareConfig, composition: Composition, feature_dim: int) -> None:
        shared = dataclasses.replace(composition, shared_rows=config.chunk)
        super().__init__(config, shared, feature_dim)

    def loss(self, pair: ViewPair) -> ObjectiveOutput:
        """Loss of a pair; terms: those of contrastive, and orthogonality."""
        z_a, z_b = self.project(pair)
        contrastive = self.contrast(z_a, z_b)
        with torch.autocast(device_type=z_a.device.type, enabled=False):
            term = mean_over_workers(orthogonality(z_a, z_b, chunk=self.config.chunk))
        return ObjectiveOutput(
            loss=contrastive.loss + self.config.weight * term,
            terms={**contrastive.terms, "orthogonality": term.detach()},
        )


def orthogonality(
    z_a: Float[Tensor, "batch dim"], z_b: Float[Tensor, "batch dim"], *, chunk: int
) -> Float[Tensor, ""]:
    """Mean squared difference of the cosines between the images of a chunk, view against view.

    The mean is over all ordered pairs of different images of the same chunk; 0 if there is none.
    """
    unit_a, unit_b = nnf.normalize(z_a.float(), dim=1), nnf.normalize(z_b.float(), dim=1)
    total, count = unit_a.new_zeros(()), 0
    for a, b in zip(torch.split(unit_a, chunk), torch.split(unit_b, chunk), strict=True):
        # The diagonals are all 1 and cancel.
        total = total + (a @ a.mT - b @ b.mT).square().sum()
        count += len(a) * (len(a) - 1)
    return total / max(count, 1)
