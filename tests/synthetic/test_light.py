from dataclasses import replace

import numpy as np
import pytest

from handssl.synthetic.light import (
    Light,
    Lighting,
    diffuse_light,
    draw_daylight,
    draw_studio_light,
    shine,
)
from handssl.synthetic.pose import joint_angles, pose_library
from handssl.synthetic.rig import PosedSurface, Rig

UP = np.array([0.0, 1.0, 0.0])  # the hand's frame: +y comes out of the back of the hand


def posed(rig: Rig, name: str) -> PosedSurface:
    angles = joint_angles(pose_library()[name][None], np.zeros((1, 3)), np.zeros(1))[0]
    scale = np.ones((26, 3))
    placed, _ = rig.pose(angles, scale)
    return rig.skin(placed, scale, rig.vertices, rotation=np.eye(3), shift=np.zeros(3), size=1.0)


def lit_from(direction: np.ndarray, *, key: float = 1.0, ambient: float = 0.0) -> Lighting:
    light = Light(towards=direction, colour=key * np.ones(3))
    return Lighting(lights=(light,), ambient=ambient * np.ones(3), up=UP)


def test_the_side_that_faces_the_light_is_brighter(rig: Rig) -> None:
    surface = posed(rig, "open")
    light, _ = diffuse_light(rig, surface, lit_from(UP))
    back = surface.normals[:, 1] > 0.8
    palm = surface.normals[:, 1] < -0.8
    assert light[back].mean() > 5 * light[palm].mean()


def test_a_fist_shades_its_own_palm(rig: Rig) -> None:
    palm_light = []
    for name in ("open", "fist"):
        surface = posed(rig, name)
        _, reached = diffuse_light(rig, surface, lit_from(-UP))
        rest = rig.vertices
        palm = (rest[:, 2] < -0.03) & (rest[:, 2] > -0.07) & (rig.normals[:, 1] < -0.8)
        palm_light.append(reached[palm].mean())
    assert palm_light[0] > 0.8
    assert palm_light[1] < 0.65 * palm_light[0]


def test_a_fist_closes_off_part_of_the_sky(rig: Rig) -> None:
    ambient = []
    for name in ("open", "fist"):
        surface = posed(rig, name)
        light, _ = diffuse_light(rig, surface, replace(lit_from(UP, key=0.0, ambient=1.0), up=-UP))
        palm = (rig.vertices[:, 2] < -0.03) & (rig.vertices[:, 2] > -0.07)
        ambient.append(light[palm & (rig.normals[:, 1] < -0.8)].mean())
    assert ambient[1] < 0.8 * ambient[0]


def test_highlights_are_where_the_mirrored_view_meets_the_light(rig: Rig) -> None:
    surface = posed(rig, "open")
    gloss = np.zeros(len(surface.positions), np.float32)
    reached = np.ones_like(gloss)
    eye = np.array([0.0, 5.0, -0.1])
    glints = shine(surface, gloss, reached, lit_from(UP), eye=eye)
    facing = surface.normals[:, 1]
    assert glints[facing > 0.99].mean() > 3 * glints[(facing > 0.5) & (facing < 0.8)].mean()


@pytest.mark.parametrize("draw", [draw_daylight, draw_studio_light])
def test_drawn_lights_have_unit_directions(draw: object) -> None:
    assert callable(draw)
    lighting = draw(np.random.default_rng(2))
    for light in lighting.lights:
        np.testing.assert_allclose(np.linalg.norm(light.towards), 1)
