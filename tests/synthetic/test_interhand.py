import numpy as np
import pytest

from handssl.synthetic.interhand import SessionKey, StudioScene, draw_scene, render_scene
from tests.synthetic.conftest import decode

CAMERAS = 3


def key(capture: int) -> SessionKey:
    return SessionKey(seed=0, capture=capture, cameras=CAMERAS, grey_share=0.5)


@pytest.fixture(scope="module")
def scenes() -> list[StudioScene]:
    return [draw_scene(key(capture), frame) for capture in range(3) for frame in range(4)]


def test_a_capture_has_one_studio_and_one_person(scenes: list[StudioScene]) -> None:
    first, second, other = scenes[0], scenes[1], scenes[4]
    assert first.session is second.session
    assert first.session.studio.cameras[0].position_m is not None
    np.testing.assert_array_equal(first.pose.scale, second.pose.scale)
    assert not np.array_equal(first.pose.scale, other.pose.scale)
    assert not np.array_equal(first.joints_m, second.joints_m)


def test_both_hands_are_drawn_and_a_left_one_is_a_mirror_image(scenes: list[StudioScene]) -> None:
    assert {scene.side for scene in scenes} == {"left", "right"}
    for scene in scenes:
        sign = 1 if scene.side == "right" else -1
        np.testing.assert_allclose(np.linalg.det(scene.rotation), sign)


def test_every_camera_sees_the_whole_hand(scenes: list[StudioScene]) -> None:
    for scene in scenes:
        for camera in scene.session.studio.cameras:
            pixels, depth = camera.project(scene.joints_m)
            assert depth.min() > 0.5
            assert pixels.min() > 0
            assert (pixels.max(0) < [camera.width_px - 1, camera.height_px - 1]).all()


def test_no_camera_looks_along_the_forearm(scenes: list[StudioScene]) -> None:
    for scene in scenes:
        forearm = scene.rotation @ scene.pose.forearm
        assert forearm[1] > 0.6  # it comes from below
        for camera in scene.session.studio.cameras:
            assert abs(camera.rotation[2] @ forearm) < 0.75


@pytest.mark.parametrize("side", ["right", "left"])
def test_joints_project_onto_the_hand_in_every_camera(
    scenes: list[StudioScene], side: str
) -> None:
    scene = next(scene for scene in scenes if scene.side == side)
    images = render_scene(scene)
    assert len(images) == CAMERAS
    for jpeg, camera in zip(images, scene.session.studio.cameras, strict=True):
        image = decode(jpeg)
        assert image.shape == (camera.height_px, camera.width_px, 3)
        if camera.is_grey:
            assert np.ptp(image.astype(int), axis=2).max() <= 1
        dark = np.median(image.max(-1))
        pixels, _ = camera.project(scene.joints_m)
        for u, v in pixels.round().astype(int):
            assert image[v - 2 : v + 3, u - 2 : u + 3].max() > dark + 10


def test_cameras_agree_on_the_brightness_of_one_scene(scenes: list[StudioScene]) -> None:
    # The same light falls on the hand in all views: what differs is which side is seen.
    scene = scenes[0]
    means = []
    for jpeg, camera in zip(render_scene(scene), scene.session.studio.cameras, strict=True):
        pixels, _ = camera.project(scene.joints_m)
        u, v = pixels.round().astype(int).T
        shown = decode(jpeg)[v, u].mean() / 255
        means.append(shown**2.2 / camera.gain.mean())
    assert max(means) < 3 * min(means)
