"""Blur and Sobel against kornia."""

import kornia.filters
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from handssl.augment.color import grey
from handssl.augment.filters import GaussianBlur, Sobel
from handssl.errors import ConfigError


@pytest.fixture
def floats() -> Float[Tensor, "4 3 40 40"]:
    return torch.rand((4, 3, 40, 40), generator=torch.Generator().manual_seed(0))


def test_blur_equals_kornias(floats: Float[Tensor, "4 3 40 40"]) -> None:
    sigma = torch.tensor([[0.3], [0.8], [1.5], [2.0]])
    # Ten per cent of 40 px are 4, the next odd number is 5.
    expected = kornia.filters.gaussian_blur2d(floats, (5, 5), sigma.expand(4, 2))
    got = GaussianBlur().transform(floats, sigma)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_sobel_equals_kornias_gradient(floats: Float[Tensor, "4 3 40 40"]) -> None:
    gradient = kornia.filters.spatial_gradient(grey(floats), "sobel", normalized=False)
    expected = (gradient[:, 0].norm(dim=1) / 4).clamp(0, 1)
    got = Sobel().transform(floats, torch.zeros(4, 0))
    for channel in range(3):
        torch.testing.assert_close(got[:, channel], expected, atol=1e-5, rtol=0)


def test_sobel_of_a_step_is_the_steps_height() -> None:
    step = torch.zeros(1, 3, 8, 8)
    step[..., 4:] = 0.25
    got = Sobel().transform(step, torch.zeros(1, 0))
    torch.testing.assert_close(got[0, 0, 3, 3:5], torch.tensor([0.25, 0.25]))
    assert got[..., :2].abs().max() == 0


def test_an_empty_range_of_widths_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gaussian_blur\.sigma_px"):
        GaussianBlur(min_sigma_px=2.0, max_sigma_px=1.0)
