"""Image-blind answers: poses that depend on labels of the training set, never on a pixel.

They are the least that an encoder must beat:

* `camera_mean`: the mean pose in the camera's frame;
* `crop_mean`, `crop_median`: the mean and the median 2.5D pose of the hand's crop, lifted like a
  prediction;
* `crop_depth`: the mean 2.5D pose, at the root depth that the crop's side implies;
* `medoid`: the training pose that is nearest to all others after Procrustes alignment.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from handssl.data import Store
from handssl.errors import DataError
from handssl.evaluation.features import crop_labels
from handssl.evaluation.lifting import Evaluated, Lift, evaluate_joints, evaluate_pose
from handssl.evaluation.metrics import POSE_METRICS
from handssl.evaluation.root_depth import RootDepth
from handssl.geometry import joints_from_25d
from handssl.skeleton import WRIST

_MEDOID_POSES: Final = 1000
"""Largest number of training poses, evenly spaced, among which the medoid is searched."""


def image_blind(train: Store, val: Store, *, size_px: int) -> dict[str, dict[str, float]]:
    """`pose_metrics` of the image-blind answers on a validation set.

    Args:
        train: Images whose labels make the answers.
        val: Images on which they are measured.
        size_px: Side of a view; it changes the numbers by rounding only.

    Returns:
        {"camera_mean" | "crop_mean" | "crop_median" | "crop_depth" | "medoid": `pose_metrics`}.

    Raises:
        DataError: If a split has no labelled joint whose reference bone is labelled too.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from handssl.data import open_or_build_store
        >>> from handssl.synthetic import generate_freihand
        >>> folder = Path(tempfile.mkdtemp())
        >>> generate_freihand(folder / "raw", poses=8, versions=1, workers=1)
        >>> store = open_or_build_store(folder / "raw", folder / "store", processes=1)
        >>> blind = image_blind(store.split("train"), store.split("val"), size_px=32)
        >>> sorted(blind)
        ['camera_mean', 'crop_depth', 'crop_mean', 'crop_median', 'medoid']
    """
    answers = image_blind_answers(train, val, size_px=size_px)
    return {
        name: {metric: answer.metrics[metric] for metric in POSE_METRICS}
        for name, answer in answers.items()
    }


def image_blind_answers(train: Store, val: Store, *, size_px: int) -> dict[str, Evaluated]:
    """The same answers with their poses and errors, and with the 2D metrics."""
    fitted, measured = crop_labels(train, size_px=size_px), crop_labels(val, size_px=size_px)
    if not fitted.valid.any():
        raise DataError(
            "the training split must have labelled joints, but got none whose reference bone is "
            "labelled too; check it with `handssl data doctor`"
        )
    joints_m = torch.from_numpy(train.joints_m)
    crop_mean = _centre(fitted.pose, fitted.valid, np.nanmean)
    crop_median = _centre(fitted.pose, fitted.valid, np.nanmedian)

    def in_camera(pose_m: Float[Tensor, "21 3"]) -> Evaluated:
        return evaluate_joints(pose_m.expand(len(val), 21, 3), measured, val, size_px=size_px)

    def in_crop(pose: Float[Tensor, "21 3"], lift: Lift = joints_from_25d) -> Evaluated:
        rows = pose.flatten().expand(len(val), 63)
        return evaluate_pose(rows, measured, val, size_px=size_px, lift=lift)

    return {
        "camera_mean": in_camera(_centre(joints_m, fitted.valid, np.nanmean)),
        "crop_mean": in_crop(crop_mean),
        "crop_median": in_crop(crop_median),
        "crop_depth": in_crop(crop_mean, RootDepth.of_crops(fitted)),
        "medoid": in_camera(_medoid(joints_m, fitted.valid)),
    }


def _centre(
    poses: Float[Tensor, "n 21 3"],
    valid: Bool[Tensor, "n 21"],
    centre_of: Callable[..., NDArray[np.float64]],
) -> Float[Tensor, "21 3"]:
    """Mean or median of every joint over its labels; a joint without any is at their mean."""
    known = torch.where(valid[..., None], poses, torch.nan).numpy()
    some = valid.any(0).numpy()  # joints with a label
    centre = np.empty(known.shape[1:])
    centre[some] = centre_of(known[:, some].astype(np.float64), axis=0)
    centre[~some] = centre[some].mean(0)
    return torch.from_numpy(centre)


def _medoid(
    joints_m: Float[Tensor, "n 21 3"], valid: Bool[Tensor, "n 21"]
) -> Float[Tensor, "21 3"]:
    """The pose with the smallest sum of squared Procrustes distances to the others.

    With P and Q centred and of unit norm, the residual of a rotated and scaled P is
    ‖q‖² (1 − (σ₁ + σ₂ ± σ₃)²) for the singular values of Pᵀ Q, the sign that of its determinant.
    Among the poses with the most labels; a missing joint lies where it is in the mean pose.
    """
    labels = valid.sum(1)
    rows = (labels == labels.max()).nonzero()[:, 0]
    rows = rows[torch.linspace(0, len(rows) - 1, min(len(rows), _MEDOID_POSES)).round().long()]
    from_wrist = joints_m - joints_m[:, WRIST : WRIST + 1]
    mean = _centre(from_wrist, valid, np.nanmean)
    filled = torch.where(valid[rows][..., None], from_wrist[rows].double(), mean)  # (m, 21, 3)
    poses = filled - filled.mean(1, keepdim=True)
    size = poses.square().sum((1, 2))  # (m,)
    unit = poses / size.sqrt()[:, None, None]
    cost = []
    for pose in unit:
        moments = unit.mT @ pose  # (m, 3, 3): to each of the others
        singular = torch.linalg.svdvals(moments)
        singular[:, 2] *= torch.linalg.det(moments).sign()
        cost.append((size * (1 - singular.sum(1).square())).sum())
    nearest = int(torch.stack(cost).argmin())
    return filled[nearest] + joints_m[rows[nearest], WRIST]
