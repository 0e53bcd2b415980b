"""A dark studio: calibrated cameras around the hand, and hundreds of small lamps behind it."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from handssl.synthetic.arrays import Floats, Singles
from handssl.synthetic.light import Lighting, draw_studio_light
from handssl.synthetic.rig import rotation_about

CENTRE_M: Final = np.array([0.0, 0.0, 1.0])
"""Position of the hand in the world's frame (x right, y down, z away from the first camera)."""

_LONG_PX: Final = 512
_SHORT_PX: Final = 334
_FRONT_DEG: Final = 115.0
"""Largest angle of a camera from the front; the person is behind the hand."""

_LAMPS_RADIUS_M: Final = 1.7
_LAMP_SPACING_DEG: Final = 7.0
_GLARE_PX: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioCamera:
    """One calibrated camera.

    Attributes:
        name: As InterHand's: "400…" in colour, "410…" in grey.
        width_px, height_px: Size of its images: portrait or landscape.
        position_m: (3,) in the world.
        rotation: (3, 3) world frame → camera frame: (world − position) · rotationᵀ.
        focal_px: (2,) focal lengths.
        centre_px: (2,) principal point, pixel centres at integers.
        gain: (3,) its response to red, green and blue.
        saturation: How much colour its pictures keep; 0 is grey.
    """

    name: str
    width_px: int
    height_px: int
    position_m: Floats
    rotation: Floats
    focal_px: Floats
    centre_px: Floats
    gain: Floats
    saturation: float

    @property
    def is_grey(self) -> bool:
        """Whether its images have no colour."""
        return self.saturation == 0

    def project(self, points_m: Floats) -> tuple[Floats, Floats]:
        """World points (n, 3) → pixels (n, 2) and depths (n,) along the camera's axis."""
        seen = (points_m - self.position_m) @ self.rotation.T
        pixels: Floats = seen[:, :2] / seen[:, 2:] * self.focal_px + self.centre_px
        return pixels, seen[:, 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """The studio of one capture.

    Attributes:
        cameras: All cameras of the hand.
        lighting: In the world's frame, the same for every camera.
        lamps_m: (k, 3) positions of the lamps in the background.
        lamp_strengths: (k,) their brightness, about 1.
        haze: Brightness of the dark background.
    """

    cameras: tuple[StudioCamera, ...]
    lighting: Lighting
    lamps_m: Floats
    lamp_strengths: Floats
    haze: float


def draw_studio(generator: np.random.Generator, cameras: int, grey_share: float) -> Studio:
    """Cameras spread over the front about 1 m from the hand, lamps all around."""
    azimuths = np.linspace(-_FRONT_DEG, _FRONT_DEG, cameras + 1)[:-1]
    azimuths += generator.uniform(0.2, 0.8, size=cameras) * 2 * _FRONT_DEG / cameras
    lamps, strengths = _draw_lamps(generator)
    return Studio(
        cameras=tuple(
            _draw_camera(generator, number, float(azimuth), grey_share)
            for number, azimuth in enumerate(azimuths)
        ),
        lighting=draw_studio_light(generator),
        lamps_m=lamps,
        lamp_strengths=strengths,
        haze=float(generator.uniform(0.01, 0.035)),
    )


def studio_backdrop(studio: Studio, camera: StudioCamera) -> Singles:
    """(h, w, 3) display values in [0, 1]: darkness, and each lamp with its glare."""
    height, width, margin = camera.height_px, camera.width_px, _GLARE_PX
    canvas = np.zeros((height + 2 * margin + 1, width + 2 * margin + 1), np.float32)
    canvas += np.float32(studio.haze)
    pixels, depth = camera.project(studio.lamps_m)
    column, row = (pixels + 0.5).astype(np.int64).T
    visible = (depth > 0) & (column > -margin) & (column < width + margin)
    visible &= (row > -margin) & (row < height + margin)
    side = 2 * margin + 1
    for number in np.flatnonzero(visible).tolist():
        top, left = row[number], column[number]
        if 0 <= top <= canvas.shape[0] - side and 0 <= left <= canvas.shape[1] - side:
            glare = _glare() * np.float32(studio.lamp_strengths[number])
            canvas[top : top + side, left : left + side] += glare
    seen = canvas[margin : margin + height, margin : margin + width, None]
    backdrop: Singles = np.minimum(seen * camera.gain.astype(np.float32) ** np.float32(0.5), 1)
    return backdrop


def _draw_camera(
    generator: np.random.Generator, number: int, azimuth_deg: float, grey_share: float
) -> StudioCamera:
    """A camera at an azimuth about the hand, 0 in front (where z is smallest)."""
    elevation, roll = np.radians(generator.uniform([-30, -12], [30, 12]))
    distance = generator.uniform(0.98, 1.12)
    # It looks along +z from the front, then moves on an orbit about the hand.
    orbit = rotation_about(1, -np.radians(azimuth_deg)) @ rotation_about(0, -elevation)
    position = CENTRE_M - distance * orbit[:, 2]
    rotation = rotation_about(2, roll) @ orbit.T
    lying = generator.random() < 0.25
    width, height = (_LONG_PX, _SHORT_PX) if lying else (_SHORT_PX, _LONG_PX)
    grey = generator.random() < grey_share
    warmth, saturation = generator.uniform([0, 0.65], 1)
    gain = np.ones(3) if grey else 1 + warmth * np.array([0.02, 0.0, -0.35])
    focal = generator.uniform(1225, 1275)
    return StudioCamera(
        name=f"{'410' if grey else '400'}{number:03d}",
        width_px=width,
        height_px=height,
        position_m=position,
        rotation=rotation,
        focal_px=focal + generator.normal(size=2) * 0.2,
        centre_px=np.array([width, height]) / 2 + generator.normal(size=2) * 8,
        gain=gain * generator.uniform(0.85, 1.15),
        saturation=0.0 if grey else float(saturation),
    )


def _draw_lamps(generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Lamps in rows on a sphere about the hand, a third of them off."""
    heights = np.radians(np.arange(-45, 46, _LAMP_SPACING_DEG))
    rounds = np.radians(np.arange(0, 360, _LAMP_SPACING_DEG))
    height, turn = (grid.reshape(-1) for grid in np.meshgrid(heights, rounds))
    jitter = np.radians(generator.normal(size=(2, len(height))) * 1.0)
    height, turn = height + jitter[0], turn + jitter[1]
    on = generator.random(len(height)) < 0.67
    direction = np.stack(
        [np.cos(height) * np.sin(turn), np.sin(height), np.cos(height) * np.cos(turn)], 1
    )
    strengths = generator.uniform(0.4, 1.3, size=len(height))
    return CENTRE_M + _LAMPS_RADIUS_M * direction[on], strengths[on]


@cache
def _glare() -> Singles:
    """A lamp in an image: a small disc, a halo and six faint rays."""
    ramp = np.arange(-_GLARE_PX, _GLARE_PX + 1)
    x, y = np.meshgrid(ramp, ramp)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    disc = 1.4 / (1 + np.exp(2.2 * (radius - 3.8)))
    halo = 0.30 * np.exp(-radius / 3.5)
    rays = 0.6 * np.exp(-radius / 8) * np.clip(np.cos(6 * angle + 0.4), 0, 1) ** 12
    edge = np.clip((_GLARE_PX - radius) / 6, 0, 1)
    glare: Singles = ((disc + halo + rays) * edge).astype(np.float32)
    return glare
