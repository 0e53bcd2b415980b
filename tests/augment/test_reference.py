"""Whole views against a slow reference: one pixel and one augmentation at a time, in float64."""

import colorsys
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from handssl.augment import AUGMENTATIONS, Composition, make_views

Pixels = NDArray[np.float64]
Row = Mapping[str, list[float]]

SIZE, SOURCE = 16, 64


def source_point(u: int, v: int, centre: list[float], side: float, row: Row) -> list[float]:
    """Where a view's pixel comes from: the geometric augmentations undone, the last one first."""
    fraction = [(u + 0.5) / SIZE, (v + 0.5) / SIZE]
    if "crop" in row:
        corner, sides = row["crop"][:2], row["crop"][2:]
        fraction = [c + f * s for c, f, s in zip(corner, fraction, sides, strict=True)]
    x, y = ((f - 0.5) * side * row.get("scale", [1.25])[0] / 1.25 for f in fraction)
    shift = row.get("translate_source", [0.0, 0.0])
    x, y = x + shift[0] * SOURCE, y + shift[1] * SOURCE
    # The content was turned counter-clockwise with v pointing down, so this turns it back.
    angle = math.radians(row.get("rotate", [0.0])[0])
    turned = [math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y]
    return [c + t for c, t in zip(centre, turned, strict=True)]


def low_passed(image: Pixels, shrink: float) -> tuple[Pixels, int]:
    """The source halved and blurred until its kernel is as wide as a view's pixel, and how often.

    Variances on an axis: s²/6 of the wanted tent = 1/6 of the interpolation + 2a of each pass
    + 1/4 fine px² of each halving.
    """
    level = max(0, math.floor(math.log2(shrink / 2)))
    halved = 0.0
    for _ in range(level):
        image = np.stack(
            [
                [[c[y : y + 2, x : x + 2].mean() for x in range(0, c.shape[1], 2)]
                 for y in range(0, c.shape[0], 2)]
                for c in image
            ]
        )  # fmt: skip
        halved, shrink = (halved + 1 / 4) / 4, shrink / 2
    missing = max(0.0, shrink**2 / 6 - 1 / 6 - halved)
    passes = 1 + (shrink > 2.2) + (shrink > 3.2)
    a = missing / (2 * passes)
    for _ in range(passes):
        for axis in (1, 2):
            padded = np.pad(image, [(1, 1) if axis == k else (0, 0) for k in range(3)])
            before, own, after = (
                np.take(padded, range(k, k + image.shape[axis]), axis) for k in range(3)
            )
            image = a * before + (1 - 2 * a) * own + a * after
    return image, level


def bilinear(image: Pixels, x: float, y: float) -> Pixels:
    """Interpolated value; zeros outside."""
    left, top = math.floor(x), math.floor(y)
    total = np.zeros(3)
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        if 0 <= column < image.shape[2] and 0 <= row < image.shape[1]:
            total += (1 - abs(x - column)) * (1 - abs(y - row)) * image[:, row, column]
    return total


def filtered(view: Pixels, kernel: Pixels, mode: Any) -> Pixels:
    radius = len(kernel) // 2
    padded = np.pad(view, [(0, 0), (radius, radius), (radius, radius)], mode=mode)
    return np.array(
        [
            [[(channel[v : v + len(kernel), u : u + len(kernel)] * kernel).sum()
              for u in range(SIZE)] for v in range(SIZE)]
            for channel in padded
        ]
    )  # fmt: skip


