"""The hand's 21 joints: names, bones, and the orders in which data sets list them.

Everywhere inside the project joints stand in FreiHAND's order: the wrist, then thumb, index,
middle, ring and pinky, each from its base to its tip.
"""

from typing import Final

FINGERS: Final = ("thumb", "index", "middle", "ring", "pinky")

JOINT_NAMES: Final[tuple[str, ...]] = (
    "wrist",
    *(f"thumb_{part}" for part in ("cmc", "mcp", "ip", "tip")),
    *(f"{finger}_{part}" for finger in FINGERS[1:] for part in ("mcp", "pip", "dip", "tip")),
)

NUM_JOINTS: Final = len(JOINT_NAMES)

WRIST: Final = 0
"""Root of the skeleton: depths are relative to it, root-aligned metrics subtract it."""

BONES: Final[tuple[tuple[int, int], ...]] = tuple(
    (WRIST if part == 0 else 4 * finger + part, 4 * finger + part + 1)
    for finger in range(5)
    for part in range(4)
)
"""The 20 (parent, child) pairs, finger by finger from the wrist outwards."""

REFERENCE_BONE: Final = (WRIST, JOINT_NAMES.index("index_mcp"))
"""Its length is the unit of relative depth in the 2.5D representation (released code)."""

SCALE_BONE: Final = (JOINT_NAMES.index("middle_mcp"), JOINT_NAMES.index("middle_pip"))
"""FreiHAND's `scale`: the length of the middle finger's proximal bone."""

INTERHAND_TO_FREIHAND: Final[tuple[int, ...]] = (
    20,
    *(4 * f + 3 - p for f in range(5) for p in range(4)),
)
"""`interhand[list(INTERHAND_TO_FREIHAND)]` puts one hand's 21 joints, listed tip to base with
the wrist last, into FreiHAND's order. Left hands add 21 to every index."""
