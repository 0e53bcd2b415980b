"""One labelled hand image, as readers and stores return it, and its labels alone."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["right", "left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandLabels:
    """Labels of an image of one hand, always as a right hand: a left one is mirrored.

    Attributes:
        intrinsics: (3, 3) float64 camera matrix of the image, pixels, first pixel's centre at 0.
        joints_m: (21, 3) float64, camera frame, metres, FreiHAND's order; NaN where not labelled.
        valid: (21,) bool, False for a joint without a reliable label.
        side: The hand before mirroring.
        group: Pose or capture; all its images are in one split.
        source_id: The image's name, unique within its data set.
    """

    intrinsics: NDArray[np.float64]
    joints_m: NDArray[np.float64]
    valid: NDArray[np.bool_]
    side: Side
    group: str
    source_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandSample(HandLabels):
    """An image of one hand with its labels; a left hand is mirrored: image, camera and joints.

    Attributes:
        image: (H, W, 3) uint8 RGB.

    Example:
        >>> sample = HandSample(
        ...     image=np.zeros((224, 224, 3), dtype=np.uint8),
        ...     intrinsics=np.array([[480.0, 0, 112], [0, 480, 112], [0, 0, 1]]),
        ...     joints_m=np.full((21, 3), 0.7),
        ...     valid=np.ones(21, dtype=np.bool_),
        ...     side="right",
        ...     group="pose 1",
        ...     source_id="00000001",
        ... )
        >>> sample.joints_m.shape
        (21, 3)
    """

    image: NDArray[np.uint8]
