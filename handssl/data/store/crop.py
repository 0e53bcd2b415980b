"""The stored square: the hand's box with the context that augmentations need, reduced once."""

import io
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handssl.data.store.boxes import Box

CONTEXT: Final = 2.1
"""Stored side over the box's side: with margin 1.5 instead of 1.25 a view's half diagonal is
0.6·√2 = 0.849 box sides, and a shift of 15/224 of the stored side in both axes adds 0.095 stored
sides, so 0.849 / (0.5 − 0.095) = 2.1 keeps every corner of every view inside (D18)."""

_JPEG_QUALITY: Final = 95


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareCrop:
    """A square image, encoded, with the camera and box of its own pixels."""

    jpeg: bytes
    size_px: int
    intrinsics: NDArray[np.float64]
    box: Box


def resize_intrinsics(
    intrinsics: NDArray[np.float64], factor: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Camera matrices of images resized by `factor`, pixel centres at integers.

    Resizing maps pixel areas, so the centre u of a pixel goes to (u + ½)·f − ½.
    """
    resized: NDArray[np.float64] = intrinsics * np.asarray(factor)[..., None, None]
    resized[..., 2, :] = intrinsics[..., 2, :]
    resized[..., :2, 2] += (np.asarray(factor)[..., None] - 1) / 2
    return resized


def resized_box(box: Box, factor: float) -> Box:
    """The same square in an image resized by `factor`."""
    u, v = box.centre_px
    return Box(
        centre_px=((u + 0.5) * factor - 0.5, (v + 0.5) * factor - 0.5),
        side_px=box.side_px * factor,
    )


def store_square(
    image: Image.Image,
    original: bytes,
    intrinsics: NDArray[np.float64],
    box: Box,
    *,
    source_px: int,
    changed: bool,
) -> SquareCrop:
    """Cut and encode what the store keeps of an image.

    A square image no larger than `source_px` is kept whole, byte for byte. Any other is cut to
    the box's context (black where the image ends) on whole pixels, and reduced to `source_px` if
    larger.

    Args:
        image: The decoded (and mirrored) image.
        original: The file's bytes.
        intrinsics: Camera of `image`.
        box: The hand's box in `image`.
        source_px: Largest side to store.
        changed: Whether `image` is no longer what `original` decodes to.
    """
    if image.width == image.height <= source_px:
        jpeg = _encode(image) if changed else original
        return SquareCrop(jpeg=jpeg, size_px=image.width, intrinsics=intrinsics, box=box)
    side = math.ceil(CONTEXT * box.side_px)
    left = round(box.centre_px[0] - (side - 1) / 2)
    top = round(box.centre_px[1] - (side - 1) / 2)
    square = image.crop((left, top, left + side, top + side))
    moved = intrinsics.copy()
    moved[0] -= left * moved[2]
    moved[1] -= top * moved[2]
    u, v = box.centre_px
    box = Box(centre_px=(u - left, v - top), side_px=box.side_px)
    if side > source_px:
        factor = source_px / side
        square = square.resize((source_px, source_px), Image.Resampling.BICUBIC)
        moved = resize_intrinsics(moved, factor)
        box = resized_box(box, factor)
    return SquareCrop(jpeg=_encode(square), size_px=square.width, intrinsics=moved, box=box)


def _encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
