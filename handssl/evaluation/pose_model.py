"""An encoder with a head for the 2.5D pose, and the file that it travels in."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handssl.encoders import Encoder, EncoderConfig, build_encoder
from handssl.encoders.weights import check_preprocessing, preprocessing_of
from handssl.errors import DataError
from handssl.evaluation.heads import pose_head
from handssl.evaluation.probe import ProbeResult
from handssl.evaluation.root_depth import RootDepth
from handssl.evaluation.root_refiner import RootRefiner
from handssl.geometry import joints_from_25d
from handssl.training.checkpoint import load_checkpoint, save_checkpoint


class PoseModel(nn.Module):
    """Images of hands to 2.5D poses.

    Args:
        encoder: Images to features; taken over.
        name: Its name in `ENCODERS`, or `timm:<name>`.
        size_px: Side of the images it is made for.
        bone_m: Length of the reference bone that stands in for an unknown hand's, metres.
        head: A key of `POSE_HEADS`, or `auto`, which depends on the encoder.
        refine_root: Whether a `RootRefiner` corrects the root's depth when a pose is lifted.
        calibration: Root depth of lifting, of a probe with `lifting=calibrated`.

    Raises:
        ConfigError: If the head is unknown, or does not fit the encoder.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        name: str,
        size_px: int,
        bone_m: float,
        head: str = "auto",
        refine_root: bool = False,
        calibration: RootDepth | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head_name, kind = pose_head(head, encoder)
        self.head = kind.build(encoder, size_px)
        self._read = kind.read
        self.root_refiner = RootRefiner() if refine_root else None
        self.calibration = calibration
        self.name = name
        self.size_px = size_px
        self.bone_m = bone_m

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 63"]:
        """21 × (u, v in fractions of the view's side, z_rel), flat, of images in [0, 1]."""
        pose: Tensor = self.head(self._read(self.encoder, images))
        return pose

    def lift(
        self,
        joints_25d: Float[Tensor, "batch 21 3"],
        bone_m: Float[Tensor, " batch"],
        intrinsics: Float[Tensor, "batch 3 3"],
    ) -> Float[Tensor, "batch 21 3"]:
        """Joints in metres from (u px, v px, z_rel), as `joints_from_25d`."""
        if self.calibration is not None:
            return self.calibration(joints_25d, bone_m, intrinsics)
        root = None
        if self.root_refiner is not None:
            device = next(self.parameters()).device
            root = self.root_refiner(joints_25d.to(device), intrinsics.to(device))
            root = root.to(joints_25d.device)
        return joints_from_25d(joints_25d, bone_m, intrinsics, root=root)

    def parts(self) -> dict[str, nn.Module]:
        """Modules whose weights a file holds, by their names in the file."""
        parts = {"encoder": self.encoder.backbone, "head": self.head}
        return parts if self.root_refiner is None else {**parts, "root_refiner": self.root_refiner}

    def load_parts(self, content: Mapping[str, Any]) -> None:
        """Take over the weights of a file, strictly.

        Raises:
            RuntimeError: If they do not fit.
        """
        for name, part in self.parts().items():
            part.load_state_dict(content[name])

    @classmethod
    def from_probe(
        cls, encoder: Encoder, result: ProbeResult, *, name: str, size_px: int
    ) -> "PoseModel":
        """An encoder with the layer that a probe fitted to it, and the probe's lifting."""
        model = cls(
            encoder,
            name=name,
            size_px=size_px,
            bone_m=result.bone_m,
            head="linear",
            calibration=result.calibration,
        )
        assert isinstance(model.head, nn.Linear)
        with torch.no_grad():
            model.head.weight.copy_(result.layer.weight.mT)
            model.head.bias.copy_(result.layer.bias)
        return model

    def state(self) -> dict[str, Any]:
        """Content of a file from which `load` builds the model again, preprocessing included."""
        return {
            "pose_model": {
                "name": self.name,
                "bone_m": self.bone_m,
                "head": self.head_name,
                "refine_root": self.root_refiner is not None,
                "calibration": self.calibration and dataclasses.asdict(self.calibration),
            },
            "preprocessing": preprocessing_of(self.size_px),
            **{name: part.state_dict() for name, part in self.parts().items()},
        }

    def save(self, path: Path) -> None:
        """Write the model, whole or not at all."""
        save_checkpoint(path, self.state())

    @classmethod
    def load(cls, path: Path) -> "PoseModel":
        """A saved model, in evaluation mode; checkpoints of fine-tuning are such files too.

        Raises:
            DataError: If the file is missing, cut short, not of a pose model, or its parts do
                not fit each other.
            ConfigError: If it was made for another preprocessing.
        """
        if not path.is_file():
            raise DataError(f"checkpoint must be an existing file, but got checkpoint={path}")
        content = load_checkpoint(path)
        if "pose_model" not in content:
            raise DataError(
                f"checkpoint must hold a pose model, but {path} holds an encoder alone; fit a "
                "pose to it with `handssl probe --encoder FILE --store STORE --out POSE.pt`"
            )
        preprocessing = content["preprocessing"]
        check_preprocessing(preprocessing, source=path)
        about = content["pose_model"]
        depth = about.get("calibration")  # absent before lifting could be calibrated
        name = about["name"]
        model = cls(
            build_encoder(EncoderConfig(name=name)),
            name=name,
            size_px=preprocessing["size_px"],
            bone_m=about["bone_m"],
            head=about["head"],
            refine_root=about["refine_root"],
            calibration=depth and RootDepth(**depth),
        )
        try:
            model.load_parts(content)
        except (KeyError, RuntimeError) as error:
            raise DataError(
                f"the weights of {path} must be those of name={name!r}, but they do not fit "
                f"({str(error).splitlines()[-1].strip()}); save it again"
            ) from error
        return model.eval()
