import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handssl.data import read_interhand
from handssl.errors import ConfigError, DataError
from handssl.skeleton import BONES, INTERHAND_TO_FREIHAND
from handssl.synthetic import folder, generate_interhand
from tests.synthetic.conftest import contents


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "interhand"
    generate_interhand(root, poses=7, cameras=2, seed=5, workers=1)
    return root


def load(root: Path, split: str, kind: str) -> Any:
    path = root / "annotations" / split / f"InterHand2.6M_{split}_{kind}.json"
    return json.loads(path.read_text())


def test_bytes_do_not_depend_on_the_number_of_processes(finished: Path, tmp_path: Path) -> None:
    generate_interhand(tmp_path / "two", poses=7, cameras=2, seed=5, workers=2)
    assert contents(tmp_path / "two") == contents(finished)


def test_every_image_is_listed_once_and_has_its_size(finished: Path) -> None:
    listed = set()
    for split in ("train", "val", "test"):
        for image in load(finished, split, "data")["images"]:
            path = finished / "images" / split / image["file_name"]
            with Image.open(path) as picture:
                assert picture.size == (image["width"], image["height"])
            listed.add(path)
    assert listed == set((finished / "images").rglob("*.jpg"))
    assert len(listed) == 7 * 2


def test_the_schema_is_that_of_the_real_files(finished: Path, real_samples: Path) -> None:
    theirs_root = real_samples / "interhand"
    for split in ("train", "val", "test"):
        ours, theirs = load(finished, split, "data"), load(theirs_root, "train", "data")
        for part in ("images", "annotations"):
            assert ours[part][0].keys() == theirs[part][0].keys()
            for key, value in theirs[part][0].items():
                assert type(ours[part][0][key]) is type(value), key
        ours, theirs = load(finished, split, "camera"), load(theirs_root, "train", "camera")
        one, other = next(iter(ours.values())), next(iter(theirs.values()))
        assert one.keys() == other.keys()
        for key in other:
            shapes = {np.shape(next(iter(entry[key].values()))) for entry in (one, other)}
            assert len(shapes) == 1
        ours, theirs = load(finished, split, "joint_3d"), load(theirs_root, "train", "joint_3d")
        one, other = (next(iter(next(iter(f.values())).values())) for f in (ours, theirs))
        assert one.keys() == other.keys()
        assert np.shape(one["world_coord"]) == np.shape(other["world_coord"])
        assert np.shape(one["joint_valid"]) == np.shape(other["joint_valid"])


def test_joints_project_into_their_boxes_by_the_files_alone(finished: Path) -> None:
    for split in ("train", "val", "test"):
        data, cameras, poses = (load(finished, split, k) for k in ("data", "camera", "joint_3d"))
        for image, entry in zip(data["images"], data["annotations"], strict=True):
            assert entry["image_id"] == image["id"]
            capture, name = str(image["capture"]), image["camera"]
            pose = poses[capture][str(image["frame_idx"])]
            assert pose["hand_type"] == entry["hand_type"]
            valid = np.array(entry["joint_valid"])[:, 0] > 0
            first = 0 if entry["hand_type"] == "right" else 21
            assert valid[first : first + 21].all()
            assert valid.sum() == 21
            world = np.array(pose["world_coord"])[valid]
            rig = {kind: np.array(value[name]) for kind, value in cameras[capture].items()}
            seen = (world - rig["campos"]) @ rig["camrot"].T
            pixels = seen[:, :2] / seen[:, 2:] * rig["focal"] + rig["princpt"]
            x, y, width, height = entry["bbox"]
            extent = np.ptp(pixels, axis=0)
            np.testing.assert_allclose([width, height], 1.2 * extent, atol=0.01)
            np.testing.assert_allclose([x, y], pixels.min(0) - 0.1 * extent, atol=0.01)


def test_a_persons_bones_keep_their_length_from_frame_to_frame(finished: Path) -> None:
    first, second = np.array(BONES).T
    order = list(INTERHAND_TO_FREIHAND)
    phalanges = [bone for bone in range(20) if bone % 4]
    for frames in load(finished, "train", "joint_3d").values():
        lengths = []
        for pose in frames.values():
            base = 0 if pose["hand_type"] == "right" else 21
            joints = np.array(pose["world_coord"])[base : base + 21][order]
            lengths.append(np.linalg.norm(joints[second] - joints[first], axis=1)[phalanges])
        assert len(lengths) > 1
        assert np.ptp(lengths, axis=0).max() < 0.01  # millimetres
        assert 15 < np.min(lengths) < np.max(lengths) < 60


def test_no_capture_is_in_two_splits(finished: Path) -> None:
    captures = [set(load(finished, split, "camera")) for split in ("train", "val", "test")]
    assert all(captures)
    assert sum(map(len, captures)) == len(set.union(*captures))


def test_a_folder_killed_between_its_last_files_does_not_read_and_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def generate(root: Path) -> None:
        generate_interhand(root, poses=3, cameras=1, seed=5, workers=1)

    generate(tmp_path / "whole")
    expected = contents(tmp_path / "whole")
    root = tmp_path / "killed"
    write, left = folder.write_file, 0

    def until_killed(path: Path, content: bytes, **options: bool) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f".0badf00d.partial.{path.name}").write_bytes(
                content[: len(content) // 2]
            )
            raise KeyboardInterrupt
        write(path, content, **options)

    # Nine label files, then the marker; the folder is begun with a first write of its own.
    for number in range(10):
        left = number + (number == 0)
        with monkeypatch.context() as killing:
            killing.setattr(folder, "write_file", until_killed)
            with pytest.raises(KeyboardInterrupt):
                generate(root)
        for split in ("train", "val", "test"):
            with pytest.raises(DataError, match="is only partly generated"):
                read_interhand(root, split)
    generate(root)
    assert contents(root) == expected
    assert len(read_interhand(root, "train")) == 1


def test_a_folder_killed_before_its_last_step_is_tidied(finished: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(finished, tmp_path / "copy"))
    (copy / "synthetic.partial.json").write_bytes((copy / "synthetic.json").read_bytes())
    generate_interhand(copy, poses=7, cameras=2, seed=5, workers=1)
    assert contents(copy) == contents(finished)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"poses": 2}, "poses must be >= 3, but got poses=2"),
        ({"cameras": 0}, "cameras must be >= 1, but got cameras=0"),
        ({"grey_cameras": 1.5}, "grey_cameras must be a share from 0 to 1"),
    ],
)
def test_impossible_numbers_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        generate_interhand(tmp_path / "new", **{"poses": 3, **change})
    assert not (tmp_path / "new").exists()
