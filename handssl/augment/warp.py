"""One resampling of an image batch by an affine map, low-passed where it shrinks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as nnf
from jaxtyping import Complex64, Float, Int64, UInt8
from torch import Tensor

_REACH_PX: Final = 5
"""Pixels beyond a view's corners that three blurs and the interpolation read, on their level."""


def shrink_factor(matrix: Float[Tensor, "batch 3 3"]) -> Float[Tensor, " batch"]:
    """Source pixels per view pixel, 1/√|det A|, for maps of source to view pixels."""
    linear = matrix[:, :2, :2]
    det = linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0]
    return det.abs().rsqrt()


def warp(
    images: UInt8[Tensor, "batch 3 height width"], matrix: Float[Tensor, "batch 3 3"], size: int
) -> Float[Tensor, "batch 3 size size"]:
    """Views in [0, 1] of uint8 images under p_view = M p_source; zeros outside the source (D8).

    The kernel is bilinear interpolation (a tent of variance 1/6 px² per axis) after n passes of a
    small separable blur [a, 1 − 2a, a], which raise the variance to that of a tent as wide as a
    view pixel, s source pixels: 1/6 + 2na = s²/6, so a = (s² − 1)/12n. One pass at s = 2 and two
    at s = 3 are that tent exactly. Where s ≥ 4 the source is halved first by 2×2 means.

    Args:
        images: Source images.
        matrix: Source px to view px, pixel centres at integers, float64 on the CPU.
        size: Side of the view in pixels.
    """
    views = torch.empty(len(images), 3, size, size, device=images.device)
    for rows, part in warped_parts(images, matrix, size):
        views[rows] = part
    return views


