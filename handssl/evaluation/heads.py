"""Pose heads by name, from an encoder's output to the 2.5D pose.

A linear layer reads pooled features; heat maps, their soft-argmax and depths read a feature map.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handssl.encoders import Encoder
from handssl.errors import ConfigError, require
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseHead:
    """A way from an encoder to the pose.

    Attributes:
        build: Makes the module for an encoder and the side of its views, px; the module returns
            21 × (u, v in fractions of the view's side, z_rel), flat.
        read: Computes the module's input from an encoder and images.
    """

    build: Callable[[Encoder, int], nn.Module]
    read: Callable[[Encoder, Tensor], Tensor]


def _linear(encoder: Encoder, size_px: int) -> nn.Module:
    head = nn.Linear(encoder.feature_dim, 3 * NUM_JOINTS)
    with torch.no_grad():
        # A new head predicts about the view's centre at the wrist's depth.
        head.weight.mul_(0.1)
        head.bias.copy_(torch.tensor([0.5, 0.5, 0.0]).repeat(NUM_JOINTS))
    return head


def _heatmap(encoder: Encoder, size_px: int) -> nn.Module:
    if encoder.map_channels is None:
        raise ConfigError(
            "head must be linear for an encoder that pools its features, but got head='heatmap'; "
            "choose an encoder with feature maps, such as hrnet_w18_small"
        )
    return HeatmapHead(encoder.map_channels, size_px)


POSE_HEADS: Final[Mapping[str, PoseHead]] = {
    "linear": PoseHead(build=_linear, read=Encoder.__call__),
    "heatmap": PoseHead(build=_heatmap, read=lambda encoder, images: encoder.feature_map(images)),
}


def pose_head(name: str, encoder: Encoder) -> tuple[str, PoseHead]:
    """A head and its name; `auto` is `heatmap` where the encoder has a feature map, else `linear`.

    Raises:
        ConfigError: If the name is unknown.
    """
    if name == "auto":
        name = "linear" if encoder.map_channels is None else "heatmap"
    choices = ", ".join(POSE_HEADS)
    require(name in POSE_HEADS, f"head must be auto, {choices}, but got head={name!r}")
    return name, POSE_HEADS[name]
