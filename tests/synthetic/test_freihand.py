import numpy as np
import pytest

from handssl.skeleton import BONES
from handssl.synthetic.freihand import Capture, draw_capture, render_capture
from handssl.synthetic.skin import draw_skin
from tests.synthetic.conftest import decode

Rendered = list[tuple[list[np.ndarray], np.ndarray]]
"""Images by version, and the mask, of every capture."""

POSES = 6


@pytest.fixture(scope="module")
def captures() -> list[Capture]:
    return [draw_capture(0, "training", index) for index in range(POSES)]


@pytest.fixture(scope="module")
def rendered(captures: list[Capture]) -> Rendered:
    jpegs = [render_capture(c, 0, "training", index, 2) for index, c in enumerate(captures)]
    return [([decode(image) for image in images], decode(mask)) for images, mask in jpegs]


def points_px(capture: Capture) -> np.ndarray:
    homogeneous = capture.joints_m @ capture.intrinsics.T
    points: np.ndarray = homogeneous[:, :2] / homogeneous[:, 2:]
    return points


def test_joints_project_onto_the_hand(captures: list[Capture], rendered: Rendered) -> None:
    for capture, (_, mask) in zip(captures, rendered, strict=True):
        for u, v in points_px(capture).round().astype(int):
            assert mask[max(v - 2, 0) : v + 3, max(u - 2, 0) : u + 3].max() > 128


def test_fingertips_end_where_the_hand_ends() -> None:
    # Of an open hand seen from its back, nothing reaches farther from the wrist than the tips.
    for index in range(200):
        capture = draw_capture(0, "training", index)
        points = points_px(capture)
        reach = np.linalg.norm(points - points[0], axis=1)
        outstretched = np.linalg.norm(capture.pose.joints_m[12]) > 0.17
        if outstretched and reach.argmax() == 12 and reach[12] > 100:
            break
    _, jpeg = render_capture(capture, 0, "training", index, 1)
    mask = decode(jpeg)
    direction = (points[12] - points[0]) / reach[12]
    beyond = [points[12] + step * direction for step in (-3.0, 4.0)]
    inside, outside = (mask[v, u] for u, v in np.round(beyond).astype(int))
    assert inside > 128
    assert outside < 128


def test_scale_is_the_length_of_the_middle_proximal_bone(captures: list[Capture]) -> None:
    for capture in captures:
        length = np.linalg.norm(capture.joints_m[10] - capture.joints_m[9])
        np.testing.assert_allclose(capture.scale_m, length)
        assert 0.03 < capture.scale_m < 0.06


def test_the_camera_moves_the_hand_without_changing_it(captures: list[Capture]) -> None:
    first, second = np.array(BONES).T
    for capture in captures:
        own, seen = capture.pose.joints_m, capture.joints_m
        np.testing.assert_allclose(
            np.linalg.norm(own[first] - own[second], axis=1),
            np.linalg.norm(seen[first] - seen[second], axis=1),
        )
        np.testing.assert_allclose(np.linalg.det(capture.rotation), 1)
        assert 400 <= capture.focal_px <= 560


def test_version_0_is_green_and_the_others_are_not_copies_of_it(rendered: Rendered) -> None:
    for (green, composite), mask in rendered:
        assert green.shape == composite.shape == (224, 224, 3)
        background = green[mask < 10].mean(0)
        assert background[1] > background[[0, 2]].max()
        assert abs(green.astype(int) - composite)[mask < 10].mean() > 10
        # The hand itself is the same one: recoloured, not redrawn.
        inside = mask > 250
        grey = [image.mean(-1)[inside] for image in (green, composite)]
        assert np.corrcoef(*grey)[0, 1] > 0.85


def test_darker_hands_are_exposed_longer_and_stay_darker() -> None:
    tones, lights = [], []
    for index in range(24):
        generator = np.random.default_rng([0, 0, index, 1])
        tones.append(draw_skin(generator, sleeve_share=0.4).tone.mean())
        images, jpeg = render_capture(draw_capture(0, "training", index), 0, "training", index, 1)
        inside = decode(jpeg) > 250
        lights.append((decode(images[0])[inside] / 255).mean())
    assert np.corrcoef(np.log(tones), np.log(lights))[0, 1] > 0.7
    slope = np.polyfit(np.log(tones), np.log(lights), 1)[0]
    # Display values grow with the power 1/2.2 = 0.45 of the light, less 0.3 of it for the meter.
    assert 0.15 < slope < 0.31


def test_natural_views_hold_the_hand_up_and_uniform_ones_do_not() -> None:
    def arm_from_below(share: float) -> float:
        drawn = [draw_capture(0, "training", i, uniform_views=share) for i in range(60)]
        return float(np.mean([(c.rotation @ c.pose.forearm)[1] for c in drawn]))

    assert arm_from_below(0.0) > 0.4
    assert abs(arm_from_below(1.0)) < 0.25
    default = draw_capture(0, "training", 3)
    same = draw_capture(0, "training", 3, uniform_views=0.15)
    np.testing.assert_array_equal(default.joints_m, same.joints_m)


def test_splits_and_seeds_draw_different_hands() -> None:
    drawn = [
        draw_capture(0, "training", 0),
        draw_capture(0, "evaluation", 0),
        draw_capture(1, "training", 0),
        draw_capture(0, "training", 1),
    ]
    joints = {capture.joints_m.tobytes() for capture in drawn}
    assert len(joints) == 4