def warped_parts(
    images: UInt8[Tensor, "batch 3 height width"],
    matrix: Float[Tensor, "batch 3 3"],
    size: int,
    *,
    one_by_one: bool | None = None,
) -> Iterator[tuple[slice | Int64[Tensor, " rows"], Float[Tensor, "rows 3 size size"]]]:
    """The views of `warp` in parts, each with the rows of the batch that it holds.

    On the CPU a part is one image, so that it stays in the second-level cache while appearance
    changes are applied to it, and only the part of the source that the view reads is
    converted. On other devices a part is all images of one level. `one_by_one` overrides that.
    """
    if one_by_one is None:
        one_by_one = images.device.type == "cpu"
    plan = _plan(matrix, (images.shape[2], images.shape[3]), size, whole=not one_by_one)
    rows = torch.arange(len(images))
    parts = (
        torch.split(rows, 1)
        if one_by_one
        else [rows[plan.level == level] for level in sorted(set(plan.level.tolist()))]
    )
    levels, boxes = plan.level.tolist(), plan.box.tolist()
    passes, blurred = plan.passes.tolist(), (plan.blur > 0).tolist()
    for part in parts:
        first = int(part[0])
        # (rows, 3, height, width) of the box, in float32.
        left, top, right, bottom = boxes[first]
        members = slice(first, first + 1) if one_by_one else part
        source = images[members if one_by_one else part.to(images.device)]
        source = source[:, :, top:bottom, left:right].to(torch.float32)
        # Halve by 2×2 means, then blur each image as often as it needs.
        for _ in range(levels[first]):
            source = nnf.avg_pool2d(source, 2, ceil_mode=True)
        if any(blurred[row] for row in part.tolist()):
            for index in range(max(passes[row] for row in part.tolist())):
                blur = torch.where(plan.passes[members] > index, plan.blur[members], 0.0)
                source = _blur(source, blur.to(source))
        # Sampling grid (rows, size, size, 2) from one complex vector a column and one a row.
        columns, down = (
            plan.columns[members].to(source.device),
            plan.rows[members].to(source.device),
        )
        grid = torch.view_as_real(columns[:, None] + down[:, :, None])
        yield members, nnf.grid_sample(source, grid, align_corners=False).mul_(1 / 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The steps of `warped_parts` for each image.

    Attributes:
        level: How often the source is halved.
        passes: Number of blurs.
        blur: a of each.
        box: Part of the source that is read: left, top, right, bottom.
        columns: Where column u of the view reads, in grid_sample's units within the box (its
            edges at ±1), as x + iy, which adds up in one fast loop; the sum with `rows` is a
            pixel's position.
        rows: The part of the position that depends on row v.
    """

    level: Int64[Tensor, " batch"]
    passes: Int64[Tensor, " batch"]
    blur: Float[Tensor, " batch"]
    box: Int64[Tensor, "batch 4"]
    columns: Complex64[Tensor, "batch size"]
    rows: Complex64[Tensor, "batch size"]


def _plan(
    matrix: Float[Tensor, "batch 3 3"], shape: tuple[int, int], size: int, *, whole: bool
) -> _Plan:
    shrink = shrink_factor(matrix)
    level = (shrink / 2).log2().floor().clamp_min(0).long()
    step = 2**level
    # Each halving adds a variance of 1/4 fine px², and a fine px² is a quarter of a coarse one.
    variance = (1 - 0.25 ** level.double()) / 12
    shrink = shrink / step
    missing = (shrink.square() - 1 - 6 * variance).clamp_min(0) / 12
    # Thresholds by measurement: where one pass more comes closer to the tent.
    passes = 1 + (shrink > 2.2).long() + (shrink > 3.2).long()

    # Box of the source that each view reads, from its corners; (B, 2) low and high.
    inverse = torch.linalg.inv(matrix.double())[:, :2]
    shape_px = torch.tensor([shape[1], shape[0]])
    low, high = torch.zeros(len(matrix), 2, dtype=torch.long), shape_px.repeat(len(matrix), 1)
    if not whole:
        corners = torch.tensor([[0, 0, size - 1, size - 1], [0, size - 1, 0, size - 1], [1] * 4])
        points = inverse @ corners.double()
        reach = _REACH_PX * step[:, None]
        start = points.amin(2).floor().long() - reach
        # A multiple of the step, so that halving sees the same 2×2 blocks in every box.
        start = (start // step[:, None] * step[:, None]).clamp_min(0)
        stop = (points.amax(2).ceil().long() + reach + 1).minimum(shape_px)
        seen = (start < stop).all(1, keepdim=True)
        low, high = torch.where(seen, start, low), torch.where(seen, stop, high)
    # Coarse pixels in the box; the last one of an odd number of fine ones counts whole.
    extent = ((high - low + step[:, None] - 1) // step[:, None]).double()
    # Pixel centres at integers: halving maps p to (p + 1/2)/2 − 1/2.
    scale = 2 / (extent * step[:, None])
    linear = inverse[:, :, :2] * scale[:, :, None]
    offset = (inverse[:, :, 2] - low + 0.5) * scale - 1
    ticks = torch.arange(size, dtype=torch.float64)[:, None]
    return _Plan(
        level=level,
        passes=passes,
        blur=missing / passes,
        box=torch.cat([low, high], dim=1),
        columns=torch.view_as_complex((ticks * linear[:, None, :, 0] + offset[:, None]).float()),
        rows=torch.view_as_complex((ticks * linear[:, None, :, 1]).float()),
    )


def _blur(
    source: Float[Tensor, "batch 3 height width"], blur: Float[Tensor, " batch"]
) -> Float[Tensor, "batch 3 height width"]:
    """Separable [a, 1 − 2a, a] per image, zeros outside; overwrites its input."""
    side = blur[:, None, None, None]
    scaled = source * side
    source = source.addcmul_(source, side, value=-2)
    source[..., 1:].add_(scaled[..., :-1])
    source[..., :-1].add_(scaled[..., 1:])
    torch.mul(source, side, out=scaled)
    source = source.addcmul_(source, side, value=-2)
    source[..., 1:, :].add_(scaled[..., :-1, :])
    source[..., :-1, :].add_(scaled[..., 1:, :])
    return source
