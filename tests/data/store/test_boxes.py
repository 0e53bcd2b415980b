import json
from pathlib import Path

import numpy as np
import pytest

from handssl.data import StoreOptions, build_store, open_store, read_freihand, read_interhand
from handssl.errors import DataError
from tests.data.raw_folders import write_freihand


def test_the_centre_box_uses_no_label(tmp_path: Path) -> None:
    root = write_freihand(tmp_path / "f", poses=3, versions=1, split="evaluation")
    (root / "evaluation_xyz.json").unlink()
    (root / "evaluation_scale.json").unlink()
    source = read_freihand(root, "evaluation")
    with pytest.raises(DataError, match="boxes=centre or boxes=file"):
        build_store(source, tmp_path / "joints", processes=1)
    build_store(source, tmp_path / "s", StoreOptions(boxes="centre"), processes=1)
    store = open_store(tmp_path / "s")
    np.testing.assert_allclose(store.centre_px, 31.5)
    np.testing.assert_allclose(store.side_px, 0.67 * 64)
    assert store.info["boxes"] == "centre"
    assert len(store.split("test")) == 3


def test_boxes_from_a_file_are_mirrored_with_left_hands(
    interhand_root: Path, tmp_path: Path
) -> None:
    source = read_interhand(interhand_root)
    ids = [annotation.source_id for annotation in source.annotations()]
    boxes = {source_id: [40, 10, 30, 50] for source_id in ids[:-1]}
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(boxes))
    options = StoreOptions(boxes="file", boxes_file=path, stored_px=1000)
    manifest = build_store(source, tmp_path / "s", options, processes=1)
    assert len(manifest.skipped) == 1
    assert "no box" in manifest.skipped[0][1]
    store = open_store(tmp_path / "s", source_px=round(1.25 * 50 * 2.1) + 1)
    np.testing.assert_allclose(store.side_px, 62.5, rtol=0.01)
    # Stored squares are cut about the box: its centre is theirs, to half a pixel.
    np.testing.assert_allclose(store.centre_px, (store.source_px - 1) / 2, atol=0.6)
    by_side = {
        side: store.intrinsics[store.sides == side][0, 0, 2]
        - store.centre_px[store.sides == side][0, 0]
        for side in ("left", "right")
    }
    # The principal point is 67 − 54.5 to the right of the box, and to its left when mirrored.
    np.testing.assert_allclose(by_side["right"], 12.5, atol=0.1)
    np.testing.assert_allclose(by_side["left"], -12.5, atol=0.1)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, r"absent\.json"),
        ("[]", "must map"),
        ("{", "cannot read boxes"),
        ('{"a": [1, 2, 3]}', "not 4 numbers"),
        ('{"a": "box"}', "not 4 numbers"),
        ('{"a": [1, 2, 0, 4]}', "must have a size"),
        ('{"a": [1, 2, NaN, 4]}', "must have a size"),
    ],
)
def test_a_broken_file_of_boxes_is_one_error(
    freihand_root: Path, tmp_path: Path, content: str | None, word: str
) -> None:
    path = tmp_path / "absent.json"
    if content is not None:
        path.write_text(content)
    options = StoreOptions(boxes="file", boxes_file=path)
    with pytest.raises(DataError, match=word):
        build_store(read_freihand(freihand_root), tmp_path / "s", options)
