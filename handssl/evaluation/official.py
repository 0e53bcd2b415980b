"""Official evaluations: FreiHAND's contest (file and numbers) and InterHand2.6M's toolkit."""

import json
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from handssl.atomic import atomic_path
from handssl.errors import DataError
from handssl.evaluation.metrics import joint_errors_cm, pck_auc, pose_metrics
from handssl.skeleton import JOINT_NAMES, WRIST

CONTEST_IMAGES: Final = 3960
"""Images of FreiHAND's evaluation set."""

_VERTICES: Final = 778


def write_submission(path: Path, joints_m: NDArray[np.float64]) -> None:
    """Write `pred.json`, zipped: [joints, vertices] of every image, in the evaluation's order.

    Args:
        path: The zip file.
        joints_m: (n, 21, 3); the contest has n = `CONTEST_IMAGES`. No mesh is predicted: zeros.
    """
    mesh = [[[0, 0, 0]] * _VERTICES] * len(joints_m)
    content = json.dumps([np.round(joints_m, 8).tolist(), mesh], separators=(",", ":"))
    with (
        atomic_path(path) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr("pred.json", content)


def read_submission(path: Path) -> NDArray[np.float64]:
    """(n, 21, 3) joints of a submission, a zip file or the JSON itself.

    Raises:
        DataError: If it is missing or of another form.
    """
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                content = json.loads(archive.read("pred.json"))
        else:
            content = json.loads(path.read_text(encoding="utf-8"))
        return _joints(content[0])
    except (OSError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} must hold [joints, vertices] of every image as `handssl predict "
            f"--freihand-zip` writes them, but cannot be read ({error})"
        ) from error


def official_scores(submission: Path, labels: Path) -> dict[str, float]:
    """The joint scores of the contest's official evaluation, under its names.

    Means are in centimetres; areas are of PCK from 0 to 5 cm. `xyz_procrustes_al` is aligned by
    scale, shift and an orthogonal matrix that may reflect, `xyz_scale_trans_al` so that the wrist
    and the length from it to the thumb's tip are the true ones.

    Args:
        submission: See `read_submission`.
        labels: `evaluation_xyz.json`.

    Raises:
        DataError: If a file is missing, of another form, or the two do not belong together.
    """
    prediction = read_submission(submission)
    try:
        target = _joints(json.loads(labels.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{labels} must list 21 joints an image, but got {error}") from error
    if len(prediction) != len(target):
        raise DataError(
            f"{submission} must have a pose for each of the {len(target)} labelled images, but "
            f"has {len(prediction)}; predict all of them, in the order of their names"
        )
    metrics = pose_metrics(prediction, target)
    scaled = joint_errors_cm(_scaled(prediction, target), target)
    return {
        "xyz_mean3d": metrics["mpjpe_cm"],
        "xyz_auc3d": metrics["auc_5cm"],
        "xyz_procrustes_al_mean3d": metrics["pa_mpjpe_cm"],
        "xyz_procrustes_al_auc3d": metrics["pa_auc_5cm"],
        "xyz_scale_trans_al_mean3d": float(scaled.mean()),
        "xyz_scale_trans_al_auc3d": pck_auc(scaled, limit="5cm"),
    }


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
        prediction_m: (n, 21, 3) metres; left hands may be mirrored.
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
        if (occurs := counts > 0).any():
            means[name] = np.nansum(errors, axis=0)[occurs] / counts[occurs]
    if not means:
        raise DataError(
            "valid must leave at least one joint with its wrist on a right or left hand, but got "
            "none; check the labels with `handssl data doctor`"
        )
    result = {"mpjpe_mm": float(np.concatenate([*means.values()]).mean())}
    return result | {f"{name}_mpjpe_mm": float(joints.mean()) for name, joints in means.items()}


def _scaled(prediction: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predictions with the target's wrist and its distance from wrist to thumb tip."""
    root, tip = WRIST, JOINT_NAMES.index("thumb_tip")
    length, true = (
        np.linalg.norm(pose[:, tip] - pose[:, root], axis=1)[:, None, None]
        for pose in (prediction, target)
    )
    relative = prediction - prediction[:, root : root + 1]
    scaled: NDArray[np.float64] = relative * true / np.where(length > 0, length, 1)
    return scaled + target[:, root : root + 1]


def _joints(content: Any) -> NDArray[np.float64]:
    joints = np.array(content, dtype=np.float64)
    if joints.ndim != 3 or joints.shape[1:] != (21, 3) or not len(joints):
        raise ValueError(f"an array of shape {joints.shape} instead of (n, 21, 3)")
    return joints
