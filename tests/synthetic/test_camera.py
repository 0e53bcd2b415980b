import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from handssl.synthetic.camera import draw_natural_rotation, draw_rotation, frame_hand, project_px
from handssl.synthetic.pose import HandPose

CENTRE = np.array([112.0, 112.0])


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), uniform_share=st.sampled_from([0.0, 0.5, 1.0]))
def test_rotations_are_proper_and_show_the_hand_but_not_the_arms_end(
    seed: int, uniform_share: float
) -> None:
    forearm = np.array([0.0, 0.0, 1.0])
    rotation = draw_rotation(np.random.default_rng(seed), forearm, uniform_share=uniform_share)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    assert -0.5 < (rotation @ forearm)[2] < 0.85


def test_natural_views_turn_all_round_and_are_sparser_edge_on() -> None:
    generator = np.random.default_rng(0)
    for facing in (0.0, 0.5):
        turns = []
        for _ in range(4000):
            rotation = draw_natural_rotation(generator, tilt_rad=0.0, pitch_rad=0.0, facing=facing)
            # Without tilt, the turn is the angle between the back's normal and the camera.
            turns.append(np.arctan2(-rotation[0, 1], -rotation[2, 1]))
        shares, _ = np.histogram(turns, bins=16, range=(-np.pi, np.pi), density=True)
        middles = (np.arange(16) + 0.5) * np.pi / 8 - np.pi
        expected = (1 + facing * np.cos(2 * middles)) / (2 * np.pi)
        assert shares.min() > 0.06
        np.testing.assert_allclose(shares, expected, atol=0.035)
        assert abs((shares * np.cos(2 * middles)).mean() * 4 * np.pi - facing) < 0.07


def test_hands_are_framed_whole_and_a_little_off_the_centre(hands: list[HandPose]) -> None:
    shares, middles = [], []
    for number, hand in enumerate(hands):
        generator = np.random.default_rng(number)
        joints = hand.joints_m @ draw_rotation(generator, hand.forearm, uniform_share=0.35).T
        shift = frame_hand(joints, generator, focal_px=480.0, centre_px=CENTRE, side_px=224)
        points = project_px(joints + shift, focal_px=480.0, centre_px=CENTRE)
        assert points.min() > 6
        assert points.max() < 223 - 6
        assert 0.25 < (joints + shift)[0, 2] < 1.5
        shares.append(np.ptp(points, axis=0).max() / 224)
        middles.append((points.max(0) + points.min(0)) / 2)
    assert 0.36 < np.median(shares) < 0.46
    offsets = np.linalg.norm(np.array(middles) - CENTRE, axis=1)
    assert 5 < np.median(offsets) < 30


def test_a_point_on_the_axis_projects_to_the_principal_point() -> None:
    points = project_px(np.array([[0, 0, 2.0], [0.1, 0, 1]]), focal_px=480.0, centre_px=CENTRE)
    np.testing.assert_allclose(points, [[112, 112], [160, 112]])
