"""The contrastive objective: projections of two views of an image agree (eq. 1)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handssl import distributed
from handssl.augment import Composition
from handssl.objectives.config import ContrastiveConfig
from handssl.objectives.nt_xent import nt_xent
from handssl.objectives.objective import ObjectiveOutput, PairObjective, ViewPair


class ContrastiveObjective(PairObjective):
    """NT-Xent on a projection head; one pair of views a step.

    The head, 512 → 2048 → 128 in the paper, is thrown away after pretraining.
    """

    config: ContrastiveConfig

    def __init__(
        self, config: ContrastiveConfig, composition: Composition, feature_dim: int
    ) -> None:
        super().__init__(config, composition)
        self.head = nn.Sequential(
            nn.Linear(feature_dim, config.hidden_dim),
            nn.BatchNorm1d(config.hidden_dim),
            nn.ReLU(),
            nn.Linear(config.hidden_dim, config.projection_dim, bias=False),
        )

    def loss(self, pair: ViewPair) -> ObjectiveOutput:
        """Loss of a pair; terms: nt_xent, negatives_per_anchor."""
        return self.contrast(*self.project(pair))

    def contrast(
        self, z_a: Float[Tensor, "batch dim"], z_b: Float[Tensor, "batch dim"]
    ) -> ObjectiveOutput:
        """NT-Xent of given projections, with its terms."""
        config = self.config
        loss = nt_xent(z_a, z_b, temperature=config.temperature, chunk_size=config.chunk_size)
        negatives = torch.tensor(2.0 * len(z_a) * distributed.world_size() - 2)
        terms = {"nt_xent": loss.detach(), "negatives_per_anchor": negatives}
        return ObjectiveOutput(loss=loss, terms=terms)

    def project(
        self, pair: ViewPair
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch dim"]]:
        """Projections of both views, with batch statistics over both together (D15)."""
        z_a, z_b = self.head(torch.cat([pair.features_a, pair.features_b])).chunk(2)
        return z_a, z_b
