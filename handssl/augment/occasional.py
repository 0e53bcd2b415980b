"""Appearance changes that only a share of the images gets: grey, blur, Sobel, noise, cutout."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import torch
import torch.nn.functional as nnf
from annotated_types import Ge, Gt, Le
from jaxtyping import Float, Int32
from torch import Tensor

from handssl.augment.augmentation import Appearance, uniform_between

_UNIT: Final = 2.0**-24


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasional(Appearance):
    """An appearance change that only a share of the images gets.

    The first column of the parameters is "applied" (1 or 0), the first uniform number decides it.

    Attributes:
        probability: Share of the images that get it (released: 1/2).
    """

    probability: Annotated[float, Gt(0), Le(1)] = 0.5

    def sample(self, uniforms: Float[Tensor, "batch columns"]) -> Float[Tensor, "batch columns"]:
        """("applied", then `sample_details` of the other uniform numbers)."""
        applied = (uniforms[:, :1] < self.probability).to(uniforms)
        return torch.cat([applied, self.sample_details(uniforms[:, 1:])], dim=1)

    def apply(
        self, images: Float[Tensor, "batch 3 height width"], values: Float[Tensor, "batch columns"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """The images with `transform` on those rows where "applied" is 1."""
        rows = values[:, 0].nonzero()[:, 0]
        if len(rows) == 0:
            return images
        details = values[rows, 1:].to(images)
        if len(rows) == len(images):
            return self.transform(images, details)
        rows = rows.to(images.device)
        images[rows] = self.transform(images[rows], details)
        return images

    def sample_details(
        self, uniforms: Float[Tensor, "batch details"]
    ) -> Float[Tensor, "batch details"]:
        """Columns after "applied"; as they come unless a subclass maps them to its ranges."""
        return uniforms

    @abstractmethod
    def transform(
        self,
        images: Float[Tensor, "batch 3 height width"],
        details: Float[Tensor, "batch details"],
    ) -> Float[Tensor, "batch 3 height width"]:
        """The changed images in [0, 1], given the columns after "applied"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorDrop(Occasional):
    """Grey instead of colour (luma of BT.601, as OpenCV and Pillow have it)."""

    name: ClassVar[str] = "color_drop"
    symbol: ClassVar[str] = "CD"
    columns: ClassVar[tuple[str, ...]] = ("applied",)

    def transform(
        self, images: Float[Tensor, "batch 3 height width"], details: Float[Tensor, "batch 0"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """The grey image in all three channels."""
        return grey(images).expand_as(images).contiguous()


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianBlur(Occasional):
    """Gaussian blur with a width drawn per image, reflecting at the border.

    Attributes:
        min_sigma_px: Smallest σ in view pixels (released: 0.1).
        max_sigma_px: Largest σ (released: 2).
        kernel_frac: Side of the kernel over the view's side (released: 0.1), to the next odd
            number of pixels.
    """

    name: ClassVar[str] = "gaussian_blur"
    symbol: ClassVar[str] = "GB"
    columns: ClassVar[tuple[str, ...]] = ("applied", "sigma_px")

    min_sigma_px: Annotated[float, Ge(0.01)] = 0.1
    max_sigma_px: Annotated[float, Ge(0.01)] = 2.0
    kernel_frac: Annotated[float, Ge(0), Le(0.5)] = 0.1

    def sample_details(self, uniforms: Float[Tensor, "batch 1"]) -> Float[Tensor, "batch 1"]:
        """σ in pixels."""
        return uniform_between(uniforms, self.min_sigma_px, self.max_sigma_px)

    def transform(
        self, images: Float[Tensor, "batch 3 height width"], details: Float[Tensor, "batch 1"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Two one-dimensional convolutions, with one kernel per image."""
        n, _, height, width = images.shape
        radius = max(1, int(self.kernel_frac * min(height, width) / 2))
        ticks = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
        kernel = (-0.5 * (ticks / details).square()).exp()
        kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, dim=0)[:, None]
        padded = nnf.pad(images, (radius,) * 4, mode="reflect").flatten(0, 1)[None]
        blurred = nnf.conv2d(padded, kernel[:, :, None], groups=3 * n)
        blurred = nnf.conv2d(blurred, kernel[:, :, :, None], groups=3 * n)
        return blurred.reshape(n, 3, height, width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sobel(Occasional):
    """Magnitude of the grey image's gradient by Sobel's 3×3 kernels, in all three channels.

    The kernels are divided by 4, so that a step of one grey level per axis gives that level, and
    the magnitude is clipped to 1 (D12).
    """

    name: ClassVar[str] = "sobel"
    symbol: ClassVar[str] = "So"
    columns: ClassVar[tuple[str, ...]] = ("applied",)

    def transform(
        self, images: Float[Tensor, "batch 3 height width"], details: Float[Tensor, "batch 0"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """√(g_x² + g_y²), with the border repeated outwards."""
        padded = nnf.pad(grey(images), (1, 1, 1, 1), mode="replicate")
        smooth_v = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]
        slope_v = padded[..., 2:, :] - padded[..., :-2, :]
        g_x = smooth_v[..., 2:] - smooth_v[..., :-2]
        g_y = slope_v[..., :-2] + 2 * slope_v[..., 1:-1] + slope_v[..., 2:]
        magnitude = torch.hypot(g_x, g_y).div_(4).clamp_(0, 1)
        return magnitude.expand_as(images).contiguous()


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

    sigma: Annotated[float, Gt(0), Le(1)] = 25 / 255

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout(Occasional):
    """A square of one random grey, its centre anywhere in the middle of the view.

    The released code centres it on a random joint, which takes labels; here the centre is uniform
    in the middle half of the view, where the hand is (D5).

    Attributes:
        max_side_frac: Largest side of the square over the view's (released: 0.16).
    """

    name: ClassVar[str] = "cutout"
    symbol: ClassVar[str] = "CO"
    columns: ClassVar[tuple[str, ...]] = ("applied", "x_frac", "y_frac", "side_frac", "grey")

    max_side_frac: Annotated[float, Ge(0), Le(1)] = 0.16

    def sample_details(self, uniforms: Float[Tensor, "batch 4"]) -> Float[Tensor, "batch 4"]:
        """Centre (x, y) in [1/4, 3/4] and side as fractions of the view's, and the grey."""
        centre = uniform_between(uniforms[:, :2], 0.25, 0.75)
        side = uniform_between(uniforms[:, 2:3], 0.0, self.max_side_frac)
        return torch.cat([centre, side, uniforms[:, 3:]], dim=1)

    def transform(
        self, images: Float[Tensor, "batch 3 height width"], details: Float[Tensor, "batch 4"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Pixels whose centre lies in the square become grey."""
        height, width = images.shape[-2:]
        x, y, side, shade = torch.split(details, 1, dim=1)
        columns = (torch.arange(width, device=images.device) + 0.5) / width
        rows = (torch.arange(height, device=images.device) + 0.5) / height
        inside = ((rows - y).abs() <= side / 2)[:, :, None] & ((columns - x).abs() <= side / 2)[
            :, None
        ]
        return torch.where(inside[:, None], shade[:, :, None, None], images)


def grey(images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1 height width"]:
    """0.299 R + 0.587 G + 0.114 B."""
    red, green, blue = torch.split(images, 1, dim=1)
    return torch.mul(red, 0.299).add_(green, alpha=0.587).add_(blue, alpha=0.114)


def _hash(x: Int32[Tensor, "*shape"]) -> Int32[Tensor, "*shape"]:
    """A permutation of 32-bit integers (lowbias32 of C. Wellons); products wrap modulo 2³²."""
    # `>>` keeps the sign, so the copies of the sign bit are masked away.
    x = x ^ ((x >> 16) & 0xFFFF)
    x = x * 0x7FEB352D
    x = x ^ ((x >> 15) & 0x1FFFF)
    x = x * (0x846CA68B - 2**32)
    return x ^ ((x >> 16) & 0xFFFF)
