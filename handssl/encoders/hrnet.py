"""HRNet as its authors use it for poses: timm's, up to the map of its finest branch."""

import re
from typing import Any, Final

import timm
from torch import nn

from handssl.encoders.resnet import Backbone, timm_backbone

HRNETS: Final = (
    "hrnet_w18_small",
    "hrnet_w18_small_v2",
    *(f"hrnet_w{width}" for width in (18, 30, 32, 40, 44, 48)),
)
"""Names in timm; the number is the finest branch's channels (16 in w18_small)."""

_TOWARDS_CLASSES: Final = re.compile(
    r"(?:incre_modules|downsamp_modules|final_layer|classifier)\.|stage4\.\d+\.fuse_layers\.[123]\."
)


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
