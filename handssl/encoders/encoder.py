"""The encoder: normalisation and a backbone, by name, from random or given weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor, nn

from handssl.encoders.backbones import (
    HRNETS,
    Backbone,
    hrnet,
    timm_backbone,
    torchvision_resnet,
)
from handssl.encoders.weights import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    check_preprocessing,
    imagenet_weights,
    load_backbone,
    stated_preprocessing,
    weights_file,
)
from handssl.errors import ConfigError

ENCODERS: Final[Mapping[str, Backbone]] = {
    **{
        name: torchvision_resnet(name)
        for name in ("resnet18", "resnet34", "resnet50", "resnet152")
    },
    "resnet10t": timm_backbone("resnet10t"),
    **{name: hrnet(name) for name in HRNETS},
}
"""Encoders by name; `timm:<name>` takes any other backbone of timm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Which encoder, and from which weights it starts.

    Attributes:
        name: A key of `ENCODERS`, or `timm:<name>`.
        weights: `random`, `imagenet`, or the path of a file of weights.
    """

    name: str = "resnet18"
    weights: str = "random"

    def __post_init__(self) -> None:
        _backbone(self.name)
        if not self.weights:
            raise ConfigError(
                "encoder.weights must be random, imagenet or a path, but got weights=''"
            )


class Encoder(nn.Module):
    """Images in [0, 1] to feature vectors; the normalisation is part of it.

    Attributes:
        backbone: The architecture; its state dict has torchvision's or timm's keys.
        feature_dim: Length of a feature vector.
        map_channels: Channels of its feature map; None if it pools its features.
    """

    mean: Tensor
    std: Tensor
    map_channels: int | None = None

    def __init__(self, backbone: nn.Module, feature_dim: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.feature_dim = feature_dim
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None], persistent=False)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch feature"]:
        """Features of RGB images with values in [0, 1]."""
        features: Tensor = self.backbone(self.normalised(images))
        return features

    def feature_map(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Features on a grid of positions, for heads that localise joints.

        Raises:
            ConfigError: If the encoder pools its features.
        """
        raise ConfigError(
            "encoder.name must be of an encoder with feature maps, such as hrnet_w18_small, but "
            f"got one that pools them to feature_dim={self.feature_dim}"
        )

    def normalised(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Images as the backbone takes them."""
        return (images - self.mean) / self.std


class MapEncoder(Encoder):
    """An encoder with a feature map, flattened for objectives and probes, which take vectors.

    The map is averaged onto a grid of 8 × 8 cells before it is flattened (D21), so that a feature
    vector's length does not depend on the view's size, and position is still encoded.
    """

    grid: Final = 8

    def __init__(self, backbone: nn.Module, map_channels: int) -> None:
        super().__init__(backbone, map_channels * self.grid**2)
        self.map_channels = map_channels

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch feature"]:
        """The flattened map of RGB images with values in [0, 1]."""
        return nnf.adaptive_avg_pool2d(self.feature_map(images), self.grid).flatten(1)

    def feature_map(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Features on a grid of a quarter of the images' size."""
        features: Tensor
        (features,) = self.backbone(self.normalised(images))
        return features


def build_encoder(config: EncoderConfig) -> Encoder:
    """Encoder of a configuration, on the CPU; random weights come from torch's current state.

    Raises:
        ConfigError: If ImageNet weights cannot be downloaded, or a file was made for another
            normalisation.
        DataError: If a file of weights is missing, broken or of another architecture.

    Example:
        >>> encoder = build_encoder(EncoderConfig(name="resnet10t"))
        >>> tuple(encoder(torch.rand(2, 3, 32, 32)).shape)
        (2, 512)
    """
    backbone = _backbone(config.name)
    module, width = backbone.build()
    if config.weights == "imagenet":
        weights = imagenet_weights(config.name, backbone)
        load_backbone(module, weights, source="ImageNet", unused=backbone.unused)
    elif config.weights != "random":
        path = Path(config.weights)
        weights = weights_file(path)
        if (stated := stated_preprocessing(path)) is not None:
            check_preprocessing(stated, source=path)
        load_backbone(module, weights, source=config.weights, unused=backbone.unused)
    return MapEncoder(module, width) if backbone.gives_map else Encoder(module, width)


def _backbone(name: str) -> Backbone:
    if name in ENCODERS:
        return ENCODERS[name]
    if name.startswith("timm:"):
        return timm_backbone(name.removeprefix("timm:"))
    raise ConfigError(
        f"encoder.name must be one of {', '.join(ENCODERS)} or timm:<name>, but got name={name!r}"
    )
