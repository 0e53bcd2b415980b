"""Filters: Gaussian blur and the Sobel gradient."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor

from handssl.augment.augmentation import Occasional, require_range, uniform_between
from handssl.augment.color import grey


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
    uniforms: ClassVar[int] = 2
    key: ClassVar[str] = "gaussian_blur"

    min_sigma_px: float = 0.1
    max_sigma_px: float = 2.0
    kernel_frac: float = 0.1

    def __post_init__(self) -> None:
        # A slotted dataclass is a new class, which the argument-free super() does not know.
        Occasional.__post_init__(self)
        require_range("gaussian_blur.sigma_px", self.min_sigma_px, self.max_sigma_px, minimum=0.01)
        require_range("gaussian_blur.kernel_frac", 0.0, self.kernel_frac, minimum=0.0, maximum=0.5)

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
    uniforms: ClassVar[int] = 1
    key: ClassVar[str] = "sobel"

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
