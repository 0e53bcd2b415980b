"""The hand's surface: skin tones, creases, nails, veins, and sometimes a sleeve.

Fields that are the same for all hands are computed once per process at the vertices of the finest
mesh, which are about a pixel apart; the colours of one hand are a few weighted sums of them.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from scipy import ndimage

from handssl.synthetic.arrays import Floats, Singles
from handssl.synthetic.mesh import smooth_step
from handssl.synthetic.pose import HandPose
from handssl.synthetic.rig import PosedSurface, Rig, load_rig

_TONES_SRGB: Final = (
    np.array(
        [
            [241, 207, 184],
            [229, 184, 155],
            [214, 163, 128],
            [196, 140, 104],
            [168, 113, 80],
            [135, 88, 60],
            [104, 66, 46],
            [78, 50, 37],
        ]
    )
    / 255
)
"""From fair to dark, sRGB in [0, 1]; a hand's tone is between two neighbours."""

_CREASES: Final = (
    *((joint, 0.9) for joint in (7, 12, 17, 22)),
    *((joint, 1.0) for joint in (8, 13, 18, 23)),
    *((joint, 0.8) for joint in (6, 11, 16, 21)),
    *((2, 0.7), (3, 0.9)),
)
"""Rig joints with flexion creases, and their strength."""

_KNUCKLES: Final = (6, 11, 16, 21)
_NOISES: Final = 4
_STRENGTHS: Final = ("palm_lightness", "mottling", "creases", "wrinkles", "redness", "veins")


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinStyle:
    """One person's skin; colours are linear RGB, strengths about 1.

    Attributes:
        tone: (3,) albedo of the back of the hand.
        palm_lightness, mottling, creases, wrinkles, redness, veins: Strengths.
        noise_mix: (4,) weights of the noise fields in the mottling.
        nail: (3,) albedo of the nails.
        sleeve_m: Distance from the wrist to the sleeve; None for a bare arm.
        cloth: (3,) albedo of the sleeve.
        cloth_stripes: Stripes of the sleeve per metre.
    """

    tone: Floats
    palm_lightness: float
    mottling: float
    creases: float
    wrinkles: float
    redness: float
    veins: float
    noise_mix: Floats
    nail: Floats
    sleeve_m: float | None
    cloth: Floats
    cloth_stripes: float


def draw_skin(generator: np.random.Generator, *, sleeve_share: float) -> SkinStyle:
    """A random person's skin, fair to dark; `sleeve_share` of them wear a sleeve."""
    position = np.clip(generator.beta(1.2, 1.4), 0, 1) * (len(_TONES_SRGB) - 1)
    lower = min(int(position), len(_TONES_SRGB) - 2)
    tone = _TONES_SRGB[lower] + (position - lower) * (_TONES_SRGB[lower + 1] - _TONES_SRGB[lower])
    tone = tone * (1 + 0.02 * generator.normal(size=3)) * generator.uniform(0.93, 1.06)
    tone = np.clip(tone, 0.03, 0.97)
    nail = (0.6 * tone + 0.4 * np.array([0.93, 0.72, 0.68])) * generator.uniform(0.95, 1.08)
    mix = generator.normal(size=_NOISES)
    strengths = generator.uniform([0.4, 0.5, 0.5, 0.2, 0.3, 0.0], [1, 1.6, 1.15, 1, 1.2, 1.2])
    has_sleeve = generator.random() < sleeve_share
    sleeve_m = generator.uniform(0.03, 0.15)
    return SkinStyle(
        tone=tone**2.2,
        **dict(zip(_STRENGTHS, strengths.tolist(), strict=True)),
        noise_mix=mix / np.sqrt((mix * mix).sum()),
        nail=np.clip(nail, 0, 1) ** 2.2,
        sleeve_m=float(sleeve_m) if has_sleeve else None,
        cloth=generator.uniform(0.03, 0.8, size=3) ** 1.5,
        cloth_stripes=float(generator.uniform(40, 250)),
    )


def dress(pose: HandPose, style: SkinStyle, *, rotation: Floats, shift: Floats) -> PosedSurface:
    """The posed hand with its sleeve; `rotation` and `shift` as in `Rig.skin`."""
    rig = load_rig()
    rest = dressed_surface(rig, style)
    return rig.skin(pose.placed, pose.scale, rest, rotation=rotation, shift=shift, size=pose.size)


