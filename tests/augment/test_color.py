"""Colour jitter against the standard library's HSV, pixel by pixel."""

import colorsys

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor

from handssl.augment.color import ColorJitter

CORNERS = [[r, g, b] for r in (0.0, 0.5, 1.0) for g in (0.0, 0.5, 1.0) for b in (0.0, 0.5, 1.0)]


def slow(
    pixels: Float[Tensor, "pixels 3"], h: float, s: float, alpha: float, beta: float
) -> Float[Tensor, "pixels 3"]:
    rows = []
    for red, green, blue in pixels.tolist():
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        rows.append(
            colorsys.hsv_to_rgb(hue * h, saturation * s, min(max(value * alpha + beta, 0), 1))
        )
    return torch.tensor(rows)


@settings(deadline=None, max_examples=40)
@given(
    st.tuples(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.5, 1), st.floats(0.01, 0.1)),
    st.integers(0, 1000),
)
def test_jitter_equals_the_standard_librarys_hsv(
    values: tuple[float, float, float, float], seed: int
) -> None:
    noise = torch.rand((40, 3), generator=torch.Generator().manual_seed(seed))
    pixels = torch.cat([torch.tensor(CORNERS), noise, (noise * 255).round() / 255])
    image = pixels.mT.reshape(1, 3, 1, -1).clone()
    got = ColorJitter().apply(image, torch.tensor([values]))[0, :, 0].mT
    torch.testing.assert_close(got, slow(pixels, *values), atol=1e-5, rtol=0)
