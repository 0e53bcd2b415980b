import numpy as np

from handssl.skeleton import BONES, JOINT_NAMES
from handssl.synthetic.pose import HandPose, joint_angles, pose_library
from handssl.synthetic.rig import Rig, rotation_about


def bone_lengths(joints: np.ndarray) -> np.ndarray:
    first, second = np.array(BONES).T
    lengths: np.ndarray = np.linalg.norm(joints[..., second, :] - joints[..., first, :], axis=-1)
    return lengths


def test_at_rest_nothing_moves(rig: Rig) -> None:
    placed, _ = rig.pose(np.zeros((26, 3)), np.ones((26, 3)))
    surface = rig.skin(
        placed, np.ones((26, 3)), rig.vertices, rotation=np.eye(3), shift=np.zeros(3), size=1.0
    )
    np.testing.assert_allclose(surface.positions, rig.vertices, atol=1e-6)
    np.testing.assert_allclose(surface.normals, rig.normals, atol=1e-5)


def test_a_stack_of_hands_is_placed_like_each_hand(rig: Rig, hands: list[HandPose]) -> None:
    angles = np.stack([hand.angles_rad for hand in hands[:5]])
    scale = np.stack([hand.scale for hand in hands[:5]])
    _, together = rig.pose(angles, scale)
    for number, hand in enumerate(hands[:5]):
        np.testing.assert_allclose(together[number] * hand.size, hand.joints_m, atol=1e-12)


def test_posing_keeps_the_phalanges_lengths(rig: Rig) -> None:
    scale = np.ones((26, 3))
    _, rest = rig.pose(np.zeros((26, 3)), scale)
    rows = np.stack(list(pose_library().values()))
    angles = joint_angles(rows, np.zeros((len(rows), 3)), np.zeros(len(rows)))
    _, posed = rig.pose(angles, np.broadcast_to(scale, angles.shape))
    np.testing.assert_allclose(
        bone_lengths(posed), np.broadcast_to(bone_lengths(rest), (len(rows), 20)), rtol=1e-6
    )


def test_joints_stand_in_freihands_order(rig: Rig) -> None:
    _, joints = rig.pose(np.zeros((26, 3)), np.ones((26, 3)))
    named = dict(zip(JOINT_NAMES, joints, strict=True))
    for finger in ("index", "middle", "ring", "pinky"):
        along = [named[f"{finger}_{part}"][2] for part in ("mcp", "pip", "dip", "tip")]
        assert along == sorted(along, reverse=True)
    across = [
        named[f"{finger}_tip"][0] for finger in ("thumb", "index", "middle", "ring", "pinky")
    ]
    assert across == sorted(across)


def test_fingertips_lie_on_the_skin(rig: Rig, hands: list[HandPose]) -> None:
    for hand in hands[:8]:
        surface = rig.skin(
            hand.placed,
            hand.scale,
            rig.vertices,
            rotation=np.eye(3),
            shift=np.zeros(3),
            size=hand.size,
        )
        for tip in (4, 8, 12, 16, 20):
            gap = np.linalg.norm(surface.positions - hand.joints_m[tip], axis=1).min()
            assert gap < 0.002


def test_flexion_bends_fingers_towards_the_palm(rig: Rig) -> None:
    angles = np.zeros((26, 3))
    _, straight = rig.pose(angles, np.ones((26, 3)))
    angles[6, 0] = np.radians(60)
    _, bent = rig.pose(angles, np.ones((26, 3)))
    tip = JOINT_NAMES.index("index_tip")
    assert bent[tip, 1] < straight[tip, 1] - 0.05  # +y is dorsal


def test_midpoints_carry_linear_values_to_the_finest_mesh(rig: Rig) -> None:
    values = np.arange(rig.counts[1], dtype=np.float32)
    refined = rig.refine(values, 1)
    assert len(refined) == rig.counts[2]
    edges = rig.edges[1]
    np.testing.assert_allclose(refined[rig.counts[1] :], values[edges].mean(1))


def test_rotations_are_right_handed() -> None:
    quarter = np.pi / 2
    np.testing.assert_allclose(rotation_about(0, quarter) @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(rotation_about(1, quarter) @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(rotation_about(2, quarter) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
