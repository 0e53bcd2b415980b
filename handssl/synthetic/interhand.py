"""The InterHand domain: one hand, right or left, seen by all cameras of a dark studio."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from handssl.data.sample import Side
from handssl.synthetic.arrays import Floats, Singles, Triangles
from handssl.synthetic.camera import draw_natural_rotation
from handssl.synthetic.light import diffuse_light, shine
from handssl.synthetic.pose import HandPose, Proportions, draw_pose, draw_proportions
from handssl.synthetic.raster import rasterise
from handssl.synthetic.rig import PosedSurface, load_rig
from handssl.synthetic.sensor import add_noise, blur, encode_jpeg, tone_curve
from handssl.synthetic.skin import SkinStyle, albedo, draw_skin, dress
from handssl.synthetic.studio import CENTRE_M, Studio, StudioCamera, draw_studio, studio_backdrop

_DOMAIN: Final = 2
"""Second seed of this domain's generators; FreiHAND's splits use 0 and 1."""

_MIRROR: Final = np.diag([-1.0, 1.0, 1.0])
_OFF_CENTRE_M: Final = 0.02
_ALONG_ARM: Final = 0.75
"""Largest cosine between a forearm and a camera's axis: they are at least 41° apart."""

_JPEG_QUALITY: Final = 92


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKey:
    """Everything that determines a capture.

    Attributes:
        seed: Seed of the data set.
        capture: Number of the capture.
        cameras: Number of cameras.
        grey_share: Probability of a camera without colour.
    """

    seed: int
    capture: int
    cameras: int
    grey_share: float

    def generator(self, *words: int) -> np.random.Generator:
        """A separate generator for each purpose; `words` continue the seed."""
        return np.random.default_rng([self.seed, _DOMAIN, self.capture, *words])


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSession:
    """The studio and the person, which stay the same during a capture."""

    studio: Studio
    proportions: Proportions
    skin: SkinStyle
    exposure: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioScene:
    """One pose in a session.

    Attributes:
        key: Identifies the session.
        frame: Number of the pose in its session.
        session: Studio and person.
        side: Right or left hand.
        pose: The hand, as a right one.
        rotation: (3, 3) hand frame → world frame; a reflection for a left hand.
        shift_m: (3,) position of the wrist in the world.
    """

    key: SessionKey
    frame: int
    session: CaptureSession
    side: Side
    pose: HandPose
    rotation: Floats
    shift_m: Floats

    @property
    def joints_m(self) -> Floats:
        """(21, 3) joints in the world, FreiHAND's order."""
        return self.pose.joints_m @ self.rotation.T + self.shift_m


@lru_cache(maxsize=8)
def draw_session(key: SessionKey) -> CaptureSession:
    """The studio and the person of a capture, a pure function of its key."""
    generator = key.generator(0)
    return CaptureSession(
        studio=draw_studio(generator, key.cameras, key.grey_share),
        proportions=draw_proportions(generator),
        skin=draw_skin(generator, sleeve_share=0.15),
        exposure=float(generator.uniform(0.85, 1.3)),
    )


def draw_scene(key: SessionKey, frame: int) -> StudioScene:
    """One pose of a capture, a pure function of its arguments."""
    session = draw_session(key)
    generator = key.generator(1, frame)
    pose = draw_pose(load_rig(), generator, session.proportions)
    side: Side = "left" if generator.random() < 0.5 else "right"
    # The forearm comes from below or from the person behind. A camera that looks along it would
    # see the hand hidden by it, or its open end.
    axes = np.stack([camera.rotation[2] for camera in session.studio.cameras])
    while True:
        rotation = draw_natural_rotation(generator, tilt_rad=0.6, pitch_rad=0.4)
        forearm = rotation @ pose.forearm
        if side == "left":
            rotation, forearm = _MIRROR @ rotation, _MIRROR @ forearm
        along = np.abs(axes @ forearm).max()
        if forearm[1] > 0.6 and forearm[2] > -0.2 and along < _ALONG_ARM:
            break
    joints = pose.joints_m @ rotation.T
    middle = (joints.max(0) + joints.min(0)) / 2
    centre_m = CENTRE_M + generator.normal(size=3).clip(-2, 2) * _OFF_CENTRE_M
    return StudioScene(
        key=key,
        frame=frame,
        session=session,
        side=side,
        pose=pose,
        rotation=rotation,
        shift_m=centre_m - middle,
    )


def render_scene(scene: StudioScene) -> list[bytes]:
    """JPEGs of a scene, one a camera; the light on the hand is the same in all of them."""
    session, rig = scene.session, load_rig()
    surface = dress(scene.pose, session.skin, rotation=scene.rotation, shift=scene.shift_m)
    light, reached = diffuse_light(rig, surface, session.studio.lighting)
    skin, gloss = albedo(session.skin)
    faces = rig.faces if scene.side == "right" else np.ascontiguousarray(rig.faces[:, ::-1])
    images = []
    for number, camera in enumerate(session.studio.cameras):
        generator = scene.key.generator(2, scene.frame, number)
        glints = shine(surface, gloss, reached, session.studio.lighting, eye=camera.position_m)
        linear = (skin * light + glints[:, None]) * camera.gain.astype(np.float32)
        grey = np.einsum("nc->n", linear)[:, None] / np.float32(3)
        linear = grey + (linear - grey) * np.float32(camera.saturation)
        colours = tone_curve(linear, session.exposure)
        canvas = _rasterise(surface, faces, colours, camera)
        image = canvas[:, :, :3] + (1 - canvas[:, :, 3:]) * studio_backdrop(session.studio, camera)
        images.append(_develop(image, camera, generator))
    return images


def _rasterise(
    surface: PosedSurface, faces: Triangles, colours: Singles, camera: StudioCamera
) -> Singles:
    offset = surface.positions - camera.position_m.astype(np.float32)
    seen = np.einsum("nj,ij->ni", offset, camera.rotation.astype(np.float32))
    points = seen[:, :2] / seen[:, 2:] * camera.focal_px.astype(np.float32)
    points += camera.centre_px.astype(np.float32)
    return rasterise(
        points, seen[:, 2], faces, colours, height=camera.height_px, width=camera.width_px
    )


def _develop(image: Singles, camera: StudioCamera, generator: np.random.Generator) -> bytes:
    """Add noise and a little blur, and encode; a grey camera has one channel's noise."""
    if camera.is_grey:
        image = image[:, :, :1]
    noisy = add_noise(image, generator, float(generator.uniform(0.004, 0.014)))
    soft = blur(noisy[:, :, 0] if camera.is_grey else noisy, float(generator.uniform(0.2, 0.8)))
    pixels = np.repeat(soft[:, :, None], 3, 2) if camera.is_grey else soft
    return encode_jpeg(pixels, _JPEG_QUALITY)
