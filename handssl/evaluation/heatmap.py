"""The 2.5D pose from a feature map: heat maps, their soft-argmax, and depths under them."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handssl.skeleton import NUM_JOINTS


def soft_argmax(
    scores: Float[Tensor, "batch joints rows columns"],
    depths: Float[Tensor, "batch joints rows columns"],
) -> Float[Tensor, "batch joints 3"]:
    """Expected position and depth under the heat map that scores make.

    With p = softmax of a joint's scores over all cells, u = Σ p (column + ½) / columns,
    v = Σ p (row + ½) / rows, z = Σ p depth (Iqbal et al. 2018, latent 2.5D heat maps).

    Args:
        scores: Logarithms of the heat maps, up to a constant.
        depths: z_rel of each joint, if it were in that cell.

    Returns:
        (u, v, z_rel): u and v in shares of the map, 0 and 1 at its outer edges.
    """
    rows, columns = scores.shape[-2:]
    # Outside autocast: half precision counts cells no finer than an eighth of a pixel.
    heat = scores.float().flatten(2).softmax(dim=-1).view(scores.shape)
    u = heat.sum(-2) @ _centres(columns, heat)
    v = heat.sum(-1) @ _centres(rows, heat)
    return torch.stack([u, v, (heat * depths.float()).sum((-2, -1))], dim=-1)


class HeatmapHead(nn.Module):
    """Feature map to 2.5D pose: for each joint a heat map and a map of depths (D22).

    scores = β · H and depths = D, with (H, D) a 1 × 1 convolution of the feature map and β, the
    sharpness of a joint's heat maps, learned. A new head predicts about the view's centre at the
    wrist's depth.

    Args:
        channels: Of the feature map.
        size_px: Side of the view that the map is of.
    """

    def __init__(self, channels: int, size_px: int) -> None:
        super().__init__()
        self.maps = nn.Conv2d(channels, 2 * NUM_JOINTS, kernel_size=1)
        for parameter in self.maps.parameters():
            nn.init.normal_(parameter, std=0.001)
        self.sharpness = nn.Parameter(torch.ones(NUM_JOINTS))
        self._half_px = 0.5 / size_px

    def forward(
        self, features: Float[Tensor, "batch channels rows columns"]
    ) -> Float[Tensor, "batch 63"]:
        """21 × (u, v in fractions of the view's side, z_rel), flat."""
        scores, depths = self.maps(features).chunk(2, dim=1)
        pose = soft_argmax(scores * self.sharpness[:, None, None], depths)
        # The first pixel's centre is at 0, half a pixel from the edge.
        shift = torch.tensor([self._half_px, self._half_px, 0.0], device=pose.device)
        return (pose - shift).flatten(1)


def _centres(count: int, like: Tensor) -> Tensor:
    return (torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) / count
