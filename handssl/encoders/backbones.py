"""Backbones without their classifier: torchvision's ResNets, HRNets, any model of timm by name."""

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

HRNETS: Final = (
    "hrnet_w18_small",
    "hrnet_w18_small_v2",
    *(f"hrnet_w{width}" for width in (18, 30, 32, 40, 44, 48)),
)
"""Names in timm; the number is the finest branch's channels (16 in w18_small)."""

_TOWARDS_CLASSES: Final = re.compile(
    r"(?:incre_modules|downsamp_modules|final_layer|classifier)\.|stage4\.\d+\.fuse_layers\.[123]\."
)


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


def hrnet(name: str) -> Backbone:
    """High-resolution network (Wang et al. 2020, HRNetV1) with a map at a quarter of the view.

    The four branches run at 1/4, 1/8, 1/16 and 1/32 of the view's side, exchange their
    features after every module, and the finest one, which the last exchange has fused with all
    others, is the result. Published weights continue towards the classes of ImageNet, from all
    four branches; the layers for that are left out here and in state dicts. All other
    keys are timm's.
    """

    def build() -> tuple[nn.Module, int]:
        model: Any = timm.create_model(
            name, pretrained=False, features_only=True, feature_location="", out_indices=(1,)
        )
        # Every remaining parameter takes part in the map: workers that average gradients would
        # wait forever for a parameter that gets none.
        del model.stage4[-1].fuse_layers[1:]
        return model, int(model.feature_info.channels()[0])

    return Backbone(
        build=build, imagenet=timm_backbone(name).imagenet, gives_map=True, unused=_TOWARDS_CLASSES
    )
