"""Hashed noise is normal, white, and a function of the image's seed alone."""

import torch

from handssl.augment.noise import GaussianNoise


def noise_of(seeds: list[float], side: int = 64) -> torch.Tensor:
    grey = torch.full((len(seeds), 3, side, side), 0.5)
    return GaussianNoise().transform(grey, torch.tensor(seeds)[:, None]) - 0.5


def test_its_moments_are_the_normal_distributions() -> None:
    noise = noise_of([float(seed) for seed in range(40)]) * 255 / 25
    torch.testing.assert_close(noise.mean(), torch.tensor(0.0), atol=0.01, rtol=0)
    torch.testing.assert_close(noise.std(), torch.tensor(1.0), atol=0.01, rtol=0)
    torch.testing.assert_close(noise.pow(4).mean(), torch.tensor(3.0), atol=0.05, rtol=0)
    torch.testing.assert_close(
        (noise.abs() < 1).float().mean(), torch.tensor(0.6827), atol=0.005, rtol=0
    )


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


def test_a_seed_names_its_noise() -> None:
    assert torch.equal(noise_of([3.0, 9.0])[1], noise_of([9.0])[0])
    assert not torch.equal(noise_of([3.0]), noise_of([9.0]))


def test_an_odd_number_of_values_works() -> None:
    assert noise_of([1.0], side=5).shape == (1, 3, 5, 5)


def test_it_is_clipped_to_the_images_range() -> None:
    white = GaussianNoise().transform(torch.ones(1, 3, 32, 32), torch.tensor([[4.0]]))
    assert float(white.max()) == 1
    assert float(white.min()) < 1
