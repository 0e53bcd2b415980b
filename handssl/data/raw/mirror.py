"""Left hands become right hands: image, camera and joints mirrored together."""

import numpy as np
from numpy.typing import NDArray


def mirror_intrinsics(intrinsics: NDArray[np.float64], width_px: int) -> NDArray[np.float64]:
    """Camera of the image mirrored left to right: u ↦ W − 1 − u, pixel centres at integers.

    With X ↦ −X the focal length keeps its sign: u' = f X'/Z + (W − 1 − c_x); skew changes its own.
    """
    mirrored = intrinsics.copy()
    mirrored[0, 1] = -intrinsics[0, 1]
    mirrored[0, 2] = width_px - 1 - intrinsics[0, 2]
    return mirrored


def mirror_joints(joints_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Joints in the mirrored camera's frame: X ↦ −X."""
    mirrored: NDArray[np.float64] = joints_m * np.array([-1.0, 1.0, 1.0])
    return mirrored
