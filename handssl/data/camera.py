"""Camera matrices of mirrored and resized images, and projection, in NumPy.

Pixel centres are at integers. Builders of stores use these without loading torch;
`handssl.geometry` has the batched functions of training.
"""

import numpy as np
from numpy.typing import NDArray


def project_px(
    joints_m: NDArray[np.float64], intrinsics: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Project joints to pixels: (n, 3) metres and (3, 3) -> (n, 2)."""
    homogeneous = joints_m @ intrinsics.T  # (n, 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        projected: NDArray[np.float64] = homogeneous[:, :2] / homogeneous[:, 2:]
    return projected


def mirror_intrinsics(intrinsics: NDArray[np.float64], width_px: int) -> NDArray[np.float64]:
    """Camera of the image mirrored left to right: u ↦ W − 1 − u.

    With X ↦ −X the focal length keeps its sign: u' = f X'/Z + (W − 1 − c_x); the skew changes
    its sign.

    Example:
        >>> camera = np.array([[500.0, 0, 100], [0, 500, 112], [0, 0, 1]])
        >>> float(mirror_intrinsics(camera, width_px=224)[0, 2])
        123.0
    """
    mirrored = intrinsics.copy()
    mirrored[0, 1] = -intrinsics[0, 1]
    mirrored[0, 2] = width_px - 1 - intrinsics[0, 2]
    return mirrored


def mirror_joints(joints_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Joints in the mirrored camera's frame: X ↦ −X."""
    mirrored: NDArray[np.float64] = joints_m * np.array([-1.0, 1.0, 1.0])
    return mirrored


def resize_intrinsics(
    intrinsics: NDArray[np.float64], factor: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Camera matrices of images resized by `factor`: (..., 3, 3) and (...) -> (..., 3, 3).

    Resizing maps pixel areas, so the centre u of a pixel goes to (u + ½)·f − ½.
    """
    resized: NDArray[np.float64] = intrinsics * np.asarray(factor)[..., None, None]
    resized[..., 2, :] = intrinsics[..., 2, :]  # the last row stays (0, 0, 1)
    resized[..., :2, 2] += (np.asarray(factor)[..., None] - 1) / 2
    return resized
