"""Small networks between the features and a loss; all are thrown away after pretraining."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ProjectionHead(nn.Sequential):
    """Linear, batch norm, ReLU, linear without bias: 512 → 2048 → 128 in the paper."""

    def __init__(self, feature_dim: int, hidden_dim: int, projection_dim: int) -> None:
        super().__init__(
            nn.Linear(feature_dim, hidden_dim),
            nn.BatchNorm1d(hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, projection_dim, bias=False),
        )


class RelativeHead(nn.Module):
    """g_t(h_i, h_j): concatenation, linear, ReLU, linear: 1024 → 1024 → dim in the paper."""

    def __init__(self, feature_dim: int, target_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * feature_dim, 2 * feature_dim),
            nn.ReLU(),
            nn.Linear(2 * feature_dim, target_dim),
        )

    def forward(
        self, features_i: Float[Tensor, "batch dim"], features_j: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch target_dim"]:
        """Predicted relative parameters of each ordered pair (i, j)."""
        prediction: Tensor = self.layers(torch.cat([features_i, features_j], dim=1))
        return prediction
