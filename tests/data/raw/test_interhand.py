import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handssl.data import RawFolder, open_or_build_store, read_interhand
from handssl.data.camera import project_px
from handssl.errors import ConfigError, DataError
from handssl.skeleton import INTERHAND_TO_FREIHAND
from tests.data.raw_folders import write_interhand


def test_joints_are_the_worlds_seen_from_the_camera(interhand_root: Path) -> None:
    labels = interhand_root / "annotations/train"
    world = json.loads((labels / "InterHand2.6M_train_joint_3d.json").read_text())
    rigs = json.loads((labels / "InterHand2.6M_train_camera.json").read_text())
    sample = next(iter(read_interhand(interhand_root, "train")))
    rotation = np.array(rigs["0"]["camrot"]["0"])
    position = np.array(rigs["0"]["campos"]["0"])
    for joint, source in enumerate(INTERHAND_TO_FREIHAND):
        point = np.array(world["0"]["0"]["world_coord"][source])
        np.testing.assert_allclose(sample.joints_m[joint], rotation @ (point - position) / 1000)


def test_left_hands_arrive_mirrored_with_camera_and_joints(interhand_root: Path) -> None:
    left = [sample for sample in read_interhand(interhand_root) if sample.side == "left"]
    assert len(left) == 4
    for sample in left:
        path = interhand_root / "images" / sample.source_id
        np.testing.assert_array_equal(sample.image[:, ::-1], np.asarray(Image.open(path)))
        # The fixture's left hands are mirrored right ones: mirrored back, the thumb is at −x.
        assert sample.joints_m[1, 0] < sample.joints_m[17, 0]
        points = project_px(sample.joints_m, sample.intrinsics)
        height, width = sample.image.shape[:2]
        assert (points > 0).all()
        assert (points < [width, height]).all()


def test_interacting_hands_are_left_out_and_counted(tmp_path: Path) -> None:
    source = read_interhand(write_interhand(tmp_path / "i", frames=3))
    assert len(source) == 8
    assert source.left_out == {"interacting hands": 4}
    assert len(list(source)) == 8
    assert source.skipped == []


def test_a_joint_counts_only_if_both_files_say_so(interhand_root: Path) -> None:
    path = interhand_root / "annotations/train/InterHand2.6M_train_data.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["joint_valid"][3] = [0]
    path.write_text(json.dumps(content))
    sample = next(iter(read_interhand(interhand_root)))
    joint = INTERHAND_TO_FREIHAND.index(3)
    assert np.flatnonzero(~sample.valid).tolist() == [joint]
    assert np.isnan(sample.joints_m[joint]).all()


@pytest.mark.parametrize("layout", ["all", "human_annot"])
def test_the_v0_layout_reads_by_annotator(tmp_path: Path, layout: str) -> None:
    root = write_interhand(tmp_path / "i", layout=layout)
    assert len(read_interhand(root, "train", layout)) == 8
    with pytest.raises(DataError, match="machine_annot"):
        read_interhand(root, "train", "machine_annot")
    with pytest.raises(ConfigError, match="annotator='both'"):
        read_interhand(root, "train", "both")


def test_captures_are_never_on_both_sides(tmp_path: Path) -> None:
    root = write_interhand(tmp_path / "i", captures=4)
    sides: dict[str, set[str]] = {}
    for annotation in read_interhand(root).annotations():
        sides.setdefault(annotation.group.split("/")[1], set()).add(annotation.split)
    assert sorted(map(sorted, sides.values())) == [["train"], ["train"], ["train"], ["val"]]


def test_an_official_val_split_is_used_instead(tmp_path: Path) -> None:
    root = write_interhand(tmp_path / "i")
    write_interhand(tmp_path / "i", split="val", seed=1)
    assert {a.split for a in read_interhand(root, "train").annotations()} == {"train"}
    assert {a.split for a in read_interhand(root, "val").annotations()} == {"val"}


def test_real_hands_project_into_the_stored_square(real_samples: Path, tmp_path: Path) -> None:
    raw = RawFolder(root=real_samples / "interhand", dataset="interhand")
    store = open_or_build_store(raw, tmp_path / "s", processes=1)
    assert store.pixels(np.arange(2)).shape == (2, 3, 224, 224)
    for row, sample in enumerate(store):
        points = project_px(sample.joints_m, sample.intrinsics)
        half = store.side_px[row] / 2
        assert (np.abs(points - store.centre_px[row]) < half).all()
        # The hand is skin on darkness: its pixels are brighter than the picture's corners.
        u, v = points.mean(0).round().astype(int)
        assert sample.image[v - 3 : v + 4, u - 3 : u + 4].mean() > sample.image[:9, :9].mean()
