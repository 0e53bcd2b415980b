"""Backgrounds of the hand: green screens, and composed scenes cut from a bank."""

from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from handssl.synthetic.arrays import Floats, Singles

BANK_SIZE: Final = 80
"""Number of scenes for cut-outs; each is painted once per process, at its first use."""

_SCENE_PX: Final = 320
_CLOUD_PX: Final = 512
_CLOUD_TILES: Final = 8


def draw_backdrop(generator: np.random.Generator, side_px: int) -> Singles:
    """A random cut-out of a random scene, mirrored and recoloured: (side, side, 3) in [0, 1]."""
    scene = _paint_scene(int(generator.integers(BANK_SIZE)))
    side = generator.uniform(0.5, 1.0) * _SCENE_PX
    left, top = generator.uniform(0, _SCENE_PX - side, size=2).tolist()
    box = (left, top, left + side, top + side)
    cut = scene.resize((side_px, side_px), Image.Resampling.BILINEAR, box=box)
    pixels = np.asarray(cut, np.float32) / np.float32(255)
    if generator.random() < 0.5:
        pixels = pixels[:, ::-1]
    gain = generator.uniform(0.55, 1.25) * generator.uniform(0.85, 1.15, size=3)
    grey = np.einsum("hwc->hw", pixels)[:, :, None] / np.float32(3)
    saturation = np.float32(generator.uniform(0.1, 0.8))
    pixels = grey + (pixels - grey) * saturation
    clipped: Singles = np.clip(pixels * gain.astype(np.float32), 0, 1)
    return clipped


def draw_green_screen(generator: np.random.Generator, side_px: int) -> Singles:
    """A studio's green walls, with their edge, a floor and sometimes a lamp or a stand."""
    green = np.array([0.20, 0.52, 0.16]) * generator.uniform(0.6, 1.25)
    green = green + 0.03 * generator.normal(size=3)
    wall = Image.new("RGB", (side_px, side_px), _colour(green))
    draw = ImageDraw.Draw(wall)
    slope, height = generator.normal() * 0.3, generator.uniform(0.45, 1.2)
    edge = [(0, side_px * (height - slope)), (side_px, side_px * (height + slope))]
    below = green * generator.uniform(0.55, 0.95)
    if generator.random() < 0.3:
        below = generator.uniform(0.15, 0.75) * np.ones(3)
    draw.polygon([*edge, (side_px, 2 * side_px), (0, 2 * side_px)], fill=_colour(below))
    for _ in range(generator.integers(0, 3)):
        x, y = _near_border(generator, side_px)
        width, tall = generator.uniform(0.03, 0.14, size=2) * side_px
        grey = generator.choice([0.05, 0.2, 0.5, 0.97]) * np.ones(3)
        draw.rectangle((x, y, x + width, y + tall), fill=_colour(grey))
    wall = wall.filter(ImageFilter.GaussianBlur(side_px / 150))
    pixels = np.asarray(wall, np.float32) / np.float32(255)
    ramp = np.linspace(-0.5, 0.5, side_px, dtype=np.float32)
    across, down = (0.35 * generator.normal(size=2)).astype(np.float32)
    slope_of_light = 1 + across * ramp + down * ramp[:, None]
    lit: Singles = np.clip(pixels * slope_of_light[:, :, None], 0, 1)
    return lit


@cache
def _paint_scene(number: int) -> Image.Image:
    """Scene `number`: a background of two colours and clouds of noise, then objects on it."""
    generator = np.random.default_rng([20, number])
    side = _SCENE_PX
    first, second = generator.uniform(0.05, 0.95, size=(2, 1)) + generator.normal(
        0, 0.13, size=(2, 3)
    )
    direction = generator.normal(size=2)
    ramp = np.linspace(-1, 1, side, dtype=np.float32)
    share = 1 / (1 + np.exp(-3 * (direction[0] * ramp + direction[1] * ramp[:, None])))
    pixels = first + share[:, :, None] * (second - first) + 0.7 * _clouds(generator, side, side)
    scene = _image(pixels)
    for _ in range(generator.integers(0, 16)):
        _add_object(scene, generator)
        if generator.random() < 0.15:
            scene = scene.filter(ImageFilter.GaussianBlur(generator.uniform(0.5, 4)))
    scene = scene.filter(ImageFilter.GaussianBlur(generator.uniform(0.8, 4.0)))
    return _image(np.asarray(scene, np.float32) / 255 + 0.12 * _clouds(generator, side, side))


