import numpy as np

from handssl.synthetic.pose import (
    LOWER_DEG,
    MAX_PENETRATION_M,
    UPPER_DEG,
    HandPose,
    draw_pose,
    draw_proportions,
    joint_angles,
    penetration_m,
    pose_library,
)
from handssl.synthetic.rig import Rig


def test_the_librarys_poses_lie_within_the_limits_and_do_not_overlap(rig: Rig) -> None:
    assert len(pose_library()) >= 19
    for name, row in pose_library().items():
        assert ((row >= LOWER_DEG) & (row <= UPPER_DEG)).all(), name
        angles = joint_angles(row[None], np.zeros((1, 3)), np.zeros(1))[0]
        _, joints = rig.pose(angles, np.ones((26, 3)))
        assert penetration_m(joints) < MAX_PENETRATION_M, name


def test_no_finger_of_a_drawn_hand_goes_through_another(hands: list[HandPose]) -> None:
    assert max(float(penetration_m(hand.joints_m)) for hand in hands) < MAX_PENETRATION_M


def test_joints_of_drawn_hands_stay_within_their_limits(hands: list[HandPose]) -> None:
    slack = 1e-9
    for hand in hands:
        degrees = np.degrees(hand.angles_rad)
        thumb = degrees[[1, 1, 2, 3, 1], [0, 1, 0, 0, 2]]
        fingers = np.concatenate(
            [degrees[[j, j + 1, j + 2, j], [0, 0, 0, 1]] for j in (6, 11, 16, 21)]
        )
        row = np.concatenate([thumb, fingers])
        assert (row >= LOWER_DEG - slack).all()
        assert (row <= UPPER_DEG + slack).all()


def test_overlap_of_crossing_fingers_is_their_radii_less_their_distance(rig: Rig) -> None:
    _, joints = rig.pose(np.zeros((26, 3)), np.ones((26, 3)))
    joints = joints * 100  # all far apart, but for two middle phalanges that cross 3 mm apart
    crossing = (joints[10] + joints[11]) / 2
    joints[[6, 7]] = crossing + np.array([[0, 0.003, 0.01], [0, 0.003, -0.01]])
    joints[[10, 11]] = crossing + np.array([[-0.01, 0, 0], [0.01, 0, 0]])
    np.testing.assert_allclose(penetration_m(joints), 2 * 0.0075 - 0.003, atol=1e-4)


def test_the_same_generator_draws_the_same_hand(rig: Rig) -> None:
    person = draw_proportions(np.random.default_rng(3))
    first = draw_pose(rig, np.random.default_rng(4), person)
    again = draw_pose(rig, np.random.default_rng(4), person)
    np.testing.assert_array_equal(first.joints_m, again.joints_m)


def test_hands_differ_in_size_proportion_and_pose(hands: list[HandPose]) -> None:
    palms = np.array([np.linalg.norm(hand.joints_m[9]) for hand in hands])
    assert 0.07 < palms.min() < palms.max() < 0.12
    assert palms.std() > 0.003
    curls = np.array([np.linalg.norm(hand.joints_m[8] - hand.joints_m[5]) for hand in hands])
    assert curls.min() < 0.05
    assert curls.max() > 0.075
