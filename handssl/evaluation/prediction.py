"""The pose in a photograph, without joints to crop about: two passes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from handssl.augment.warp import warp
from handssl.data.camera import mirror_intrinsics, mirror_joints
from handssl.data.store.boxes import MARGIN, Box
from handssl.errors import require
from handssl.evaluation.pose_model import PoseModel
from handssl.skeleton import SCALE_BONE

_FIRST_HALF_SIDE: Final = 0.33
"""Of the first box, over the image's shorter side: the protocol's 0.33, read as half a side."""

_FOCAL: Final = 1.2
"""Focal length over the image's longer side where no camera is known: 45° of view, a phone's."""

_SIDES: Final = (0.05, 2.0)
"""Bounds of the second box's side over the image's longer side: a first guess may be absurd."""

_SHORTEST_M: Final = 1e-3
"""A predicted bone counts as at least this long when it is scaled to a known length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedPose:
    """A hand's pose in an image.

    Attributes:
        joints_px: (21, 2) pixels of the image, first pixel's centre at 0.
        joints_m: (21, 3) camera frame, metres.
        box: The square that the prediction used.
    """

    joints_px: NDArray[np.float64]
    joints_m: NDArray[np.float64]
    box: Box


def default_intrinsics(width_px: int, height_px: int) -> NDArray[np.float64]:
    """Camera matrix of an image whose camera is unknown: 1.2 × its longer side as focal length.

    Directions and proportions depend on it little, the distance from the camera in proportion.
    """
    focal = _FOCAL * max(width_px, height_px)
    return np.array([[focal, 0, (width_px - 1) / 2], [0, focal, (height_px - 1) / 2], [0, 0, 1.0]])


def predict_pose(
    model: PoseModel,
    image: NDArray[np.uint8],
    intrinsics: NDArray[np.float64],
    *,
    bone_m: float | None = None,
    scale_m: float | None = None,
    left: bool = False,
) -> PredictedPose:
    """Predict in a centred box of the image, then in a box about the predicted joints.

    Args:
        model: In evaluation mode, on any device.
        image: (H, W, 3) RGB with one hand, roughly in its middle.
        intrinsics: (3, 3) its camera matrix, pixels.
        bone_m: Length of the hand's reference bone (wrist to index MCP); where unknown, the mean
            of the hands that the model was fitted to, and lengths scale with it.
        scale_m: Length of the middle finger's proximal bone, FreiHAND's `scale`; where known, it
            counts instead: the hand, and its distance with it, is scaled so that the bone has it.
        left: It is a left hand: mirrored for the model, and the result mirrored back.

    Raises:
        ConfigError: If the camera matrix is unusable.
    """
    require(
        intrinsics.shape == (3, 3) and bool(np.isfinite(intrinsics).all()),
        f"intrinsics must be a finite 3 × 3 matrix, but got intrinsics={intrinsics.tolist()}",
    )
    require(
        abs(np.linalg.det(intrinsics)) >= 1e-9,
        "intrinsics must be invertible, but got a singular "
        f"intrinsics={intrinsics.tolist()}; leave it out if the camera is unknown",
    )
    height, width = image.shape[:2]
    camera = mirror_intrinsics(intrinsics, width) if left else intrinsics
    pixels = torch.from_numpy(np.ascontiguousarray(image[:, ::-1] if left else image))
    pixels = pixels.permute(2, 0, 1)[None]
    side_px = 2 * _FIRST_HALF_SIDE * min(width, height)
    box = Box(centre_px=((width - 1) / 2, (height - 1) / 2), side_px=side_px)
    joints_px, _ = _predict_in(model, pixels, box, camera, model.bone_m)
    box = _box_about(joints_px, width, height)
    joints_px, joints_m = _predict_in(model, pixels, box, camera, bone_m or model.bone_m)
    if scale_m is not None:
        length = float(np.linalg.norm(joints_m[SCALE_BONE[1]] - joints_m[SCALE_BONE[0]]))
        joints_m = joints_m * (scale_m / max(length, _SHORTEST_M))
    if left:
        joints_px = np.stack([width - 1 - joints_px[:, 0], joints_px[:, 1]], axis=1)
        joints_m = mirror_joints(joints_m)
        box = Box(centre_px=(width - 1 - box.centre_px[0], box.centre_px[1]), side_px=box.side_px)
    return PredictedPose(joints_px=joints_px, joints_m=joints_m, box=box)


def _predict_in(
    model: PoseModel,
    pixels: torch.Tensor,
    box: Box,
    intrinsics: NDArray[np.float64],
    bone_m: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Joints in pixels of the image and in metres, from the view of one box."""
    size = model.size_px
    zoom = size / box.side_px
    matrix = torch.eye(3, dtype=torch.float64)[None] * zoom
    matrix[0, :2, 2] = size / 2 - 0.5 - torch.tensor(box.centre_px, dtype=torch.float64) * zoom
    matrix[0, 2, 2] = 1
    device = next(model.parameters()).device
    with torch.no_grad():
        view = warp(pixels.to(device), matrix, size)
        pose = model(view).double().cpu().view(1, 21, 3) * torch.tensor([size, size, 1.0])
        camera = matrix @ torch.from_numpy(intrinsics)
        joints_m = model.lift(pose, torch.tensor([bone_m], dtype=torch.float64), camera)
    joints_px = (pose[0, :, :2] - matrix[0, :2, 2]) / zoom
    return joints_px.numpy(), joints_m[0].numpy()


def _box_about(joints_px: NDArray[np.float64], width: int, height: int) -> Box:
    """The box about predicted joints, as stores have it about labelled ones."""
    centre = joints_px.mean(axis=0)
    side = 2 * MARGIN * float(np.linalg.norm(joints_px - centre, axis=1).max())
    smallest, largest = (bound * max(width, height) for bound in _SIDES)
    side = min(max(side, smallest), largest)
    centre = centre.clip(0, (width - 1, height - 1))
    return Box(centre_px=(float(centre[0]), float(centre[1])), side_px=side)
