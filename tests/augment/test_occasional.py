"""Blur and Sobel against kornia, the distribution of noise, the range of cutout."""

import kornia.filters
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from handssl.augment.occasional import Cutout, GaussianBlur, GaussianNoise, Sobel, grey


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
    expected = (gradient[:, 0].norm(dim=1, keepdim=True) / 4).clamp(0, 1).expand(-1, 3, -1, -1)
    got = Sobel().transform(floats, torch.zeros(4, 0))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_cutouts_sides_and_centres_stay_in_the_released_range() -> None:
    values = Cutout().sample(torch.rand((5000, 5), generator=torch.Generator().manual_seed(0)))
    assert 0.15 < float(values[:, 3].max()) <= 0.16
    assert float(values[:, 1:3].min()) >= 0.25
    assert float(values[:, 1:3].max()) <= 0.75


def noise_of(seeds: list[float], side: int = 64) -> Tensor:
    half = torch.full((len(seeds), 3, side, side), 0.5)
    return GaussianNoise().transform(half, torch.tensor(seeds)[:, None]) - 0.5


def test_the_moments_of_noise_are_the_normal_distributions() -> None:
    noise = noise_of([float(seed) for seed in range(40)]) * 255 / 25
    torch.testing.assert_close(noise.mean(), torch.tensor(0.0), atol=0.01, rtol=0)
    torch.testing.assert_close(noise.std(), torch.tensor(1.0), atol=0.01, rtol=0)
    torch.testing.assert_close(noise.pow(4).mean(), torch.tensor(3.0), atol=0.05, rtol=0)
    within = (noise.abs() < 1).float().mean()
    torch.testing.assert_close(within, torch.tensor(0.6827), atol=0.005, rtol=0)


def test_neighbours_channels_and_neighbouring_seeds_are_uncorrelated() -> None:
    noise = noise_of([7.0, 8.0, 16_777_215.0])
    pairs = [
        (noise[..., :-1], noise[..., 1:]),
        (noise[..., :-1, :], noise[..., 1:, :]),
        (noise[:, 0], noise[:, 1]),
        (noise[:, 0], noise[:, 2]),
        (noise[0], noise[1]),
        (noise[1], noise[2]),
    ]
    for a, b in pairs:
        correlation = torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]
        assert abs(float(correlation)) < 0.03


def test_an_odd_number_of_values_works() -> None:
    assert noise_of([1.0], side=5).shape == (1, 3, 5, 5)
