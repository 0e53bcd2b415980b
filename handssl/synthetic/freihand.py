"""The FreiHAND domain: a right hand before a green screen, and composited onto other scenes."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from handssl.skeleton import SCALE_BONE
from handssl.synthetic.arrays import Floats, Singles
from handssl.synthetic.backdrop import draw_backdrop, draw_green_screen
from handssl.synthetic.camera import draw_rotation, frame_hand
from handssl.synthetic.light import diffuse_light, draw_daylight, shine
from handssl.synthetic.pose import HandPose, draw_pose, draw_proportions
from handssl.synthetic.raster import rasterise
from handssl.synthetic.rig import load_rig
from handssl.synthetic.sensor import add_noise, blur, encode_jpeg, tone_curve
from handssl.synthetic.skin import SkinStyle, albedo, draw_skin, dress

Split = Literal["training", "evaluation"]

SIDE_PX: Final = 224
_CENTRE_PX: Final = np.array([112.0, 112.0])
"""FreiHAND's principal point: half a pixel off the middle, as pixel centres are at integers."""

_SPLITS: Final = {"training": 0, "evaluation": 1}
UNIFORM_VIEWS: Final = 0.15
"""Share of the poses seen from any direction; the others are held up naturally."""

_METERED: Final = 0.35
"""Skin with a smaller mean linear albedo is exposed longer."""

_JPEG_QUALITY: Final = 92


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One posed hand before one camera: everything that the labels need.

    Attributes:
        pose: The hand.
        rotation, translation: Hand frame → camera frame, (3, 3) and (3,) metres.
        focal_px: Focal length of the 224 px image.
    """

    pose: HandPose
    rotation: Floats
    translation: Floats
    focal_px: float

    @property
    def intrinsics(self) -> Floats:
        """(3, 3) camera matrix in pixels."""
        focal, (u, v) = self.focal_px, _CENTRE_PX
        return np.array([[focal, 0, u], [0, focal, v], [0, 0, 1]])

    @property
    def joints_m(self) -> Floats:
        """(21, 3) joints in the camera's frame."""
        return self.pose.joints_m @ self.rotation.T + self.translation

    @property
    def scale_m(self) -> float:
        """FreiHAND's scale: the length of the middle finger's proximal bone."""
        first, second = self.joints_m[list(SCALE_BONE)]
        return float(np.sqrt(((first - second) ** 2).sum()))


def draw_capture(
    seed: int, split: Split, index: int, *, uniform_views: float = UNIFORM_VIEWS
) -> Capture:
    """The hand and the camera of one pose, a pure function of its arguments."""
    generator = np.random.default_rng([seed, _SPLITS[split], index, 0])
    pose = draw_pose(load_rig(), generator, draw_proportions(generator))
    rotation = draw_rotation(generator, pose.forearm, uniform_share=uniform_views)
    focal_px = float(np.clip(generator.normal(480, 30), 400, 560))
    translation = frame_hand(
        pose.joints_m @ rotation.T,
        generator,
        focal_px=focal_px,
        centre_px=_CENTRE_PX,
        side_px=SIDE_PX,
    )
    return Capture(pose=pose, rotation=rotation, translation=translation, focal_px=focal_px)


def render_capture(
    capture: Capture, seed: int, split: Split, index: int, versions: int
) -> tuple[list[bytes], bytes]:
    """JPEGs of a pose in its background versions, and of its mask.

    Version 0 of the training split is before the green screen; all other versions, and the whole
    evaluation split, are composited onto scenes, each with another recolouring of the hand.
    """
    generator = np.random.default_rng([seed, _SPLITS[split], index, 1])
    colour, cover = _render_hand(capture, generator)
    images = []
    for version in range(versions):
        if split == "training" and version == 0:
            hand, backdrop = colour, draw_green_screen(generator, SIDE_PX)
        else:
            backdrop = draw_backdrop(generator, SIDE_PX)
            hand = _recolour(colour, cover, backdrop, generator)
        image = hand + (1 - cover) * backdrop
        noisy = add_noise(image, generator, float(generator.uniform(0.003, 0.016)))
        sigma_px = float(generator.uniform(0, 0.7))
        images.append(encode_jpeg(blur(noisy, sigma_px), _JPEG_QUALITY))
    mask = (cover[:, :, 0] * 255 + 0.5).astype(np.uint8)
    return images, encode_jpeg(mask, _JPEG_QUALITY)


def _render_hand(capture: Capture, generator: np.random.Generator) -> tuple[Singles, Singles]:
    """The hand alone: display colours times coverage (h, w, 3), and coverage (h, w, 1)."""
    rig = load_rig()
    style = draw_skin(generator, sleeve_share=0.4)
    lighting = draw_daylight(generator)
    surface = dress(capture.pose, style, rotation=capture.rotation, shift=capture.translation)
    light, reached = diffuse_light(rig, surface, lighting)
    skin, gloss = albedo(style)
    glints = shine(surface, gloss, reached, lighting, eye=np.zeros(3))
    exposure = float(generator.uniform(0.95, 1.3) * _lift(style))
    colours = tone_curve(skin * light + glints[:, None], exposure)
    depth = surface.positions[:, 2]
    points = surface.positions[:, :2] * (np.float32(capture.focal_px) / depth)[:, None]
    points += _CENTRE_PX.astype(np.float32)
    canvas = rasterise(points, depth, rig.faces, colours, height=SIDE_PX, width=SIDE_PX)
    return canvas[:, :, :3], canvas[:, :, 3:]


def _lift(style: SkinStyle) -> float:
    """Factor of the exposure: a camera that meters the hand exposes darker skin longer."""
    return float(max(_METERED / style.tone.mean(), 1) ** 0.3)


def _recolour(
    colour: Singles, cover: Singles, backdrop: Singles, generator: np.random.Generator
) -> Singles:
    """Move the hand's colours some way towards the scene's, as in FreiHAND's composites."""
    area = cover.sum() + np.float32(1)
    hand_mean = np.einsum("hwc->c", colour) / area
    share = np.float32(generator.uniform(0, 0.1))
    scene_mean = np.einsum("hwc->c", backdrop) / np.float32(SIDE_PX**2)
    ratio = np.clip(scene_mean / np.maximum(hand_mean, 0.05), 0.5, 1.6)
    gain = (1 - share + share * ratio) * generator.uniform(0.96, 1.04, size=3).astype(np.float32)
    recoloured: Singles = np.minimum(colour * gain, cover)
    return recoloured
