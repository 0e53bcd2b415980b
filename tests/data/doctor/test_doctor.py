import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw

from handssl.data import build_store, read_freihand, read_interhand
from handssl.data.camera import project_px
from handssl.data.doctor import raw as doctor_raw
from handssl.data.doctor.examine import examine
from tests.data.raw_folders import damage_image, write_interhand


def _levels(root: Path) -> dict[str, list[str]]:
    levels: dict[str, list[str]] = {}
    for finding in examine(root):
        levels.setdefault(finding.level, []).append(f"{finding.text}; {finding.advice}")
    return levels


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
        (lambda x: x[:, [*range(5), *range(17, 21), *range(13, 17), *range(9, 13), *range(5, 9)]],
         "pinky"),
        (lambda x: x * 0.3, "metres"),
        (lambda x: x + np.array([0.11, 0, 0]), "project into"),
    ],
)  # fmt: skip
def test_labels_of_another_order_unit_or_camera_are_found(
    freihand_root: Path, change: Callable[[np.ndarray], np.ndarray], word: str
) -> None:
    path = freihand_root / "training_xyz.json"
    path.write_text(json.dumps(change(np.array(json.loads(path.read_text()))).tolist()))
    (freihand_root / "training_scale.json").unlink()
    assert any(word in what for what in _levels(freihand_root)["error"])


def test_joints_beside_the_published_mask_are_found(freihand_root: Path) -> None:
    (freihand_root / "training" / "mask").mkdir()
    source = read_freihand(freihand_root)
    for index, sample in enumerate(source):
        mask = Image.new("L", (64, 64))
        for u, v in project_px(sample.joints_m, sample.intrinsics):
            ImageDraw.Draw(mask).ellipse((u - 2, v - 2, u + 2, v + 2), fill=255)
        if index < source.n_poses:
            mask.save(source.mask_file(index))
    assert any("100.0 % of the joints project onto" in w for w in _levels(freihand_root)["ok"])
    for index in range(source.n_poses):
        with Image.open(source.mask_file(index)) as mask:
            ImageChops.offset(mask, 20, 0).save(source.mask_file(index))
    assert any("onto the hand's mask" in what for what in _levels(freihand_root)["error"])


def test_joints_outside_the_published_box_are_found(interhand_root: Path) -> None:
    path = interhand_root / "annotations/train/InterHand2.6M_train_data.json"
    content = json.loads(path.read_text())
    by_id = {f"train/{image['file_name']}": image["id"] for image in content["images"]}
    boxes = {}
    for sample in read_interhand(interhand_root):
        points = project_px(sample.joints_m, sample.intrinsics)
        if sample.side == "left":
            points[:, 0] = sample.image.shape[1] - 1 - points[:, 0]
        corner, extent = points.min(0) - 1, np.ptp(points, axis=0) + 3
        boxes[by_id[sample.source_id]] = [*corner, *extent]
    for shift, level in ((0, "ok"), (25, "error")):
        for entry in content["annotations"]:
            x, y, width, height = boxes[entry["image_id"]]
            entry["bbox"] = [x + shift, y, width, height]
        path.write_text(json.dumps(content))
        assert any("hand's published box" in what for what in _levels(interhand_root)[level])


def test_every_annotator_of_the_v0_layout_is_looked_at(tmp_path: Path) -> None:
    root = tmp_path / "i"
    for layout in ("all", "human_annot"):
        write_interhand(root, layout=layout)
    write_interhand(root, layout="all", split="test")
    said = [finding.text for finding in examine(root) if "single-hand images" in finding.text]
    assert [what.split(":")[0] for what in said] == ["train", "train (human_annot)", "test"]


def test_a_known_release_is_recognised_by_both_its_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_interhand(tmp_path / "i", frames=3)
    for counts, level in (((8, 4), "ok"), ((8, 5), "note")):
        monkeypatch.setattr(doctor_raw, "_INTERHAND", {("train", "all"): {"v1.0": counts}})
        [said] = [what for what in _levels(root)[level] if "single-hand images" in what]
        expected = (
            "as v1.0 at 5 fps" if level == "ok" else "v1.0: 8 and 5; a part of them can be used"
        )
        assert expected in said


def test_a_complete_freihand_of_another_image_size_is_an_error(
    freihand_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_raw, "_FREIHAND_POSES", {"training": 6, "evaluation": 0})
    assert any("release has 224×224" in what for what in _levels(freihand_root)["error"])
    monkeypatch.setattr(doctor_raw, "_FREIHAND_SIZE", "64×64")
    assert "error" not in _levels(freihand_root)


def test_unusable_images_and_missing_files_are_errors(freihand_root: Path) -> None:
    (freihand_root / "training/rgb/00000003.jpg").write_bytes(b"x")
    assert any("00000003.jpg" in what for what in _levels(freihand_root)["error"])
    (freihand_root / "training_K.json").unlink()
    assert any("training_K.json" in what for what in _levels(freihand_root)["error"])


def test_damage_in_a_store_is_found(freihand_root: Path, tmp_path: Path) -> None:
    build_store(read_freihand(freihand_root), tmp_path / "s", processes=1)
    damage_image(tmp_path / "s", 7)
    assert any("damaged" in what for what in _levels(tmp_path / "s")["error"])


def test_what_is_no_data_set_is_said(tmp_path: Path) -> None:
    assert "neither FreiHAND" in _levels(tmp_path)["error"][0]
    assert "is not a folder" in _levels(tmp_path / "absent")["error"][0]
    (tmp_path / "shards").mkdir()
    assert "half-built" in _levels(tmp_path)["error"][0]