def _clouds(generator: np.random.Generator, height: int, width: int) -> Singles:
    """(height, width, 3) noise, more or less rough and colourful."""
    tile = _cloud_tiles()[generator.integers(_CLOUD_TILES)]
    tops = generator.integers(_CLOUD_PX - height, size=4).tolist()
    lefts = generator.integers(_CLOUD_PX - width, size=4).tolist()
    grey, *colours = (
        tile[top : top + height, left : left + width]
        for top, left in zip(tops, lefts, strict=True)
    )
    colourful = np.float32(generator.uniform(0, 0.4))
    strength = np.float32(generator.uniform(0.03, 0.16))
    return (grey[:, :, None] + colourful * np.stack(colours, 2)) * strength


@cache
def _cloud_tiles() -> list[Singles]:
    """Unit-variance noise whose amplitude falls with frequency f as in photographs: 1/fᵃ."""
    generator = np.random.default_rng(21)
    frequency = np.hypot(np.fft.fftfreq(_CLOUD_PX)[:, None], np.fft.rfftfreq(_CLOUD_PX))
    frequency[0, 0] = np.inf
    tiles = []
    for steepness in np.linspace(1.2, 2.0, _CLOUD_TILES):
        spectrum = np.fft.rfft2(generator.normal(size=(_CLOUD_PX, _CLOUD_PX)))
        noise = np.fft.irfft2(spectrum / frequency**steepness)
        tiles.append((noise / noise.std()).astype(np.float32))
    return tiles


def _add_object(scene: Image.Image, generator: np.random.Generator) -> None:
    """One polygon, ellipse or stroke with its own colour and texture, pasted softly."""
    kind = generator.random()
    if kind < 0.45:
        corners = int(generator.integers(3, 8))
        angles = np.sort(generator.uniform(0, 2 * np.pi, size=corners))
        radii = generator.uniform(0.03, 0.35) * generator.uniform(0.5, 1, size=corners)
        points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1)
    elif kind < 0.7:
        points = generator.uniform(0.02, 0.25, size=2) * [[-1], [1]]
    else:
        points = generator.uniform(-0.5, 0.5, size=(2, 2))
    stroke = int(generator.integers(1, scene.width // 14))
    points = points * scene.width
    low = points.min(0) - stroke
    width, height = np.ceil(points.max(0) + stroke - low).astype(int).tolist()
    mask = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(mask)
    corners_px = [(x, y) for x, y in (points - low).tolist()]
    if kind < 0.45:
        draw.polygon(corners_px, fill=255)
    elif kind < 0.7:
        draw.ellipse(corners_px, fill=255)
    else:
        draw.line(corners_px, fill=255, width=stroke)
    mask = mask.filter(ImageFilter.GaussianBlur(generator.uniform(0.4, 1.6)))
    colour = generator.normal(generator.uniform(0, 1), 0.16, size=3)
    roughness = np.float32(generator.uniform(0, 1.5))
    texture = colour.astype(np.float32) + roughness * _clouds(generator, height, width)
    x, y = (generator.uniform(-0.05, 1.05, size=2) * scene.width + low).astype(int).tolist()
    scene.paste(_image(texture), (x, y), mask)


def _near_border(generator: np.random.Generator, side: int) -> tuple[float, float]:
    along, away = generator.uniform(0, 1), generator.uniform(-0.05, 0.12)
    near, far = along * side, (away if generator.random() < 0.5 else 1 - away) * side
    return (near, far) if generator.random() < 0.5 else (far, near)


def _colour(rgb: Floats) -> tuple[int, int, int]:
    red, green, blue = (np.clip(rgb, 0, 1) * 255 + 0.5).astype(int).tolist()
    return red, green, blue


def _image(pixels: Floats | Singles) -> Image.Image:
    return Image.fromarray(np.clip(pixels * 255 + 0.5, 0, 255).astype(np.uint8))
