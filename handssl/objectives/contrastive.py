"""The contrastive objective: projections of two views of an image agree (eq. 1)."""

import torch
from jaxtyping import Float
from torch import Tensor

from handssl import distributed
from handssl.augment import Composition
from handssl.objectives.config import ContrastiveConfig
from handssl.objectives.heads import ProjectionHead
from handssl.objectives.nt_xent import nt_xent
from handssl.objectives.objective import ObjectiveOutput, PairObjective, ViewPair


class ContrastiveObjective(PairObjective):
    """NT-Xent on a projection head; one pair of views a step."""

    config: ContrastiveConfig

    def __init__(
        self, config: ContrastiveConfig, composition: Composition, feature_dim: int
    ) -> None:
        super().__init__(config, composition)
        self.head = ProjectionHead(feature_dim, config.hidden_dim, config.projection_dim)

    def loss(self, pair: ViewPair) -> ObjectiveOutput:
        """Loss of a pair; terms: nt_xent, negatives_per_anchor."""
        return self.contrast(*self.project(pair))

    def contrast(
        self, z_a: Float[Tensor, "batch dim"], z_b: Float[Tensor, "batch dim"]
    ) -> ObjectiveOutput:
        """NT-Xent of given projections, with its terms."""
        loss = nt_xent(
            z_a, z_b, temperature=self.config.temperature, chunk_size=self.config.chunk_size
        )
        negatives = 2 * len(z_a) * distributed.world_size() - 2
        return ObjectiveOutput(
            loss=loss,
            terms={
                "nt_xent": loss.detach(),
                "negatives_per_anchor": torch.tensor(float(negatives)),
            },
        )

    def project(
        self, pair: ViewPair
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch dim"]]:
        """Projections of both views, with batch statistics over both together (D15)."""
        z = self.head(torch.cat([pair.features_a, pair.features_b]))
        z_a, z_b = z.chunk(2)
        return z_a, z_b
