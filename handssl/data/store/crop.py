"""The stored square image: the hand's box with the context that augmentations need."""

import io
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handssl.data.camera import resize_intrinsics
from handssl.data.store.boxes import Box

CONTEXT: Final = 2.1
"""Ratio of the stored side to the box's side.

With margin 1.5 instead of 1.25 a view's half diagonal is 0.6·√2 = 0.849 box sides, and a shift of
15/224 of the stored side in both axes adds 0.095 stored sides. So 0.849 / (0.5 − 0.095) = 2.1
keeps every corner of every view inside (D18)."""

_JPEG_QUALITY: Final = 95


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareCrop:
    """An encoded square image with its camera and box, in its pixels."""

    jpeg: bytes
    size_px: int
    intrinsics: NDArray[np.float64]
    box: Box


def store_square(
    image: Image.Image,
    original: bytes,
    intrinsics: NDArray[np.float64],
    box: Box,
    *,
    stored_px: int,
    changed: bool,
) -> SquareCrop:
    """Crop and encode an image for the store.

    A square image of at most `stored_px` is stored whole, byte for byte. Any other image is
    cropped to the box's context on whole pixels (black outside the image), and reduced to
    `stored_px` if it is larger.

    Args:
        image: The decoded (and mirrored) image.
        original: The file's bytes.
        intrinsics: (3, 3) camera of `image`.
        box: The hand's box in `image`.
        stored_px: Largest side of a stored image.
        changed: Whether `image` differs from the decoded `original`.
    """
    if image.width == image.height <= stored_px:
        jpeg = _encode(image) if changed else original
        return SquareCrop(jpeg=jpeg, size_px=image.width, intrinsics=intrinsics, box=box)
    # The crop in whole pixels, so that nothing is interpolated unless it is reduced.
    side = math.ceil(CONTEXT * box.side_px)
    left = round(box.centre_px[0] - (side - 1) / 2)
    top = round(box.centre_px[1] - (side - 1) / 2)
    square = image.crop((left, top, left + side, top + side))
    # Camera and box move by (left, top): u' = u - left, so row 0 of K loses left * row 2.
    moved = intrinsics.copy()
    moved[0] -= left * moved[2]
    moved[1] -= top * moved[2]
    u, v = box.centre_px
    box = Box(centre_px=(u - left, v - top), side_px=box.side_px)
    if side > stored_px:
        factor = stored_px / side
        square = square.resize((stored_px, stored_px), Image.Resampling.BICUBIC)
        moved = resize_intrinsics(moved, factor)
        box = box.resized(factor)
    return SquareCrop(jpeg=_encode(square), size_px=square.width, intrinsics=moved, box=box)


def _encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
