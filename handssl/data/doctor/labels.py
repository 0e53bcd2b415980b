"""Checks of labels: bone lengths, and joints projected into the image, the mask or the box."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from handssl.data.camera import project_px
from handssl.data.sample import HandSample
from handssl.skeleton import BONES, FINGERS, WRIST

_TOLERANCE_PX: Final = 3
"""Largest distance of a joint from the mask: masks are compressed, and end at fingertips."""


def span_m(poses: Sequence[NDArray[np.float64]]) -> float:
    """Median over poses of the distance from the wrist to the farthest joint."""
    joints = np.stack(poses)
    return float(np.median(np.linalg.norm(joints - joints[:, [WRIST]], axis=-1).max(axis=1)))


def order_problem(poses: Sequence[NDArray[np.float64]]) -> str | None:
    """Bone lengths that contradict FreiHAND's joint order, or None.

    In every hand the metacarpal bone (wrist to knuckle) of the four fingers is the longest, the
    proximal bone is longer than the following ones, and the pinky is the shortest finger. Medians
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


def image_share(samples: Sequence[HandSample]) -> float:
    """Share of all valid joints that project into their image."""
    return _share([_inside(sample, (0, 0, *sample.image.shape[1::-1])) for sample in samples])


def box_share(pairs: Sequence[tuple[HandSample, tuple[float, float, float, float]]]) -> float:
    """Share of all valid joints in their box: x, y, width, height in the unmirrored image."""
    inside = []
    for sample, (left, y, width, height) in pairs:
        x = sample.image.shape[1] - left - width if sample.side == "left" else left
        inside.append(_inside(sample, (x, y, width, height)))
    return _share(inside)


def mask_share(pairs: Sequence[tuple[HandSample, Path]]) -> float:
    """Share of all valid joints that project onto their mask, which must have the image's size.

    An unreadable mask, or one of another size, contains no joint.
    """
    hits = []
    for sample, path in pairs:
        hit = np.zeros(int(sample.valid.sum()), dtype=np.bool_)
        mask = _mask(path)
        if mask is not None and mask.shape == sample.image.shape[:2]:
            u, v = np.round(_points(sample)).astype(np.int64).T
            seen = (u >= 0) & (v >= 0) & (u < mask.shape[1]) & (v < mask.shape[0])
            hit[seen] = mask[v[seen], u[seen]]
        hits.append(hit)
    return _share(hits)


def _mask(path: Path) -> NDArray[np.bool_] | None:
    try:
        with Image.open(path) as image:
            grown = image.convert("L").filter(ImageFilter.MaxFilter(2 * _TOLERANCE_PX + 1))
            return np.asarray(grown) > 127
    except (OSError, SyntaxError, ValueError):
        return None


def _points(sample: HandSample) -> NDArray[np.float64]:
    return project_px(sample.joints_m[sample.valid], sample.intrinsics)


def _inside(sample: HandSample, box: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    """Boxes have continuous coordinates: the first pixel reaches from 0 to 1."""
    x, y, width, height = box
    u, v = (_points(sample) + 0.5).T
    inside: NDArray[np.bool_] = (u >= x) & (v >= y) & (u < x + width) & (v < y + height)
    return inside


def _share(hits: Sequence[NDArray[np.bool_]]) -> float:
    return float(np.concatenate(hits).mean())
