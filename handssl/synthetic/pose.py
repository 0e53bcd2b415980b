"""Plausible hands: proportions, and articulations within anatomical limits.

An articulation is a row of 21 angles in degrees: the thumb's CMC flexion, CMC abduction, MCP
flexion, IP flexion and CMC twist, then per finger MCP, PIP and DIP flexion and MCP abduction.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from handssl.synthetic.arrays import Floats
from handssl.synthetic.rig import ASSETS, Rig

LOWER_DEG: Final = np.array([-20, -35, -15, -20, -45] + [-20, -3, -3, -18] * 4, dtype=float)
UPPER_DEG: Final = np.array([50, 35, 62, 78, 30] + [92, 110, 75, 18] * 4, dtype=float)
"""Anatomical limits, with the passive hyperextension that a hand at rest can reach."""

MAX_PENETRATION_M: Final = 0.004
"""Largest overlap of fingers with each other or the palm: soft tissue yields."""

_WRIST: Final = 25
_NOISE_DEG: Final = np.array([5, 4, 5, 6, 4] + [6, 6, 3, 3] * 4, dtype=float)
_CANDIDATES: Final = 6
_ROUNDS: Final = 6

# Capsules whose overlap is measured, between FreiHAND's joints: 15 phalanges (with the thumb's
# metacarpal), finger by finger, then the palm's 4 metacarpals; radii of the cores in metres.
_CAPSULES: Final = (
    *((4 * finger + bone, 4 * finger + bone + 1) for finger in range(5) for bone in range(1, 4)),
    *((0, knuckle) for knuckle in (5, 9, 13, 17)),
)
_RADII_M: Final = np.array(
    [0.011, 0.0095, 0.008] + [0.0085, 0.0075, 0.0065] * 3 + [0.0075, 0.0065, 0.0055] + [0.0085] * 4
)
# Phalanges of different fingers, and every fingertip against the palm.
_PAIRS: Final = np.array(
    [(a, b) for a in range(15) for b in range(a + 1, 15) if a // 3 != b // 3]
    + [(tip, palm) for tip in range(2, 15, 3) for palm in range(15, 19)]
).T


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportions:
    """One person's hand.

    Attributes:
        scale: (26, 3) growth of the bones along their own axes, as `Rig.pose` takes it.
        size: Growth of the whole hand.
    """

    scale: Floats
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HandPose:
    """One hand, at its wrist's origin.

    Attributes:
        angles_rad, scale: (26, 3) arguments of `Rig.pose`.
        size: Growth of the whole hand.
        placed: (26, 4, 4) transforms of the joints, before `size`.
        joints_m: (21, 3) FreiHAND's joints in the hand's frame, after `size`.
    """

    angles_rad: Floats
    scale: Floats
    size: float
    placed: Floats
    joints_m: Floats

    @property
    def forearm(self) -> Floats:
        """(3,) unit direction from the wrist towards the elbow."""
        return self.placed[_WRIST, :3, 2]


@cache
def pose_library() -> dict[str, Floats]:
    """The named poses of the package, each as a row of 21 angles in degrees."""
    document = json.loads((ASSETS / "poses.json").read_text())
    return {
        name: np.array([angle for part in pose.values() for angle in part], dtype=float)
        for name, pose in document["poses"].items()
    }


def joint_angles(angles_deg: Floats, wrist_deg: Floats, cupping_deg: Floats) -> Floats:
    """Rows of 21 angles as the rig's joint rotations.

    Args:
        angles_deg: (n, 21).
        wrist_deg: (n, 3) bend of the forearm against the hand about its x, y and z.
        cupping_deg: (n,) flexion of the pinky's metacarpal; the ring finger's is 0.4 of it.

    Returns:
        (n, 26, 3) radians.
    """
    rows = np.radians(angles_deg)
    angles = np.zeros((len(rows), 26, 3))
    angles[:, 1] = rows[:, [0, 1, 4]]
    angles[:, 2, 0], angles[:, 3, 0] = rows[:, 2], rows[:, 3]
    for finger in range(4):
        mcp, pip, dip, spread = rows[:, 5 + 4 * finger : 9 + 4 * finger].T
        joint = 6 + 5 * finger
        angles[:, joint, 0], angles[:, joint + 1, 0], angles[:, joint + 2, 0] = mcp, pip, dip
        # A flexed knuckle's collateral ligaments are taut: fingers spread only when straight.
        angles[:, joint, 1] = spread * np.cos(np.clip(mcp, 0, 1.5))
    angles[:, 15, 0] = 0.4 * np.radians(cupping_deg)
    angles[:, 20, 0] = np.radians(cupping_deg)
    angles[:, _WRIST] = np.radians(wrist_deg)
    return angles


def penetration_m(joints_m: Floats) -> Floats:
    """Deepest overlap of fingers with each other or the palm, (..., 21, 3) → (...).

    Measured between capsules round the bones; negative when all are apart.
    """
    start = joints_m[..., [a for a, _ in _CAPSULES], :]
    along = joints_m[..., [b for _, b in _CAPSULES], :] - start
    steps = np.linspace(0.05, 0.95, 7)[:, None, None]
    samples = start[..., None, :, :] + along[..., None, :, :] * steps
    first, second = samples[..., _PAIRS[0], :], samples[..., _PAIRS[1], :]
    distance2 = ((first[..., :, None, :, :] - second[..., None, :, :, :]) ** 2).sum(-1)
    gap = np.sqrt(distance2).min((-3, -2))
    overlap: Floats = (_RADII_M[_PAIRS[0]] + _RADII_M[_PAIRS[1]] - gap).max(-1)
    return overlap


def draw_proportions(generator: np.random.Generator) -> Proportions:
    """Size of the hand, thickness, and lengths that vary by person, finger and bone."""
    size = float(np.clip(generator.normal(0.97, 0.06), 0.82, 1.12))
    thickness = np.clip(generator.normal(1, 0.07), 0.85, 1.18)
    scale = np.ones((26, 3))
    for base, bones in ((1, 3), (6, 3), (11, 3), (16, 3), (21, 3)):
        finger = np.clip(generator.normal(1, 0.035), 0.9, 1.1)
        for joint in range(base, base + bones):
            bone = np.clip(generator.normal(1, 0.02), 0.94, 1.06)
            scale[joint] = thickness, thickness, finger * bone
    # The palm's breadth and length: the wrist carries every metacarpal with it.
    scale[0, [0, 2]] = np.clip(generator.normal(1, 0.035, size=2), 0.92, 1.08)
    scale[_WRIST, :2] = generator.uniform(0.92, 1.08, size=2)
    return Proportions(scale=scale, size=size)


def draw_pose(rig: Rig, generator: np.random.Generator, proportions: Proportions) -> HandPose:
    """A random articulation and wrist of a person's hand, in which no finger cuts another.

    Candidates are poses of the library (62 %), blends of two of them (23 %) and correlated free
    curls of the fingers (15 %), each with noise and clipped to the limits. The first one whose
    overlap is below `MAX_PENETRATION_M` is taken; after `_CANDIDATES` × `_ROUNDS` failures the
    library's open hand is.
    """
    scale, size = proportions.scale, proportions.size
    for _ in range(_ROUNDS):
        rows = np.stack([_draw_articulation(generator) for _ in range(_CANDIDATES)])
        wrist = np.clip(generator.normal(size=(_CANDIDATES, 3)) * [18, 9, 12], -50, 50)
        cupping = np.clip(generator.normal(size=_CANDIDATES) * 4 + 0.12 * rows[:, 17], -3, 14)
        angles = joint_angles(rows, wrist, cupping)
        placed, joints = rig.pose(angles, np.broadcast_to(scale, angles.shape))
        free = penetration_m(joints * size) < MAX_PENETRATION_M
        if free.any():
            chosen = int(free.argmax())
            angles, placed, joints = angles[chosen], placed[chosen], joints[chosen]
            break
    else:
        angles = joint_angles(pose_library()["open"][None], np.zeros((1, 3)), np.zeros(1))[0]
        placed, joints = rig.pose(angles, scale)
    return HandPose(
        angles_rad=angles, scale=scale, size=size, placed=placed, joints_m=joints * size
    )


def _draw_articulation(generator: np.random.Generator) -> Floats:
    library = list(pose_library().values())
    kind = generator.random()
    if kind < 0.62:
        row = library[generator.integers(len(library))].copy()
    elif kind < 0.85:
        share = generator.random()
        first, second = generator.integers(len(library), size=2)
        row = share * library[first] + (1 - share) * library[second]
    else:
        row = _draw_curls(generator)
    noise = generator.normal(size=21) * _NOISE_DEG * generator.uniform(0.3, 1.6)
    together = generator.normal() * 4
    noise[5::4] += together
    noise[6::4] += 1.1 * together
    noise[7::4] += 0.6 * together
    articulation: Floats = np.clip(row + noise, LOWER_DEG, UPPER_DEG)
    return articulation


def _draw_curls(generator: np.random.Generator) -> Floats:
    """Free curls: each finger follows a common one, its joints follow each other."""
    row = np.zeros(21)
    row[:5] = generator.uniform([-8, -8, 0, 0, -20], [30, 8, 40, 45, 0])
    common = generator.beta(1, 1.3)
    for finger in range(4):
        finger_curl = generator.beta(1, 1.3)
        mcp_noise, pip_noise, spread_noise, curl_noise = generator.normal(size=4)
        curl = np.clip(0.6 * common + 0.4 * finger_curl + 0.04 * curl_noise, 0, 1)
        pip = 100 * curl**0.9 + 6 * pip_noise
        spread = 4 * spread_noise + (6 - 4 * finger) * (1 - curl)
        # The DIP joint is bound to the PIP joint by a shared tendon: about two thirds of it.
        row[5 + 4 * finger : 9 + 4 * finger] = 85 * curl + 6 * mcp_noise, pip, 0.62 * pip, spread
    return row
