"""From light to a JPEG: exposure and tone curve, the sensor's noise, the lens's blur."""

from functools import cache
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from handssl.synthetic.arrays import Bytes, Singles

_NOISE_TILE_PX: Final = 1024


def tone_curve(linear: Singles, exposure: float) -> Singles:
    """Linear light to display values in [0, 1]: a soft shoulder, then gamma 2.2."""
    exposed = np.maximum(linear * np.float32(exposure), 0)
    exposed /= 1 + np.float32(0.12) * exposed
    curve: Singles = np.power(np.minimum(exposed, 1), np.float32(1 / 2.2))
    return curve


def blur(pixels: Bytes, sigma_px: float) -> Bytes:
    """Gaussian blur of an (h, w, 3) or (h, w) image over 3 × 3 pixels; for sigmas under 1."""
    near = np.exp(-0.5 / max(sigma_px, 0.1) ** 2)
    line = np.array([near, 1, near])
    kernel = ImageFilter.Kernel((3, 3), np.outer(line, line).reshape(-1).tolist())
    return np.asarray(Image.fromarray(pixels).filter(kernel))


def add_noise(pixels: Singles, generator: np.random.Generator, sigma: float) -> Bytes:
    """(h, w, c) values in [0, 1] plus Gaussian noise, as 8-bit pixels."""
    height, width, channels = pixels.shape
    tile = _noise_tile()
    top, left = generator.integers(_NOISE_TILE_PX - np.array([height, width]) + 1).tolist()
    noise = tile[top : top + height, left : left + width, :channels]
    noisy = pixels * np.float32(255) + noise * np.float32(255 * sigma) + np.float32(0.5)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def encode_jpeg(pixels: Bytes, quality: int) -> bytes:
    """A baseline JPEG; grey where `pixels` has two dimensions."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@cache
def _noise_tile() -> Singles:
    shape = (_NOISE_TILE_PX, _NOISE_TILE_PX, 3)
    return np.random.default_rng(7).standard_normal(shape, dtype=np.float32)
