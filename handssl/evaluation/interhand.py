"""InterHand2.6M's number: millimetres, relative to each hand's root, a joint at a time."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from handssl.errors import DataError
from handssl.evaluation.metrics import joint_errors_cm


def interhand_mpjpe_mm(
    prediction_m: ArrayLike | torch.Tensor,
    target_m: ArrayLike | torch.Tensor,
    valid: ArrayLike | torch.Tensor,
    side: ArrayLike,
) -> dict[str, float]:
    """MPJPE of single hands as the data set's toolkit computes it, in millimetres.

    Right and left hands have 21 joints each. A joint counts where it and its hand's wrist are
    valid; its error is the distance after the wrist has been subtracted from prediction and
    target. The result is the mean over joints of every joint's mean, so that rare joints weigh
    as much as frequent ones; `pose_metrics` pools all errors instead.

    Args:
        prediction_m: (n, 21, 3) metres. Left hands may be mirrored: distances stay.
        target_m: (n, 21, 3) metres; where not valid it may be NaN.
        valid: (n, 21) joints that count.
        side: (n,) `right` or `left`.

    Returns:
        `mpjpe_mm` over the joints of both hands, and `right_mpjpe_mm` and `left_mpjpe_mm` of
        the hands that occur. The toolkit fails on joints that never occur; here they are left
        out.

    Raises:
        DataError: If no joint counts.
    """
    error_mm = 10 * joint_errors_cm(prediction_m, target_m, valid, alignment="root")
    sides = np.asarray(side)
    means: dict[str, NDArray[np.float64]] = {}
    for name in ("right", "left"):
        errors = error_mm[sides == name]
        counts = (~np.isnan(errors)).sum(0)
        occurs = counts > 0
        if occurs.any():
            means[name] = np.nansum(errors, axis=0)[occurs] / counts[occurs]
    if not means:
        raise DataError(
            "valid must leave at least one joint with its wrist on a right or left hand, but got "
            "none; check the labels with `handssl data doctor`"
        )
    result = {"mpjpe_mm": float(np.concatenate([*means.values()]).mean())}
    return result | {f"{name}_mpjpe_mm": float(joints.mean()) for name, joints in means.items()}
