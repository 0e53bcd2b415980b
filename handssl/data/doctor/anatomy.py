"""What is true of every hand, to recognise labels in another unit or joint order."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handssl.skeleton import BONES, FINGERS, WRIST


def span_m(poses: Sequence[NDArray[np.float64]]) -> float:
    """Median over poses of the distance from the wrist to the farthest joint."""
    joints = np.stack(poses)
    return float(np.median(np.linalg.norm(joints - joints[:, [WRIST]], axis=-1).max(axis=1)))


def order_problem(poses: Sequence[NDArray[np.float64]]) -> str | None:
    """Say which bone lengths contradict FreiHAND's joint order, or None.

    In every hand the metacarpal part (wrist to knuckle) of the four fingers is the longest bone,
    the proximal one is longer than those after it, and the pinky is the shortest of them. Medians
    over poses are compared.
    """
    joints = np.stack(poses)
    start, end = np.array(BONES).T
    lengths = np.median(np.linalg.norm(joints[:, end] - joints[:, start], axis=-1), axis=0)
    fingers = dict(zip(FINGERS, lengths.reshape(5, 4), strict=True))
    for name in FINGERS[1:]:
        root, proximal, *rest = fingers[name]
        if not root > proximal > max(rest):
            centimetres = ", ".join(f"{100 * length:.1f}" for length in fingers[name])
            return f"bones of the {name} finger, from the wrist: {centimetres} cm"
    reach = {name: bones[1:].sum() for name, bones in fingers.items() if name != "thumb"}
    shortest = min(reach, key=lambda name: reach[name])
    return None if shortest == "pinky" else f"the {shortest} finger is shorter than the pinky"
