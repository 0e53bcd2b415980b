"""Light on a posed hand: a hemisphere of ambient light, soft directional lights, one shadow.

Colours are computed at the vertices of the finest mesh. Ambient occlusion is that of spheres
along the hand's bones, on the coarsest mesh; the shadow is looked up in a depth map of splatted
vertices, on the mesh in between.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from handssl.synthetic.arrays import Floats, Singles
from handssl.synthetic.rig import PosedSurface, Rig

_SCATTERING: Final = np.array([0.32, 0.14, 0.10], np.float32)
"""Scattering below the skin lights points that face away a little: red the most."""

_SHADOW_TEXEL_M: Final = 0.0045
_SHADOW_BIAS_M: Final = 0.006
_TAPS: Final = tuple((dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1))

# Occluders: spheres between pairs of rig joints, (joint, joint, radius in metres).
_OCCLUDERS: Final = (
    *((0, mcp, 0.014) for mcp in (6, 11, 16, 21)),
    (1, 2, 0.012),
    (2, 3, 0.0095),
    (3, 4, 0.008),
    *(
        (base + k, base + k + 1, r)
        for base in (6, 11, 16, 21)
        for k, r in enumerate((0.0085, 0.0075, 0.0065))
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """A distant light: (3,) unit direction towards it and its (3,) linear colour."""

    towards: Floats
    colour: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Lighting:
    """The lights of a scene, in the frame in which the hand is skinned.

    Attributes:
        lights: The first one casts the shadow.
        ambient: (3,) linear colour of the sky hemisphere; 0.24 of it comes from below.
        up: (3,) unit direction of the sky.
    """

    lights: tuple[Light, ...]
    ambient: Floats
    up: Floats


def draw_daylight(generator: np.random.Generator) -> Lighting:
    """One soft key light from above and the camera's side, in the camera frame (y down)."""
    towards = generator.normal(size=3)
    towards[1] = -abs(towards[1]) - 0.3
    towards[2] = -abs(towards[2]) - 0.25
    warmth = generator.normal() * 0.04 * np.array([1, 0.1, -1])
    key = generator.uniform(0.5, 0.9) * (1 + warmth)
    tint = 1 + generator.normal() * 0.03 * np.array([-1, 0, 1])
    return Lighting(
        lights=(Light(towards=towards / np.sqrt((towards**2).sum()), colour=key),),
        ambient=generator.uniform(0.34, 0.6) * tint,
        up=np.array([0.0, -1.0, 0.0]),
    )


def draw_studio_light(generator: np.random.Generator) -> Lighting:
    """A key light, three weaker ones around it, little ambient light; world frame (y down)."""
    lights = []
    first = generator.uniform(0, 2 * np.pi)
    for quarter in range(4):
        azimuth = first + (quarter + generator.uniform(-0.25, 0.25)) * np.pi / 2
        height = generator.uniform(-1.0, 0.2)
        towards = np.array([np.cos(azimuth), height, np.sin(azimuth)])
        towards /= np.sqrt((towards**2).sum())
        strength = generator.uniform(0.5, 0.8) if quarter == 0 else generator.uniform(0.1, 0.4)
        lights.append(Light(towards=towards, colour=strength * np.ones(3)))
    return Lighting(
        lights=tuple(lights),
        ambient=generator.uniform(0.10, 0.18) * np.ones(3),
        up=np.array([0.0, -1.0, 0.0]),
    )


def diffuse_light(rig: Rig, surface: PosedSurface, lighting: Lighting) -> tuple[Singles, Singles]:
    """Irradiance of every vertex, and how much of the first light reaches it.

    Returns:
        (n, 3) linear irradiance and (n,) the share of the first light in [0, 1].
    """
    positions, normals, joints = surface.positions, surface.normals, surface.joints
    coarse, middle = rig.counts[0], rig.counts[1]
    occlusion = _ambient_occlusion(positions[:coarse], normals[:coarse], joints, surface.size)
    open_sky = rig.refine(occlusion, 0)
    sky = np.einsum("ni,i->n", normals, lighting.up.astype(np.float32))
    light = (open_sky * (np.float32(0.62) + np.float32(0.38) * sky))[:, None]
    light = light * lighting.ambient.astype(np.float32)
    reached = rig.refine(_reached(positions, positions[:middle], lighting.lights[0], joints), 1)
    soft = (np.float32(0.5) + np.float32(0.5) * open_sky)[:, None]
    for number, source in enumerate(lighting.lights):
        facing = np.einsum("ni,i->n", normals, source.towards.astype(np.float32))[:, None]
        wrapped = np.clip((facing + _SCATTERING) / (1 + _SCATTERING), 0, 1)
        wrapped *= source.colour.astype(np.float32)
        if number == 0:
            wrapped *= reached[:, None] * (1 - 0.25 * _SCATTERING) + 0.25 * _SCATTERING
        light += wrapped * soft
    return light, reached


