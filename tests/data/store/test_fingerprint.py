"""A store holds the same bytes, order and splits as at revision ebbf542.

The raw folder has a fixed JPEG and labels without rounding, so the digests do not depend on the
processor or on a library's version.
"""

import base64
import json
from pathlib import Path

from handssl.data import StoreOptions, build_store, read_freihand

JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQ"
    "c1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/wAALCAAgACABAREA/8QAFQABAQAAAAAAAAAAAAAAAAAABAX/xAAWEAAD"
    "AAAAAAAAAAAAAAAAAAAAAgP/2gAIAQEAAD8AgyQZJBkkGSQhSQZJBkkGSQhyQXJBkkGSQhyQZJBckGSQ/9k="
)
FINGERPRINT = "59f38781592aefdd648c39dfcc86e1ac34703c3001a7dd024ec6cce3810095b7"
PLAN = "50efb0d7cbb1b91b4f3708a92f68675fb9650474d67a0e8072f759842accb0d8"


def test_fingerprint_and_plan_are_those_of_earlier_stores(tmp_path: Path) -> None:
    root, poses = tmp_path / "raw", 12
    (root / "training" / "rgb").mkdir(parents=True)
    for index in range(2 * poses):
        (root / "training" / "rgb" / f"{index:08d}.jpg").write_bytes(JPEG)
    camera = [[64.0, 0, 15.5], [0, 64.0, 15.5], [0, 0, 1]]
    joints = [
        [[j / 512 - 0.02, 0.02 - j / 1024, 0.5 + pose / 64] for j in range(21)]
        for pose in range(poses)
    ]
    (root / "training_K.json").write_text(json.dumps([camera] * poses))
    (root / "training_xyz.json").write_text(json.dumps(joints))
    options = StoreOptions(boxes="centre", name="fixed")
    manifest = build_store(read_freihand(root), tmp_path / "store", options, processes=1)
    assert manifest.counts == {"train": 22, "val": 2, "images": 24, "groups": 12}
    assert manifest.fingerprint == FINGERPRINT
    assert manifest.plan == PLAN
