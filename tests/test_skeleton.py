from handssl.skeleton import (
    BONES,
    FINGERS,
    INTERHAND_TO_FREIHAND,
    JOINT_NAMES,
    NUM_JOINTS,
    REFERENCE_BONE,
    SCALE_BONE,
    WRIST,
)


def test_there_are_21_joints_from_the_wrist_outwards() -> None:
    assert NUM_JOINTS == len(JOINT_NAMES) == len(set(JOINT_NAMES)) == 21
    assert JOINT_NAMES[WRIST] == "wrist"
    for finger, name in enumerate(FINGERS):
        own = JOINT_NAMES[4 * finger + 1 : 4 * finger + 5]
        assert all(joint.startswith(name) for joint in own)
        assert own[-1].endswith("tip")


def test_bones_form_a_tree_rooted_at_the_wrist() -> None:
    assert len(BONES) == 20
    assert sorted(child for _, child in BONES) == list(range(1, 21))
    parent = {child: parent for parent, child in BONES}
    for joint in range(1, 21):
        hops = 0
        while joint != WRIST:
            joint = parent[joint]  # noqa: PLW2901 -- the walk to the root
            hops += 1
        assert hops <= 4


def test_reference_bones_are_the_documented_ones() -> None:
    assert [JOINT_NAMES[joint] for joint in REFERENCE_BONE] == ["wrist", "index_mcp"]
    assert SCALE_BONE == (9, 10), "FreiHAND's scale"


def test_interhand_order_becomes_freihands() -> None:
    """InterHand lists thumb to pinky, each tip to base, the wrist last."""
    interhand = [
        f"{finger}{part}"
        for finger in ("thumb", "index", "middle", "ring", "pinky")
        for part in (4, 3, 2, 1)
    ] + ["wrist"]
    ours = [interhand[index] for index in INTERHAND_TO_FREIHAND]
    expected = ["wrist"] + [
        f"{finger}{part}"
        for finger in ("thumb", "index", "middle", "ring", "pinky")
        for part in (1, 2, 3, 4)
    ]
    assert ours == expected
