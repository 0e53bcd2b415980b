import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handssl.data import RawFolder, Store, StoreOptions, open_or_build_store
from handssl.errors import ConfigError, DataError
from tests.data.raw_folders import write_interhand


def _provide(root: Path, out: Path, **options: Any) -> Store:
    return open_or_build_store(RawFolder(root=root, **options), out, processes=1)


def test_it_builds_then_opens(freihand_root: Path, tmp_path: Path) -> None:
    stages: list[str] = []

    def build() -> Store:
        return open_or_build_store(
            freihand_root,
            tmp_path / "s",
            StoreOptions(name="mine"),
            processes=1,
            progress=lambda stage, *_: stages.append(stage),
        )

    first = build()
    assert stages == ["shards", "decode"]
    assert first.info["name"] == "mine"
    stages.clear()
    assert build().fingerprint == first.fingerprint
    assert stages == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda r: (r / "training/rgb/00000000.jpg").write_bytes(b"other"), "sampled_bytes"),
        (
            lambda r: (r / "training_xyz.json").write_text(
                json.dumps(json.loads((r / "training_xyz.json").read_text())[::-1])
            ),
            r"training_xyz\.json",
        ),
        (lambda r: shutil.copy(r / "training/rgb/00000000.jpg", r / "training/rgb/00000024.jpg"),
         "training/images"),
    ],
)  # fmt: skip
def test_raw_files_that_changed_under_a_store_are_noticed(
    freihand_root: Path, tmp_path: Path, change: Callable[[Path], object], word: str
) -> None:
    _provide(freihand_root, tmp_path / "s")
    change(freihand_root)
    with pytest.raises(DataError, match=f"not built from.*{word}"):
        _provide(freihand_root, tmp_path / "s")


def test_other_options_are_refused(freihand_root: Path, tmp_path: Path) -> None:
    _provide(freihand_root, tmp_path / "s")
    with pytest.raises(DataError, match=r"'boxes': 'joints'.*'boxes': 'centre'"):
        open_or_build_store(freihand_root, tmp_path / "s", StoreOptions(boxes="centre"))
    with pytest.raises(ConfigError, match="dataset='kinect'"):
        RawFolder(root=freihand_root, dataset="kinect")
    with pytest.raises(ConfigError, match="annotator='human_annot'"):
        RawFolder(root=freihand_root, annotator="human_annot")


def test_a_store_outlives_its_raw_files(freihand_root: Path, tmp_path: Path) -> None:
    _provide(freihand_root, tmp_path / "s")
    shutil.rmtree(freihand_root)
    assert len(_provide(freihand_root, tmp_path / "s")) == 24
    with pytest.raises(DataError, match="training/rgb"):
        _provide(freihand_root, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_strict_refuses_a_store_that_skipped_images(freihand_root: Path, tmp_path: Path) -> None:
    (freihand_root / "training/rgb/00000003.jpg").write_bytes(b"no image")
    _provide(freihand_root, tmp_path / "s")
    with pytest.raises(
        DataError, match=r"skipped 1 images, the first: training/rgb/00000003\.jpg"
    ):
        _provide(freihand_root, tmp_path / "s", strict=True)


def test_interhand_takes_train_and_val(tmp_path: Path) -> None:
    root = write_interhand(tmp_path / "i")
    write_interhand(root, split="val", seed=1)
    store = _provide(root, tmp_path / "s", dataset="interhand")
    assert len(store.split("train")) == len(store.split("val")) == 8
    assert _provide(root, tmp_path / "s", dataset="interhand").fingerprint == store.fingerprint
    # Rows of val come last in the store; a part of it still has both splits.
    assert {*store.take(8).splits.tolist()} == {"train", "val"}
