"""Backbones without their classifier: torchvision's ResNets, and any model of timm by name."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import timm
import torchvision
from torch import nn

from handssl.errors import ConfigError

CLASSIFIER: Final = re.compile(r"(?:fc|classifier|head\.fc)\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """How to build one architecture, and where its ImageNet weights come from.

    Attributes:
        build: Returns the module and its width; its parameters are drawn from torch's current
            random state.
        imagenet: Returns the state dict of the ImageNet weights, from the cache or the network.
        gives_map: Whether the module gives feature maps, [(B, width, H / 4, W / 4)], instead of
            vectors, (B, width).
        unused: Matches keys of published weights without a counterpart in the module, from their
            beginning.
    """

    build: Callable[[], tuple[nn.Module, int]]
    imagenet: Callable[[], dict[str, object]]
    gives_map: bool = False
    unused: re.Pattern[str] = CLASSIFIER


def torchvision_resnet(name: str) -> Backbone:
    """One of torchvision's ResNets, with its pooled features instead of the classifier.

    ImageNet weights are IMAGENET1K_V1, those that the paper's released code starts from.
    """

    def build() -> tuple[nn.Module, int]:
        model = torchvision.models.get_model(name, weights=None)
        feature_dim = model.fc.in_features
        model.fc = nn.Identity()
        return model, feature_dim

    def imagenet() -> dict[str, object]:
        weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
        return dict(weights.get_state_dict(progress=False, check_hash=True))

    return Backbone(build=build, imagenet=imagenet)


def timm_backbone(name: str) -> Backbone:
    """Any model that timm knows, with its pooled features instead of the classifier.

    Raises:
        ConfigError: If timm has no model of that name.
    """
    if not timm.is_model(name):
        close = ", ".join(difflib.get_close_matches(name, timm.list_models(), n=6)) or "none"
        raise ConfigError(
            f"encoder.name must name a model of timm after 'timm:', but got name='timm:{name}'; "
            f"similar names: {close}"
        )

    def build() -> tuple[nn.Module, int]:
        model: Any = timm.create_model(name, pretrained=False, num_classes=0)
        return model, int(model.head_hidden_size)

    def imagenet() -> dict[str, object]:
        return dict(timm.create_model(name, pretrained=True, num_classes=0).state_dict())

    return Backbone(build=build, imagenet=imagenet)
