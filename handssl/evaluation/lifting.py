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
from handssl.evaluation.metrics import joint_errors_cm, pose_metrics
from handssl.geometry import joints_from_25d

Lift = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From (u px, v px, z_rel), bone length and camera to metres, as `joints_from_25d`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """Predicted poses and their errors.

    Attributes:
        metrics: `pose_metrics`.
        prediction_m: (n, 21, 3) predicted joints, metres; NaN where a sample cannot be lifted
            to 3D because its reference bone has no label.
        error_cm: (n, 21) errors, NaN where a joint does not count.
        groups: (n,) groups of the images.
    """

    metrics: dict[str, float]
    prediction_m: NDArray[np.float32]
    error_cm: NDArray[np.float64]
    groups: Shaped[np.ndarray, " rows"]


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
    # (n, 63) -> (n, 21, 3): (u px, v px, z_rel).
    pixels = pose.double().view(-1, 21, 3) * torch.tensor([size_px, size_px, 1.0])
    prediction = torch.full(pixels.shape, torch.nan, dtype=torch.float64)
    prediction[usable] = lift(
        pixels[usable], labels.bone_m[usable].double(), labels.intrinsics[usable].double()
    )
    target = torch.from_numpy(store.joints_m)
    return Evaluated(
        metrics=pose_metrics(prediction, target, labels.valid),
        prediction_m=prediction.float().numpy(),
        error_cm=joint_errors_cm(prediction, target, labels.valid),
        groups=labels.groups,
    )