def shine(
    surface: PosedSurface, gloss: Singles, reached: Singles, lighting: Lighting, *, eye: Floats
) -> Singles:
    """(n,) highlights for a camera at `eye`: the skin's broad sheen and the nails' gloss."""
    normals = surface.normals
    view = eye.astype(np.float32) - surface.positions
    view /= np.sqrt(np.einsum("ni,ni->n", view, view))[:, None]
    rim = np.clip(1 - np.einsum("ni,ni->n", normals, view), 0, 1)
    light: Singles = np.float32(0.05) * rim * rim * rim
    for number, source in enumerate(lighting.lights):
        half = view + source.towards.astype(np.float32)
        along = np.maximum(np.einsum("ni,ni->n", normals, half), 0)
        along /= np.sqrt(np.einsum("ni,ni->n", half, half) + np.float32(1e-6))
        power4 = np.square(np.square(along))
        power12 = power4 * power4 * power4
        power48 = np.square(np.square(power12))
        strength = np.float32(source.colour.mean())
        sheen = strength * (np.float32(0.07) * power12 + np.float32(0.25) * gloss * power48)
        light += sheen * reached if number == 0 else sheen
    return light


def _ambient_occlusion(
    positions: Singles, normals: Singles, joints: Floats, size: float
) -> Singles:
    """(n,) share of the sky that spheres along the bones leave open.

    A sphere of radius r at distance d covers (r/d)² of the hemisphere, weighted by the cosine to
    the normal; the bone below a point is behind its tangent plane and covers nothing.
    """
    first = joints[[a for a, _, _ in _OCCLUDERS]]
    second = joints[[b for _, b, _ in _OCCLUDERS]]
    radii = np.array([r for _, _, r in _OCCLUDERS]) * size
    centres = np.concatenate([first + t * (second - first) for t in (0.25, 0.75)])
    radii = np.tile(radii, 2).astype(np.float32)
    offset = centres.astype(np.float32)[None] - positions[:, None]
    distance2 = np.maximum(np.einsum("nki,nki->nk", offset, offset), (radii * radii)[None])
    cosine = np.einsum("nki,ni->nk", offset, normals) / np.sqrt(distance2)
    covered = (np.clip(cosine, 0, 1) * (radii * radii)[None] / distance2).sum(1)
    open_share: Singles = np.exp(np.float32(-1.3) * covered)
    return open_share


def _reached(occluders: Singles, points: Singles, light: Light, joints: Floats) -> Singles:
    """(n,) share of a light that reaches points, softened over 3 × 3 texels of its depth map."""
    axis = -light.towards
    side = np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.sqrt((side**2).sum())
    frame = np.stack([side, np.cross(axis, side), axis]).astype(np.float32)
    centre = joints[:25].mean(0).astype(np.float32)
    reach = np.sqrt(((joints[:25] - centre) ** 2).sum(1)).max() + 0.05
    texels = int(2 * reach / _SHADOW_TEXEL_M) + 1
    scale = np.float32(1 / _SHADOW_TEXEL_M)

    seen = np.einsum("nj,ij->ni", occluders - centre, frame)
    column, row = (seen[:, :2] * scale + np.float32(texels / 2)).astype(np.int32).T
    inside = (column >= 0) & (column < texels) & (row >= 0) & (row < texels)
    depth = np.full(texels * texels, np.inf, np.float32)
    np.minimum.at(depth, row[inside] * texels + column[inside], seen[inside, 2])

    asked = np.einsum("nj,ij->ni", points - centre, frame)
    column, row = (asked[:, :2] * scale + np.float32(texels / 2)).astype(np.int32).T
    limit = asked[:, 2] - np.float32(_SHADOW_BIAS_M)
    lit = np.zeros(len(points), np.float32)
    for dx, dy in _TAPS:
        texel = np.clip(row + dy, 0, texels - 1) * texels + np.clip(column + dx, 0, texels - 1)
        lit += depth[texel] > limit
    outside = (np.abs(asked[:, :2]) > reach).any(1)
    lit[outside] = len(_TAPS)
    return lit / np.float32(len(_TAPS))
