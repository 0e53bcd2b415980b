"""One labelled hand image, as every reader yields it and every store returns it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["right", "left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandSample:
    """An image of one hand with its labels, always as a right hand.

    Attributes:
        image: (H, W, 3) uint8 RGB. A left hand arrives mirrored, camera and joints with it.
        intrinsics: (3, 3) float64 camera matrix of `image`, pixels, first pixel's centre at 0.
        joints_m: (21, 3) float64, camera frame, metres, FreiHAND's order; NaN where not labelled.
        valid: (21,) bool, False where the joint has no trustworthy label.
        side: Which hand it was before mirroring.
        group: What must not be split between training and validation: the pose, the capture.
        source_id: The image's name within its data set, unique there.
    """

    image: NDArray[np.uint8]
    intrinsics: NDArray[np.float64]
    joints_m: NDArray[np.float64]
    valid: NDArray[np.bool_]
    side: Side
    group: str
    source_id: str
