"""Errors of 3D hand poses, in centimetres: raw, root-aligned and Procrustes-aligned.

Two evaluations define the numbers, with different rules:

* FreiHAND's official one: the mean error and the AUC over 0 to 5 cm (100 thresholds, both ends
  included, error ≤ threshold). Its Procrustes alignment allows reflections.
* The paper's: the median error and the AUC over 0 to 50 cm (thresholds 0, 0.5, …, 49.5 cm,
  error < threshold). Its Procrustes alignment is a proper rotation (det = +1).

So `pa_mpjpe_cm` and `pa_auc_5cm` come from the first alignment, `pa_median_pje_cm` and
`pa_auc_50cm` from the second (D16). Both alignments see valid joints only: FreiHAND labels all 21
joints, so for it that is the same. Invalid joints are left out of everything.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from handssl.errors import DataError, require
from handssl.geometry import procrustes_align
from handssl.skeleton import WRIST

Alignment = Literal["none", "root", "procrustes", "procrustes_proper"]

PCK_RANGES: Final[Mapping[str, tuple[NDArray[np.float64], Literal["left", "right"]]]] = {
    "5cm": (np.linspace(0.0, 5.0, 100, dtype=np.float64), "right"),
    "50cm": (np.arange(100, dtype=np.float64) * 0.5, "left"),
}
"""Thresholds of either evaluation; an error equal to one is correct where it says `right`."""

_ALIGNMENTS: dict[str, tuple[Alignment, Alignment]] = {
    "": ("none", "none"),
    "ra_": ("root", "root"),
    "pa_": ("procrustes", "procrustes_proper"),
}
"""Prefix of the metrics: (alignment of the official numbers, of the paper's)."""

_BETTER: Final[Mapping[str, Literal["minimize", "maximize"]]] = {
    "mpjpe_cm": "minimize",
    "median_pje_cm": "minimize",
    "auc_5cm": "maximize",
    "auc_50cm": "maximize",
}

POSE_METRICS: Final[Mapping[str, Literal["minimize", "maximize"]]] = {
    f"{prefix}{name}": direction for prefix in _ALIGNMENTS for name, direction in _BETTER.items()
}
"""Every metric of `pose_metrics`, and the direction in which it is better."""

UV_METRICS: Final[Mapping[str, Literal["minimize", "maximize"]]] = {
    "uv_mean_pct": "minimize",
    "uv_median_pct": "minimize",
    "uv_pck_5pct": "maximize",
    "uv_pck_10pct": "maximize",
}
"""Every metric of `uv_metrics`, and the direction in which it is better."""

ERROR_ALIGNMENTS: Final[Mapping[str, Alignment]] = {
    prefix: paper for prefix, (_, paper) in _ALIGNMENTS.items()
}
"""Prefix of the metrics: alignment of the errors whose median is one of them."""


def pose_metrics(
    prediction_m: ArrayLike | torch.Tensor,
    target_m: ArrayLike | torch.Tensor,
    valid: ArrayLike | torch.Tensor | None = None,
) -> dict[str, float]:
    """All metrics of predicted poses; the head of the file defines each.

    Args:
        prediction_m: (n, joints, 3) predicted joints, camera frame, metres.
        target_m: (n, joints, 3) true joints; where they are not valid they may be NaN.
        valid: (n, joints) joints that count; all when omitted.

    Returns:
        {"", "ra_", "pa_"} × {"mpjpe_cm", "median_pje_cm", "auc_5cm", "auc_50cm"}. Errors are
        pooled over joints and samples; the median is the mean of the two middle values where
        their number is even; AUC is the mean of the joints' AUCs.

    Raises:
        ConfigError: If the shapes do not fit each other.
        DataError: If a prediction is not finite, a valid target is not, or no joint is valid.

    Example:
        >>> target = np.random.default_rng(0).normal(size=(2, 21, 3))
        >>> metrics = pose_metrics(target + [0.01, 0, 0], target)
        >>> round(metrics["mpjpe_cm"], 6), round(metrics["ra_mpjpe_cm"], 6)
        (1.0, 0.0)
    """
    metrics = {}
    for prefix, (official, paper) in _ALIGNMENTS.items():
        by_official = by_paper = joint_errors_cm(prediction_m, target_m, valid, alignment=official)
        if paper != official:
            by_paper = joint_errors_cm(prediction_m, target_m, valid, alignment=paper)
        if np.isnan(by_official).all():
            raise DataError(
                "valid must leave at least one joint (and its wrist) to evaluate, but got none; "
                "check the labels with `handssl data doctor`"
            )
        metrics[f"{prefix}mpjpe_cm"] = float(np.nanmean(by_official))
        metrics[f"{prefix}median_pje_cm"] = float(np.nanmedian(by_paper))
        metrics[f"{prefix}auc_5cm"] = pck_auc(by_official, limit="5cm")
        metrics[f"{prefix}auc_50cm"] = pck_auc(by_paper, limit="50cm")
    return metrics


def uv_errors_pct(
    prediction_uv: Float[Tensor, "n joints 2"],
    target_uv: Float[Tensor, "n joints 2"],
    valid: Bool[Tensor, "n joints"],
) -> NDArray[np.float64]:
    """2D distance of every joint from its target in per cent of the box, NaN where invalid.

    Args:
        prediction_uv: Predicted joints in fractions of the side of the hand's box.
        target_uv: True joints, in the same unit.
        valid: Joints that count.
    """
    error_pct = 100 * (prediction_uv.double() - target_uv.double()).norm(dim=-1)
    errors: NDArray[np.float64] = torch.where(valid, error_pct, torch.nan).numpy()
    return errors


def uv_metrics(error_pct: NDArray[np.float64]) -> dict[str, float]:
    """Metrics of 2D errors: `UV_METRICS`, pooled over joints and samples.

    `uv_pck_5pct` is the share of correct key points: those with an error of at most 5 % of the
    box's side (PCK@0.05).

    Args:
        error_pct: (n, joints) errors in per cent of the box's side, NaN where they do not count.

    Example:
        >>> uv_metrics(np.array([[1.0, 3.0, 8.0, np.nan]]))["uv_pck_5pct"].__round__(3)
        0.667
    """
    errors = error_pct[~np.isnan(error_pct)]
    return {
        "uv_mean_pct": float(errors.mean()),
        "uv_median_pct": float(np.median(errors)),
        "uv_pck_5pct": float((errors <= 5).mean()),
        "uv_pck_10pct": float((errors <= 10).mean()),
    }


def joint_errors_cm(
    prediction_m: ArrayLike | torch.Tensor,
    target_m: ArrayLike | torch.Tensor,
    valid: ArrayLike | torch.Tensor | None = None,
    *,
    alignment: Alignment = "none",
) -> NDArray[np.float64]:
    """Euclidean distance of every joint from its target, NaN where it does not count.

    Args:
        prediction_m: (n, joints, 3) predicted joints, metres.
        target_m: (n, joints, 3) true joints, metres.
        valid: (n, joints) joints that count; all when omitted.
        alignment: `none`; `root` subtracts the wrist from both (a sample whose wrist is not
            valid has no error); `procrustes` (reflections allowed) or `procrustes_proper`.

    Returns:
        (n, joints) errors in cm.

    Raises:
        ConfigError: If the shapes do not fit each other.
        DataError: If a prediction or a valid target is not finite.

    Example:
        >>> target = np.zeros((1, 21, 3))
        >>> joint_errors_cm(target + [0, 0.03, 0.04], target).round(6)[0, :2]
        array([5., 5.])
    """
    prediction, target, mask = _checked(prediction_m, target_m, valid)
    if alignment == "root":
        mask = mask & mask[:, WRIST : WRIST + 1]
        prediction = prediction - prediction[:, WRIST : WRIST + 1]
        target = target - target[:, WRIST : WRIST + 1]
    elif alignment != "none":
        prediction = procrustes_align(
            prediction, target, mask, allow_reflection=alignment == "procrustes"
        )
    error_cm = 100 * (prediction - target).norm(dim=-1)
    errors: NDArray[np.float64] = torch.where(mask, error_cm, torch.nan).numpy()
    return errors


def pck_auc(error_cm: NDArray[np.float64], *, limit: str) -> float:
    """Area under the curve of correct key points, divided by the range, mean over joints.

    PCK_k(t) is the share of joint k's errors with error ≤ t (`5cm`) or error < t (`50cm`); the
    area is the trapezoid rule's over the thresholds. Joints that are never valid are left out.

    Args:
        error_cm: (n, joints) errors, NaN where they do not count.
        limit: A key of `PCK_RANGES`.
    """
    widths = np.diff(PCK_RANGES[limit][0])
    areas = []
    for correct, count in _correct(error_cm, limit):
        height = (correct[1:] + correct[:-1]) / (2 * count)
        areas.append((height * widths).sum() / widths.sum())
    return float(np.mean(areas))


def pck_curve(
    error_cm: NDArray[np.float64], *, limit: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of correct key points over the threshold: the mean over joints of their curves.

    Args:
        error_cm: (n, joints) errors of any alignment, NaN where they do not count.
        limit: A key of `PCK_RANGES`: `5cm` is FreiHAND's evaluation, `50cm` the paper's.

    Returns:
        Thresholds in cm and the curve, both (100,). The trapezoid area under it over the range is
        `pck_auc`, of which `pose_metrics` has six.

    Raises:
        ConfigError: If `limit` is unknown.
        DataError: If no joint counts.
    """
    choices = ", ".join(PCK_RANGES)
    require(limit in PCK_RANGES, f"limit must be one of {choices}, but got limit={limit!r}")
    curves = [correct / count for correct, count in _correct(error_cm, limit)]
    if not curves:
        raise DataError("error_cm must have at least one joint that counts, but got NaN alone")
    return PCK_RANGES[limit][0].copy(), np.mean(curves, axis=0)


def _correct(error_cm: NDArray[np.float64], limit: str) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Correct errors at each threshold, and all errors, of each joint that has any."""
    thresholds_cm, side = PCK_RANGES[limit]
    for joint in error_cm.T:
        errors = np.sort(joint[~np.isnan(joint)])
        if errors.size:
            yield np.searchsorted(errors, thresholds_cm, side), errors.size


def _checked(
    prediction_m: ArrayLike | torch.Tensor,
    target_m: ArrayLike | torch.Tensor,
    valid: ArrayLike | torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    prediction = torch.as_tensor(prediction_m).detach().cpu().double()
    target = torch.as_tensor(target_m).detach().cpu().double()
    require(
        prediction.shape == target.shape and prediction.ndim == 3 and prediction.shape[-1] == 3,
        "prediction_m and target_m must both be (n, joints, 3), but got "
        f"prediction_m={tuple(prediction.shape)} and target_m={tuple(target.shape)}",
    )
    mask = torch.ones(target.shape[:2], dtype=torch.bool)
    if valid is not None:
        mask = torch.as_tensor(valid).detach().cpu().bool()
    shape, wanted = tuple(mask.shape), tuple(target.shape[:2])
    require(shape == wanted, f"valid must be {wanted}, one value a joint, but got valid={shape}")
    if not prediction[mask].isfinite().all():
        raise DataError("prediction_m must be finite, but got NaN or infinite coordinates")
    if not target[mask].isfinite().all():
        raise DataError("target_m must be finite where valid, but got NaN or infinite labels")
    return prediction, target, mask
