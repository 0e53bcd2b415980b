import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handssl.data import read_freihand
from handssl.data.splits import validation_mask
from handssl.errors import ConfigError, DataError
from tests.data.raw_folders import write_freihand


def test_sample_i_shows_pose_i_mod_poses(freihand_root: Path) -> None:
    files = sorted(freihand_root.rglob("*"))
    samples = list(read_freihand(freihand_root, "training"))
    assert sorted(freihand_root.rglob("*")) == files, "a reader writes nothing"
    labels = json.loads((freihand_root / "training_xyz.json").read_text())
    assert len(samples) == 24
    for index, sample in enumerate(samples):
        np.testing.assert_array_equal(sample.joints_m, labels[index % 6])
        assert sample.group == f"training/{index % 6:08d}"
        assert sample.source_id == f"training/{index:08d}"
        assert sample.side == "right"
        assert sample.valid.all()
        path = freihand_root / "training" / "rgb" / f"{index:08d}.jpg"
        np.testing.assert_array_equal(sample.image, np.asarray(Image.open(path)))


def test_no_pose_is_on_both_sides_of_the_split(tmp_path: Path) -> None:
    source = read_freihand(write_freihand(tmp_path / "f", poses=20, versions=2))
    sides: dict[str, set[str]] = {}
    for annotation in source.annotations():
        sides.setdefault(annotation.group, set()).add(annotation.split)
    assert all(len(side) == 1 for side in sides.values())
    validating = {group for group, side in sides.items() if side == {"val"}}
    assert validating == {f"training/{i:08d}" for i in np.flatnonzero(validation_mask(20))}


def test_annotations_start_anywhere(freihand_root: Path) -> None:
    source = read_freihand(freihand_root)
    ids = [annotation.source_id for annotation in source.annotations()]
    assert [annotation.source_id for annotation in source.annotations(17)] == ids[17:]


def test_evaluation_reads_with_and_without_labels(tmp_path: Path) -> None:
    root = write_freihand(tmp_path / "f", poses=3, versions=1, split="evaluation")
    labelled = list(read_freihand(root, "evaluation"))
    assert all(sample.valid.all() for sample in labelled)
    (root / "evaluation_xyz.json").unlink()
    (root / "evaluation_scale.json").unlink()
    bare = list(read_freihand(root, "test"))
    assert len(bare) == 3
    assert not any(sample.valid.any() for sample in bare)
    assert all(np.isnan(sample.joints_m).all() for sample in bare)


def test_evaluation_has_one_version(tmp_path: Path) -> None:
    root = write_freihand(tmp_path / "f", poses=3, versions=2, split="evaluation")
    with pytest.raises(DataError, match="6 images, which is not the 3 poses"):
        read_freihand(root, "evaluation")


def test_an_unknown_split_names_the_valid_ones(freihand_root: Path) -> None:
    with pytest.raises(ConfigError, match=r"evaluation.*training.*split='val'"):
        read_freihand(freihand_root, "val")


def test_strict_refuses_what_is_otherwise_skipped_and_counted(freihand_root: Path) -> None:
    path = freihand_root / "training" / "rgb" / "00000004.jpg"
    path.write_bytes(path.read_bytes()[:300])
    source = read_freihand(freihand_root)
    assert len(list(source)) == 23
    list(source)
    assert [file for file, _ in source.skipped] == ["training/rgb/00000004.jpg"]
    with pytest.raises(DataError, match=r"00000004\.jpg: not a complete image"):
        list(read_freihand(freihand_root, strict=True))


def test_versions_of_a_real_pose_are_32560_apart(real_samples: Path) -> None:
    """The same camera and hand before other backgrounds: keypoints of a third party agree."""
    content = json.loads(
        (real_samples / "freihand" / "training_keypoints_2d_coco.json").read_text()
    )
    points = {
        int(entry["image_id"]): np.array(entry["keypoints"]).reshape(21, 3)[:, :2]
        for entry in content["annotations"]
    }
    for pose in (355, 17620):
        for version in range(4):
            path = real_samples / "freihand/training/rgb" / f"{pose + 32560 * version:08d}.jpg"
            with Image.open(path) as image:
                assert image.size == (224, 224)
            np.testing.assert_array_equal(points[pose + 32560 * version], points[pose])
