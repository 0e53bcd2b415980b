"""The camera: its rotation about the hand, and the hand's size and position in the image."""

from typing import Final

import numpy as np

from handssl.synthetic.arrays import Floats
from handssl.synthetic.rig import rotation_about

_UPRIGHT: Final = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Hand frame → frame (x right, y down, z forward) of a camera that sees its back, fingers up."""

_MARGIN: Final = 0.045
"""Distance of joints from the border, as a share of the image's side: fingers are 8 mm thick."""

_CLOSED_SIZE: Final = 0.3
"""Power of a hand's extent in its size in the image: 1 gives all hands the same distance from the
camera, 0 the same size."""

_FACING: Final = 0.5
"""`facing` of natural views: more of them show the palm or the back than an edge, where fingers
hide each other."""

_ARM_DEPTH: Final = (-0.5, 0.85)
"""Bounds of the forearm's direction along the camera's axis; views outside are drawn again. Below,
the forearm hides the hand; above, its open end is visible."""


def draw_rotation(
    generator: np.random.Generator, forearm: Floats, *, uniform_share: float
) -> Floats:
    """(3, 3) rotation hand frame → camera frame.

    Natural views turn about the arm by any angle, less often edge-on, and tilt moderately in and
    out of the image; `uniform_share` of the views are uniform over all allowed rotations.
    """
    while True:
        if generator.random() < uniform_share:
            rotation = _uniform(generator)
        else:
            rotation = draw_natural_rotation(
                generator, tilt_rad=0.9, pitch_rad=0.45, facing=_FACING
            )
        if _ARM_DEPTH[0] < (rotation @ forearm)[2] < _ARM_DEPTH[1]:
            return rotation


def draw_natural_rotation(
    generator: np.random.Generator, *, tilt_rad: float, pitch_rad: float, facing: float = 0.0
) -> Floats:
    """(3, 3) rotation of an upright hand: turned about its arm by any angle, then tilted.

    Args:
        generator: Source of randomness.
        tilt_rad: Standard deviation of the tilt in the image plane.
        pitch_rad: Standard deviation of the tilt out of the image plane.
        facing: The density of the turn φ is 1 + facing·cos 2φ, from 0 (uniform) to below 1 (few
            views edge-on); φ = 0 shows the back, π the palm.
    """
    tilt, pitch = generator.normal(size=2) * [tilt_rad, pitch_rad]
    turn = _turn(generator.uniform(0, 2 * np.pi), facing)
    leaning = rotation_about(2, tilt) @ rotation_about(0, pitch)
    rotation: Floats = leaning @ rotation_about(1, turn) @ _UPRIGHT
    return rotation


def frame_hand(
    joints_m: Floats,
    generator: np.random.Generator,
    *,
    focal_px: float,
    centre_px: Floats,
    side_px: int,
) -> Floats:
    """(3,) translation that gives joints (21, 3; camera's orientation) FreiHAND's size.

    The box of the joints fills about 42 % of the image's side, as in FreiHAND, a closed hand less
    than an open one, and is a little off the centre. At that size the crop with the largest margin
    (1.5) lies inside the image for most hands; otherwise a view's black border would reveal its
    shift and rotation.
    """
    share = np.clip(generator.normal(0.43, 0.05), 0.32, 0.56)
    off_centre = generator.normal(size=2) * 0.06 * side_px
    middle = (joints_m.max(0) + joints_m.min(0)) / 2
    extent_m = np.ptp(joints_m[:, :2], axis=0).max()
    target_px = share * (extent_m / 0.15) ** _CLOSED_SIZE * side_px
    depth = focal_px * max(extent_m, 0.08) / target_px
    shift = np.zeros(3)
    for _ in range(4):
        # Perspective enlarges near joints, so the box is measured and corrected a few times.
        shift = np.array([*(off_centre * depth / focal_px), depth]) - middle
        box = project_px(joints_m + shift, focal_px=focal_px, centre_px=centre_px)
        low, high = box.min(0), box.max(0)
        depth *= min(max((high - low).max() / target_px, 0.5), 2.0) ** 0.7
        border = _MARGIN * side_px
        off_centre += np.maximum(border - low, 0) - np.maximum(high - (side_px - 1 - border), 0)
    return shift


def project_px(points_m: Floats, *, focal_px: float, centre_px: Floats) -> Floats:
    """(n, 2) pixels of points in the camera frame, pixel centres at integers."""
    return points_m[:, :2] / points_m[:, 2:] * focal_px + centre_px


def _turn(share: float, facing: float) -> float:
    """Solve φ + facing/2·sin 2φ = share: invert the integral of the density."""
    turn = share
    for _ in range(60):  # each step reduces the error by at least the factor `facing`
        turn = share - facing / 2 * np.sin(2 * turn)
    return float(turn)


def _uniform(generator: np.random.Generator) -> Floats:
    quaternion = generator.normal(size=4)
    w, x, y, z = (quaternion / np.sqrt((quaternion**2).sum())).tolist()
    return np.array(
        [
            [w * w + x * x - y * y - z * z, 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), w * w - x * x + y * y - z * z, 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), w * w - x * x - y * y + z * z],
        ]
    )