def hashed(x: int) -> int:
    """Wellons' lowbias32, in whole numbers."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> shift)) * factor % 2**32
    return x ^ (x >> 16)


def noise(seed: float) -> Pixels:
    count = 3 * SIZE * SIZE
    units = [(hashed(k ^ hashed(int(seed))) & 0xFFFFFF) / 2**24 for k in range(count)]
    pairs = list(zip(units[: count // 2], units[count // 2 :], strict=True))
    radii = [25 / 255 * math.sqrt(-2 * math.log(min(1, r + 2**-24))) for r, _ in pairs]
    parts = [
        [r * turn(2 * math.pi * t) for r, (_, t) in zip(radii, pairs, strict=True)]
        for turn in (math.cos, math.sin)
    ]
    return np.array(parts[0] + parts[1]).reshape(3, SIZE, SIZE)


def luma(view: Pixels) -> Pixels:
    return np.repeat(np.einsum("c,cvu->vu", [0.299, 0.587, 0.114], view)[None], 3, axis=0)


def reference(image: Pixels, centre: list[float], side: float, row: Row) -> Pixels:
    """In the documented order: one warp, then jitter, grey, blur, Sobel, noise and cutout."""
    stretch = math.sqrt(math.prod(row.get("crop", [0, 0, 1, 1])[2:]))
    shrink = side * row.get("scale", [1.25])[0] / 1.25 * stretch / SIZE
    source, level = low_passed(image, shrink)
    view = np.zeros((3, SIZE, SIZE))
    for v in range(SIZE):
        for u in range(SIZE):
            x, y = ((p + 0.5) / 2**level - 0.5 for p in source_point(u, v, centre, side, row))
            view[:, v, u] = bilinear(source, x, y)
            if "color_jitter" in row:
                h, s, alpha, beta = row["color_jitter"]
                hue, saturation, value = colorsys.rgb_to_hsv(*view[:, v, u])
                value = min(max(value * alpha + beta, 0), 1)
                view[:, v, u] = colorsys.hsv_to_rgb(hue * h, saturation * s, value)
    if row.get("color_drop", [0])[0]:
        view = luma(view)
    if row.get("gaussian_blur", [0])[0]:
        weights = np.exp(-0.5 * (np.arange(-1, 2) / row["gaussian_blur"][1]) ** 2)
        view = filtered(view, np.outer(weights, weights) / weights.sum() ** 2, "reflect")
    if row.get("sobel", [0])[0]:
        slope = np.outer([1, 2, 1], [-1, 0, 1]) / 4
        grey = luma(view)
        view = np.hypot(filtered(grey, slope, "edge"), filtered(grey, slope.T, "edge")).clip(0, 1)
    if row.get("gaussian_noise", [0])[0]:
        view = (view + noise(row["gaussian_noise"][1])).clip(0, 1)
    if row.get("cutout", [0])[0]:
        _, x, y, width, grey_level = row["cutout"]
        for v in range(SIZE):
            for u in range(SIZE):
                distance = max(abs((u + 0.5) / SIZE - x), abs((v + 0.5) / SIZE - y))
                if distance <= width / 2:
                    view[:, v, u] = grey_level
    return view


@pytest.mark.parametrize("composition", ["", "T+S+Ro", "T+S+Ro+CJ", "+".join(AUGMENTATIONS)])
@pytest.mark.parametrize("larger", [0.4, 1.0, 1.7])
def test_views_equal_the_reference_pixel_by_pixel(
    images: UInt8[Tensor, "6 3 64 64"],
    centre_px: Float[Tensor, "6 2"],
    side_px: Float[Tensor, " 6"],
    composition: str,
    larger: float,
) -> None:
    views = make_views(
        images,
        Composition.parse(composition),
        torch.Generator().manual_seed(27),  # most images get several of the occasional ones
        size=SIZE,
        centre_px=centre_px,
        side_px=larger * side_px,
    )
    for index in range(len(images)):
        row = {name: own[index].tolist() for name, own in views.parameters.items() if own.ndim > 1}
        expected = reference(
            images[index].double().numpy() / 255,
            centre_px[index].tolist(),
            larger * float(side_px[index]),
            row,
        )
        difference = np.abs(views.images[index].double().numpy() - expected)
        # A noisy pixel of magnitude 1 and a hue near grey carry float32's rounding furthest.
        assert difference.max() < 1e-4, (index, row)
