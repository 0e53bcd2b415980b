"""Checks that labels are physically possible."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from handssl.data.camera import project_px

_MAX_DEPTH_M: Final = 10.0
_SPAN_M: Final = (0.02, 0.5)
"""Valid diagonal of the joints' bounding box, from a child's fist to a spread adult hand."""
_OUTSIDE: Final = 0.5
"""How far outside the image the median joint may project, in image sizes."""


def label_problem(
    intrinsics: NDArray[np.float64],
    joints_m: NDArray[np.float64],
    valid: NDArray[np.bool_],
    size_px: tuple[int, int],
) -> str | None:
    """Reason why these labels are impossible, or None.

    Args:
        intrinsics: (3, 3) pixels.
        joints_m: (21, 3) metres.
        valid: (21,) joints that have a label.
        size_px: (width, height) of the image.
    """
    return _camera_problem(intrinsics) or _pose_problem(
        joints_m[valid], intrinsics, size_px, complete=bool(valid.all())
    )


def _camera_problem(intrinsics: NDArray[np.float64]) -> str | None:
    if not np.isfinite(intrinsics).all():
        return "the camera matrix has NaN or infinite entries"
    if intrinsics[0, 0] <= 0 or intrinsics[1, 1] <= 0 or (intrinsics[2] != (0, 0, 1)).any():
        return f"not a camera matrix: {intrinsics.tolist()}"
    return None


def _pose_problem(
    labelled: NDArray[np.float64],
    intrinsics: NDArray[np.float64],
    size_px: tuple[int, int],
    *,
    complete: bool,
) -> str | None:
    if not np.isfinite(labelled).all():
        return "a joint marked as valid is NaN or infinite"
    if len(labelled) == 0:
        return None
    depth = labelled[:, 2]
    span = float(np.linalg.norm(labelled.max(0) - labelled.min(0)))
    size = np.array(size_px)
    problem = None
    if (depth <= 0).any():
        problem = f"a joint lies behind the camera (depth {depth.min():.3g} m)"
    elif depth.max() > _MAX_DEPTH_M or span > _SPAN_M[1]:
        problem = f"depth {depth.max():.3g}, span {span:.3g}: joints are not in metres"
    elif complete and span < _SPAN_M[0]:
        problem = f"the hand spans {span:.3g} m: not in metres, or all joints the same"
    else:
        centre = np.median(project_px(labelled, intrinsics), axis=0)
        if (np.abs(centre - (size - 1) / 2) / size > 0.5 + _OUTSIDE).any():
            problem = "the joints project far outside the image"
    return problem
