"""From predicted 2.5D poses of labelled views to errors in 3D."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped
from numpy.typing import NDArray
from torch import Tensor

from handssl.data import Store
from handssl.evaluation.features import ViewLabels
from handssl.evaluation.metrics import (
    ERROR_ALIGNMENTS,
    joint_errors_cm,
    pose_metrics,
    uv_errors_pct,
    uv_metrics,
)
from handssl.geometry import joints_from_25d, project
from handssl.skeleton import WRIST

Lift = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From (u px, v px, z_rel), bone length and camera to metres, as `joints_from_25d`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """Predicted poses and their errors.

    Attributes:
        metrics: `pose_metrics` and `uv_metrics`.
        prediction_m: (n, 21, 3) predicted joints, metres; NaN where a sample cannot be lifted
            to 3D because its reference bone has no label.
        prediction_uv: (n, 21, 2) predicted joints in fractions of the box's side.
        errors: (n, 21) errors by name, NaN where a joint does not count: `error_cm`,
            `ra_error_cm`, `pa_error_cm` (proper rotations) and `uv_error_pct`.
        groups: (n,) groups of the images.
    """

    metrics: dict[str, float]
    prediction_m: NDArray[np.float32]
    prediction_uv: NDArray[np.float32]
    errors: dict[str, NDArray[np.float64]]
    groups: Shaped[np.ndarray, " rows"]

    def arrays(self) -> dict[str, Shaped[np.ndarray, "..."]]:
        """Content of `errors.npz`: errors, groups and predictions, small enough to publish.

        A pose is stored in cm about its wrist as half floats, precise to 0.01 cm within 16 cm.
        """
        root = self.prediction_m[:, WRIST]
        return {
            **{name: values.astype(np.float32) for name, values in self.errors.items()},
            "group": self.groups,
            "root_m": root,
            "pose_cm": (100 * (self.prediction_m - root[:, None])).astype(np.float16),
            "uv": self.prediction_uv.astype(np.float16),
        }


def pixels_of(pose: Float[Tensor, "n 63"], size_px: int) -> Float[Tensor, "n 21 3"]:
    """(u px, v px, z_rel) of poses whose (u, v) are in fractions of the view's side, float64."""
    return pose.double().view(-1, 21, 3) * torch.tensor([size_px, size_px, 1.0])


def evaluate_pose(
    pose: Float[Tensor, "n 63"],
    labels: ViewLabels,
    store: Store,
    *,
    size_px: int,
    lift: Lift = joints_from_25d,
) -> Evaluated:
    """Lift poses with the views' cameras and true bone lengths, and measure them.

    Args:
        pose: 21 × (u, v in fractions of the view's side, z_rel).
        labels: Labels of the views.
        store: The images of the views, in the same order.
        size_px: Side of a view.
        lift: Computes joints in metres.
    """
    # Samples whose reference bone is labelled: the depth of the others has no scale.
    usable = labels.valid.any(1)
    pixels = pixels_of(pose, size_px)
    prediction = torch.full(pixels.shape, torch.nan, dtype=torch.float64)
    prediction[usable] = lift(
        pixels[usable], labels.bone_m[usable].double(), labels.intrinsics[usable].double()
    )
    return _measure(prediction, pixels[..., :2] / size_px, labels, store)


def evaluate_joints(
    prediction_m: Float[Tensor, "n 21 3"], labels: ViewLabels, store: Store, *, size_px: int
) -> Evaluated:
    """Measure poses that are in 3D already; the arguments are those of `evaluate_pose`."""
    uv = project(prediction_m.double(), labels.intrinsics.double()) / size_px
    return _measure(prediction_m.double(), uv, labels, store)


def _measure(prediction: Tensor, uv: Tensor, labels: ViewLabels, store: Store) -> Evaluated:
    target = torch.from_numpy(store.joints_m)
    errors = {
        f"{prefix}error_cm": joint_errors_cm(prediction, target, labels.valid, alignment=alignment)
        for prefix, alignment in ERROR_ALIGNMENTS.items()
    }
    errors["uv_error_pct"] = uv_errors_pct(uv, labels.pose[..., :2], labels.valid)
    return Evaluated(
        metrics=pose_metrics(prediction, target, labels.valid)
        | uv_metrics(errors["uv_error_pct"]),
        prediction_m=prediction.float().numpy(),
        prediction_uv=uv.float().numpy(),
        errors=errors,
        groups=labels.groups,
    )
