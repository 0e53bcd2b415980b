"""Pose heads by name: from an encoder's output to the 2.5D pose."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from handssl.encoders import Encoder
from handssl.errors import ConfigError
from handssl.evaluation.heatmap import HeatmapHead
from handssl.skeleton import NUM_JOINTS


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
    if name not in POSE_HEADS:
        raise ConfigError(f"head must be auto, {', '.join(POSE_HEADS)}, but got head={name!r}")
    return name, POSE_HEADS[name]
