import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from handssl.data import build_store, read_freihand
from handssl.data.doctor import examine

Make = Callable[..., Path]


def _levels(root: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in examine(root):
        found.setdefault(finding.level, []).append(f"{finding.what}; {finding.advice}")
    return found


def test_sound_folders_have_no_errors(
    freihand_root: Path, interhand_root: Path, tmp_path: Path
) -> None:
    build_store(read_freihand(freihand_root), tmp_path / "s", processes=1)
    for root in (freihand_root, interhand_root, tmp_path / "s"):
        assert "error" not in _levels(root)
    assert any("bone lengths fit" in what for what in _levels(freihand_root)["ok"])


def test_real_samples_are_sound(real_samples: Path) -> None:
    levels = _levels(real_samples / "interhand")
    assert "error" not in levels
    assert any("2 interacting hands left out" in what for what in levels["note"])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda x: x[:, [0, *range(20, 0, -1)]], "bones of the"),
        (lambda x: x[:, [0, 1, 2, 3, 4, 17, 18, 19, 20, 13, 14, 15, 16, 9, 10, 11, 12, 5, 6, 7, 8]]
         * 1.0, "pinky"),
        (lambda x: x * 0.3, "metres"),
        (lambda x: x + np.array([0.11, 0, 0]), "project into"),
    ],
)  # fmt: skip
def test_labels_of_another_order_unit_or_camera_are_found(
    freihand_root: Path,
    change: Callable[[np.ndarray], np.ndarray],
    word: str,
) -> None:
    path = freihand_root / "training_xyz.json"
    path.write_text(json.dumps(change(np.array(json.loads(path.read_text()))).tolist()))
    (freihand_root / "training_scale.json").unlink()
    assert any(word in what for what in _levels(freihand_root)["error"])


def test_unusable_images_and_missing_files_are_errors(freihand_root: Path) -> None:
    (freihand_root / "training/rgb/00000003.jpg").write_bytes(b"x")
    assert any("00000003.jpg" in what for what in _levels(freihand_root)["error"])
    (freihand_root / "training_K.json").unlink()
    assert any("training_K.json" in what for what in _levels(freihand_root)["error"])


def test_damage_in_a_store_is_found(freihand_root: Path, tmp_path: Path) -> None:
    build_store(read_freihand(freihand_root), tmp_path / "s", processes=1)
    [shard] = (tmp_path / "s" / "shards").iterdir()
    content = bytearray(shard.read_bytes())
    jpeg = pq.read_table(shard)["image"][7].as_py()
    content[content.find(jpeg) + len(jpeg) // 2] ^= 0x55
    shard.write_bytes(content)
    assert any("damaged" in what for what in _levels(tmp_path / "s")["error"])


def test_what_is_no_data_set_is_said(tmp_path: Path) -> None:
    assert "neither FreiHAND" in _levels(tmp_path)["error"][0]
    assert "is no folder" in _levels(tmp_path / "absent")["error"][0]
    (tmp_path / "shards").mkdir()
    assert "half-built" in _levels(tmp_path)["error"][0]