def dressed_surface(rig: Rig, style: SkinStyle) -> Singles:
    """(n, 3) rest surface, with the sleeve 4 mm off the arm, in loose folds."""
    if style.sleeve_m is None:
        return rig.vertices
    baked = _bake()
    inside = baked["along_arm_m"] - np.float32(style.sleeve_m)
    folds = 1 + 0.35 * np.sin(90 * inside + 4 * baked["outward"][:, 0]) * (inside > 0.01)
    offset = 0.004 * smooth_step(inside / 0.004) * folds + 0.02 * np.clip(inside, 0, 0.3)
    surface: Singles = rig.vertices + baked["outward"] * offset[:, None].astype(np.float32)
    return surface


def albedo(style: SkinStyle) -> tuple[Singles, Singles]:
    """Linear albedo (n, 3) and gloss (n,) of every vertex of the finest mesh."""
    baked = _bake()
    tone = style.tone.astype(np.float32)
    palm = tone + np.float32(0.10) * (1 - tone) * np.array([1.1, 0.8, 0.75], np.float32)
    share = (baked["palmar"] * np.float32(style.palm_lightness))[:, None]
    colour = tone + share * (palm - tone)
    mottle = np.einsum(
        "nk,k->n",
        baked["noises"],
        style.noise_mix.astype(np.float32) * np.float32(0.05 * style.mottling),
    )
    colour *= 1 + mottle[:, None] * np.array([0.7, 1.0, 1.1], np.float32)
    colour *= 1 - (style.redness * baked["red"])[:, None] * np.array([0, 0.16, 0.17], np.float32)
    dark = (
        style.creases * (baked["crease"] + style.wrinkles * baked["wrinkle"])
        + 0.45 * baked["nail_edge"]
    )
    colour *= 1 - np.minimum(dark, 1.4)[:, None] * np.array([0.26, 0.36, 0.38], np.float32)
    vein = np.float32(style.veins) * baked["vein"]
    colour *= 1 - vein[:, None] * np.array([0.16, 0.08, 0.03], np.float32)
    nail = (np.float32(0.85) * baked["nail"])[:, None]
    colour += nail * (style.nail.astype(np.float32) - colour)
    if style.sleeve_m is not None:
        inside = baked["along_arm_m"] - np.float32(style.sleeve_m)
        stripes = np.sin(2 * np.pi * style.cloth_stripes * inside)
        weave = 1 + 0.15 * stripes + 0.06 * baked["noises"][:, 0]
        cloth = style.cloth.astype(np.float32) * weave[:, None].astype(np.float32)
        colour += smooth_step(inside / 0.002)[:, None] * (cloth - colour)
    return np.clip(colour, 0.01, 1), baked["nail"]


