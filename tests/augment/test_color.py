"""Colour jitter against the standard library's HSV, pixel by pixel."""

import colorsys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor

from handssl.augment.color import ColorDrop, ColorJitter, grey
from handssl.errors import ConfigError

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


def jitter(
    pixels: Float[Tensor, "pixels 3"], values: Float[Tensor, "1 4"]
) -> Float[Tensor, "pixels 3"]:
    image = pixels.mT.reshape(1, 3, 1, -1).clone()
    return ColorJitter().apply(image, values)[0, :, 0].mT


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
    got = jitter(pixels, torch.tensor([values]))
    torch.testing.assert_close(got, slow(pixels, *values), atol=1e-5, rtol=0)


def test_neutral_factors_change_nothing() -> None:
    pixels = torch.rand((100, 3), generator=torch.Generator().manual_seed(0))
    got = jitter(pixels, torch.tensor([[1.0, 1.0, 1.0, 0.0]]))
    torch.testing.assert_close(got, pixels, atol=1e-6, rtol=0)


def test_images_of_a_batch_have_their_own_factors() -> None:
    images = torch.rand((3, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    values = ColorJitter().sample(torch.rand((3, 4), generator=torch.Generator().manual_seed(1)))
    together = ColorJitter().apply(images.clone(), values)
    for row in range(3):
        alone = ColorJitter().apply(images[row : row + 1].clone(), values[row : row + 1])
        assert torch.equal(together[row], alone[0])


def test_grey_is_the_luma_of_bt_601() -> None:
    primaries = torch.eye(3).reshape(3, 3, 1, 1)
    torch.testing.assert_close(grey(primaries).flatten(), torch.tensor([0.299, 0.587, 0.114]))
    dropped = ColorDrop().transform(primaries, torch.zeros(3, 0))
    assert torch.equal(dropped[:, 0], dropped[:, 2])


@pytest.mark.parametrize("key", ["max_hue", "max_saturation", "max_alpha", "max_beta"])
def test_ranges_above_what_an_image_can_hold_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="increasing range"):
        ColorJitter(**{key: 2.5})
