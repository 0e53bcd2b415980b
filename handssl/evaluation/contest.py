"""FreiHAND's contest: the file it takes, and the numbers its evaluation prints."""

import json
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handssl.atomic import atomic_path
from handssl.errors import DataError
from handssl.evaluation.metrics import PCK_RANGES, joint_errors_cm, pck_auc, pose_metrics
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
    thresholds_cm, inclusive = PCK_RANGES["5cm"]
    return {
        "xyz_mean3d": metrics["mpjpe_cm"],
        "xyz_auc3d": metrics["auc_5cm"],
        "xyz_procrustes_al_mean3d": metrics["pa_mpjpe_cm"],
        "xyz_procrustes_al_auc3d": metrics["pa_auc_5cm"],
        "xyz_scale_trans_al_mean3d": float(scaled.mean()),
        "xyz_scale_trans_al_auc3d": pck_auc(scaled, thresholds_cm, inclusive=inclusive),
    }


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