@cache
def _bake() -> dict[str, Singles]:
    """Fields that are the same for all hands, at every vertex."""
    rig = load_rig()
    points = rig.vertices.astype(np.float64)
    owner = rig.weights.toarray().argmax(1)
    # 0 where a point's normal, in the frame of its bone, is dorsal, 1 where it is palmar.
    up = np.einsum("nj,nj->n", rig.inverse_bind[owner][:, 1, :3], rig.normals)
    palmar, dorsal = np.clip(0.5 - 0.75 * up, 0, 1), np.clip(0.5 + 0.9 * up, 0, 1)
    generator = np.random.default_rng(0)
    fine = [_noise(generator, points, 4e-3) for _ in range(_NOISES // 2)]
    coarse = [_noise(generator, points, 12e-3) for _ in range(_NOISES - _NOISES // 2)]

    crease, wrinkle, red = (np.zeros(len(points)) for _ in range(3))
    for joint, strength in _CREASES:
        local = _in_frame(rig, joint, points)
        radius2 = (local**2).sum(1)
        x, _, z = local.T
        near = radius2 < 0.018**2
        # The crease below a knuckle lies at the finger's root, 22 mm beyond the joint.
        offset = z + (0.022 if joint in _KNUCKLES else 0) + 0.0012 * np.sin(500 * x + joint)
        main, second = (offset / 0.0011) ** 2, ((offset - 0.0028) / 0.0009) ** 2
        crease += near * strength * palmar * (np.exp(-main) + 0.5 * np.exp(-second))
        if joint not in _KNUCKLES:
            fold = np.exp(-((z / 0.0055) ** 2)) * np.clip(dorsal - 0.3, 0, 1)
            wrinkle += near * fold * (0.3 + 0.3 * np.cos(2 * np.pi * z / 0.0027 + 60 * x))
        red += 0.6 * near * np.exp(-radius2 / 0.009**2) * (0.4 + 0.6 * dorsal)
    crease += _palm_lines(points, palmar)

    nail, nail_edge = np.zeros(len(points)), np.zeros(len(points))
    for distal, tip in zip((3, 8, 13, 18, 23), rig.tips, strict=True):
        x, y, z = _in_frame(rig, distal, points).T
        x, y, z = x - tip[0], y - tip[1], z - tip[2]  # z: 0 at the tip, growing to the wrist
        near = (abs(x) < 0.014) & (abs(y) < 0.016) & (z > -0.003) & (z < 0.03)
        size = 1.25 if distal == 3 else 0.85 if distal == 23 else 1.0
        red += 0.7 * near * np.exp(-((z / 0.012) ** 2)) * palmar
        radius = (x / (0.0058 * size)) ** 2 + (abs(z - 0.0078 * size) / (0.0068 * size)) ** 4
        on_back = np.clip((dorsal - 0.55) / 0.2, 0, 1)
        nail += near * np.clip((1.12 - radius) / 0.22, 0, 1) * on_back
        nail_edge += near * np.exp(-(((radius - 1.1) / 0.25) ** 2)) * on_back

    z = points[:, 2]
    winding = _noise(generator, points * [1, 0.3, 0.45], 5e-3)
    back = np.clip(dorsal - 0.5, 0, 1) * (z < 0) * (z > -0.085)
    axis = points.copy()
    axis[:, 2] = 0
    axis /= np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-9)
    fields = {
        "palmar": palmar,
        "crease": np.minimum(crease, 1.4),
        "wrinkle": wrinkle,
        "red": np.minimum(red, 1.3),
        "nail": np.minimum(nail, 1),
        "nail_edge": np.minimum(nail_edge, 1),
        "vein": np.exp(-((winding / 0.18) ** 2)) * back,
        "noises": np.stack([*fine, *coarse], 1),
        "along_arm_m": z,
        "outward": axis,
    }
    return {name: values.astype(np.float32) for name, values in fields.items()}


def _palm_lines(points: Floats, palmar: Floats) -> Floats:
    """The palm's three main lines and the wrist's two, in the hand's frame."""
    x, _, z = points.T
    palm = np.clip((palmar - 0.6) / 0.3, 0, 1) * (z < -0.012) * (z > -0.1) * (abs(x) < 0.038)
    heart = z + 0.078 - 0.010 * np.sin(45 * (x + 0.01)) + 0.25 * (x - 0.02)
    head = z + 0.066 - 0.018 * np.clip((x + 0.02) / 0.05, -1, 1)
    life = np.hypot(x + 0.040, z + 0.030) - 0.034
    lines = sum(np.exp(-((line / 0.0011) ** 2)) for line in (heart, 0.9 * head, life))
    first, second = z - 0.004, z - 0.0085 + 0.002 * np.sin(120 * x)
    wrist = np.exp(-((first / 0.001) ** 2)) + 0.7 * np.exp(-((second / 0.001) ** 2))
    folds: Floats = 0.8 * palm * lines + 0.8 * wrist * np.clip(palmar - 0.4, 0, 1)
    return folds


def _in_frame(rig: Rig, joint: int, points: Floats) -> Floats:
    return points @ rig.inverse_bind[joint, :3, :3].T + rig.inverse_bind[joint, :3, 3]


def _noise(generator: np.random.Generator, points: Floats, wavelength_m: float) -> Floats:
    """Smooth unit-variance noise in space, sampled at points; repeats after 32 wavelengths."""
    volume = ndimage.gaussian_filter(generator.normal(size=(32, 32, 32)), 0.6, mode="wrap")
    volume /= volume.std()
    values: Floats = ndimage.map_coordinates(
        volume, (points / wavelength_m).T, order=1, mode="grid-wrap"
    )
    return values
