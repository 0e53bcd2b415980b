"""Where projected joints land: in the image, on the hand's mask, in its published box."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from handssl.data.raw.plausibility import project_px
from handssl.data.sample import HandSample

_TOLERANCE_PX: Final = 3
"""How far beside the mask a joint may lie: masks are compressed, and fingertips end them."""


def image_share(samples: Sequence[HandSample]) -> float:
    """Share of all valid joints that project into their image."""
    return _share([_inside(sample, (0, 0, *sample.image.shape[1::-1])) for sample in samples])


def box_share(
    pairs: Sequence[tuple[HandSample, tuple[float, float, float, float]]],
) -> float:
    """Share of all valid joints in their box: x, y, width, height in the unmirrored image."""
    inside = []
    for sample, (left, y, width, height) in pairs:
        x = sample.image.shape[1] - left - width if sample.side == "left" else left
        inside.append(_inside(sample, (x, y, width, height)))
    return _share(inside)


def mask_share(pairs: Sequence[tuple[HandSample, Path]]) -> float:
    """Share of all valid joints that project onto their mask, which must have the image's size.

    A mask that cannot be read, or of another size, has none.
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
