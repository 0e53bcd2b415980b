"""Gaussian noise whose every pixel is a function of the image's seed."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from handssl.augment.augmentation import Occasional
from handssl.errors import ConfigError

_UNIT = 2.0**-24


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianNoise(Occasional):
    """Independent normal noise on every channel of every pixel, clipped to [0, 1].

    Each image carries an integer seed below 2²⁴; its noise is a hash of that seed and the pixel's
    index, so it needs no generator on the device and no order of the images.

    Attributes:
        sigma: Standard deviation in units of the full range (released: 25/255).
    """

    name: ClassVar[str] = "gaussian_noise"
    symbol: ClassVar[str] = "GN"
    columns: ClassVar[tuple[str, ...]] = ("applied", "seed")
    uniforms: ClassVar[int] = 2
    key: ClassVar[str] = "gaussian_noise"

    sigma: float = 25 / 255

    def __post_init__(self) -> None:
        Occasional.__post_init__(self)
        if not 0 < self.sigma <= 1:
            raise ConfigError(
                f"gaussian_noise.sigma must be > 0 and <= 1, but got gaussian_noise.sigma="
                f"{self.sigma:g}; leave gaussian_noise out for none"
            )

    def sample_details(self, uniforms: Float[Tensor, "batch 1"]) -> Float[Tensor, "batch 1"]:
        """The seed, an integer that float32 holds exactly."""
        return (uniforms / _UNIT).floor()

    def transform(
        self, images: Float[Tensor, "batch 3 height width"], details: Float[Tensor, "batch 1"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Box–Muller on two hashed uniform numbers per pair of values."""
        values = images[0].numel()
        half = (values + 1) // 2
        index = torch.arange(2 * half, device=images.device, dtype=torch.int32)
        bits = _hash(index ^ _hash(details.to(torch.int32)))
        # 24 bits each; the first from (0, 1], so that its logarithm is finite.
        unit = (bits & 0xFFFFFF).to(images.dtype).mul_(_UNIT)
        radius = unit[:, :half].add(_UNIT).clamp_max_(1).log_().mul_(-2).sqrt_().mul_(self.sigma)
        angle = unit[:, half:].mul(2 * math.pi)
        noise = torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)[:, :values]
        return (images + noise.reshape(images.shape)).clamp_(0, 1)


def _hash(x: Int32[Tensor, "*shape"]) -> Int32[Tensor, "*shape"]:
    """A permutation of 32-bit integers (lowbias32 of C. Wellons); products wrap modulo 2³²."""
    # `>>` keeps the sign, so the copies of the sign bit are masked away.
    x = x ^ ((x >> 16) & 0xFFFF)
    x = x * 0x7FEB352D
    x = x ^ ((x >> 15) & 0x1FFFF)
    x = x * (0x846CA68B - 2**32)
    return x ^ ((x >> 16) & 0xFFFF)
