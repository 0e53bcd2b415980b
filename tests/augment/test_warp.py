"""The batched warp against a loop over pixels, and its filter against the ideal one."""

import math

import pytest
import torch
import torch.nn.functional as nnf
from jaxtyping import Float, UInt8
from torch import Tensor

from handssl.augment.warp import shrink_factor, warp


def affine(angle_deg: float, shrink: float, target: tuple[float, float], size: int) -> Tensor:
    """View px from source px: turn counter-clockwise about `target`, shrink, put it mid-view."""
    angle = math.radians(angle_deg)
    linear = (
        torch.tensor(
            [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]],
            dtype=torch.float64,
        )
        / shrink
    )
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[:2, :2] = linear
    matrix[:2, 2] = (size - 1) / 2 - linear @ torch.tensor(target, dtype=torch.float64)
    return matrix[None]


def loop_tent(
    image: UInt8[Tensor, "3 height width"], matrix: Float[Tensor, "3 3"], size: int
) -> Float[Tensor, "3 size size"]:
    """Per-pixel reference: a tent as wide as the larger of a source and a view pixel.

    Its axes are those of the source; its weights sum to one over all of the plane's pixels, so
    what lies outside the source counts as zero.
    """
    width = max(1.0, float(shrink_factor(matrix[None])[0]))
    inverse = torch.linalg.inv(matrix)
    pad = 8
    source = nnf.pad(image.double() / 255, (pad,) * 4)
    ticks = torch.arange(-pad, image.shape[1] + pad, dtype=torch.float64)
    out = torch.zeros(3, size, size, dtype=torch.float64)
    for v in range(size):
        for u in range(size):
            x, y, _ = inverse @ torch.tensor([u, v, 1.0], dtype=torch.float64)
            weight_x = (1 - (ticks - x).abs() / width).clamp_min(0)
            weight_y = (1 - (ticks - y).abs() / width).clamp_min(0)
            total = weight_x.sum() * weight_y.sum()
            if total > 0:
                out[:, v, u] = weight_y @ source @ weight_x / total
    return out.float()


@pytest.mark.parametrize(("angle", "shrink"), [(0, 1.0), (17, 0.8), (-45, 1.0), (90, 0.6)])
def test_warp_equals_the_slow_bilinear_loop_where_nothing_shrinks(
    images: UInt8[Tensor, "6 3 64 64"], angle: float, shrink: float
) -> None:
    matrix = affine(angle, shrink, (30.2, 33.7), 24)
    expected = loop_tent(images[0], matrix[0], 24)
    torch.testing.assert_close(warp(images[:1], matrix, 24)[0], expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("shrink", [1.5, 1.9, 2.0, 2.3, 2.6, 3.0, 3.5, 4.2])
def test_warp_is_close_to_the_wide_tent_where_it_shrinks(
    images: UInt8[Tensor, "6 3 64 64"], shrink: float
) -> None:
    matrix = affine(20, shrink, (31.5, 31.5), 10)
    expected = loop_tent(images[1], matrix[0], 10)
    filtered = (warp(images[1:2], matrix, 10)[0] - expected).square().mean().sqrt()
    # Sampling without a low-pass: the same map to a view so large that nothing shrinks.
    fine = torch.diag(torch.tensor([4.0, 4.0, 1.0], dtype=torch.float64)) @ matrix
    aliased = (warp(images[1:2], fine, 40)[0, :, ::4, ::4] - expected).square().mean().sqrt()
    assert filtered < 0.45 * aliased


def test_a_fine_checkerboard_becomes_grey_instead_of_moire() -> None:
    ticks = torch.arange(64)
    board = ((ticks[:, None] + ticks) % 2 * 255).to(torch.uint8).expand(1, 3, 64, 64).contiguous()
    view = warp(board, affine(9, 2.0, (31.5, 31.5), 24), 24)
    torch.testing.assert_close(view, torch.full_like(view, 0.5), atol=0.02, rtol=0)


def test_outside_the_source_is_zero(images: UInt8[Tensor, "6 3 64 64"]) -> None:
    white = torch.full_like(images[:1], 255)
    view = warp(white, affine(0, 1.0, (0.0, 31.5), 33), 33)
    assert view[..., :16].abs().max() < 1e-5
    torch.testing.assert_close(view[..., 16:], torch.ones_like(view[..., 16:]))


def test_images_that_shrink_differently_do_not_disturb_each_other(
    images: UInt8[Tensor, "6 3 64 64"],
) -> None:
    matrix = torch.cat([affine(10 * k, s, (31.5, 30), 16) for k, s in enumerate([1, 5, 1.4, 2.2])])
    together = warp(images[:4], matrix, 16)
    alone = torch.cat([warp(images[k : k + 1], matrix[k : k + 1], 16) for k in range(4)])
    assert torch.equal(together, alone)


def test_the_mean_brightness_survives_any_shrink() -> None:
    flat = torch.full((1, 3, 64, 64), 100, dtype=torch.uint8)
    for shrink in (1.0, 1.3, 1.99, 2.0, 2.5, 3.9):
        view = warp(flat, affine(30, shrink, (31.5, 31.5), 8), 8)
        torch.testing.assert_close(view, torch.full_like(view, 100 / 255), atol=1e-5, rtol=0)
