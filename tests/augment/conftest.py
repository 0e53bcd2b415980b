"""Source images with something to see in them, and a hand's place."""

import pytest
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def smooth_images(n: int, side: int, seed: int = 0) -> UInt8[Tensor, "n 3 side side"]:
    """Random images with the 1/f spectrum of photographs."""
    noise = torch.rand((n, 3, side, side), generator=torch.Generator().manual_seed(seed))
    frequency = torch.fft.fftfreq(side)
    radius = torch.hypot(frequency[:, None], frequency[None]).clamp_min(1 / side)
    field = torch.fft.ifft2(torch.fft.fft2(noise - 0.5) / radius).real
    low, high = field.amin((2, 3), keepdim=True), field.amax((2, 3), keepdim=True)
    scaled: Tensor = (field - low) / (high - low) * 255
    return scaled.round().to(torch.uint8)


@pytest.fixture
def images() -> UInt8[Tensor, "6 3 64 64"]:
    return smooth_images(6, 64)


@pytest.fixture
def centre_px() -> Float[Tensor, "6 2"]:
    return torch.tensor([[31.5, 31.5], [30, 33], [25.5, 40], [36, 28], [31, 31], [33.25, 30.5]])


@pytest.fixture
def side_px() -> Float[Tensor, " 6"]:
    return torch.tensor([64.0, 40, 32, 50, 45, 38])
