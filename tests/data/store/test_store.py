import json
import multiprocessing
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from handssl.data import Store, build_store, open_store, read_freihand
from handssl.data.camera import project_px
from handssl.errors import ConfigError, DataError
from tests.data.raw_folders import damage_image, write_freihand


@pytest.fixture
def folder(freihand_root: Path, tmp_path: Path) -> Path:
    build_store(read_freihand(freihand_root), tmp_path / "store", processes=1)
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> Store:
    return open_store(folder)


def test_a_store_returns_what_the_reader_yields(store: Store, freihand_root: Path) -> None:
    samples = list(read_freihand(freihand_root))
    assert len(store) == len(samples) == 24
    for stored, sample in zip(store, samples, strict=True):
        np.testing.assert_array_equal(stored.image, sample.image)
        np.testing.assert_allclose(stored.intrinsics, sample.intrinsics)
        np.testing.assert_allclose(stored.joints_m, sample.joints_m, atol=1e-7)
        assert (stored.side, stored.group, stored.source_id) == (
            sample.side,
            sample.group,
            sample.source_id,
        )


def test_shapes_and_types_are_the_contracts(store: Store) -> None:
    assert store.pixels(np.arange(24)).shape == (24, 3, 64, 64)
    batch = store.batch(np.array([3, 0]))
    assert batch.dtype == torch.uint8
    assert tuple(batch.shape) == (2, 3, 64, 64)
    np.testing.assert_array_equal(batch[0].permute(1, 2, 0).numpy(), store[3].image)
    assert store.joints_m.shape == (24, 21, 3)
    assert store.joints_m.dtype == store.intrinsics.dtype == store.centre_px.dtype == np.float32
    assert store.valid.dtype == np.bool_
    assert store.info["boxes"] == "joints"
    assert store.info["counts"] == {"train": 20, "val": 4, "images": 24, "groups": 6}


def test_the_box_is_the_released_crop(store: Store) -> None:
    sample = store[5]
    points = project_px(sample.joints_m, sample.intrinsics)
    centre = points.mean(0)
    np.testing.assert_allclose(store.centre_px[5], centre, atol=1e-4)
    side = 2 * 1.25 * np.linalg.norm(points - centre, axis=1).max()
    np.testing.assert_allclose(store.side_px[5], side, rtol=1e-5)


@pytest.mark.parametrize("source_px", [32, 100])
def test_other_sizes_move_labels_with_the_pixels(folder: Path, source_px: int) -> None:
    whole, other = open_store(folder), open_store(folder, source_px=source_px)
    factor = source_px / 64
    points = project_px(whole[2].joints_m, whole[2].intrinsics)
    resized = project_px(other[2].joints_m, other[2].intrinsics)
    np.testing.assert_allclose(resized, (points + 0.5) * factor - 0.5, atol=1e-3)
    np.testing.assert_allclose(other.side_px, whole.side_px * factor, rtol=1e-6)
    expected = Image.fromarray(whole[2].image).resize((source_px, source_px), 3)
    np.testing.assert_array_equal(other[2].image, np.asarray(expected))
    assert other.fingerprint == whole.fingerprint


def test_a_split_shares_the_pixels_and_never_a_group(store: Store) -> None:
    train, val = store.split("train"), store.split("val")
    assert len(train) + len(val) == len(store)
    assert not set(train.groups.tolist()) & set(val.groups.tolist())
    np.testing.assert_array_equal(val[0].image, store[int(val.indices[0])].image)
    with pytest.raises(DataError, match="split='test'"):
        store.split("test")
    with pytest.raises(DataError, match="split='val'"):
        train.split("val")


def test_take_keeps_groups_whole_and_the_splits_shares(tmp_path: Path) -> None:
    root = write_freihand(tmp_path / "f", poses=20, versions=2)
    build_store(read_freihand(root), tmp_path / "s", processes=1)
    store = open_store(tmp_path / "s")
    taken = store.take(21)
    assert len(taken) == 20
    assert all((store.groups == group).sum() == 2 for group in set(taken.groups.tolist()))
    assert len(taken.split("val")) == 2
    assert set(store.take(10).indices.tolist()) <= set(taken.indices.tolist())
    assert len(store.take(1)) == 2
    assert len(store.take(10**9)) == 40
    train = store.split("train")
    first = list(dict.fromkeys(train.groups.tolist()))[:3]
    assert list(dict.fromkeys(train.take(6).groups.tolist())) == first


def test_a_pickled_store_is_its_path_and_rows(store: Store) -> None:
    train = store.split("train").take(8)
    content = pickle.dumps(train)
    assert len(content) < 2000
    copy = pickle.loads(content)
    np.testing.assert_array_equal(copy.indices, train.indices)
    np.testing.assert_array_equal(copy[3].image, train[3].image)


def test_values_out_of_range_are_refused(folder: Path, store: Store) -> None:
    with pytest.raises(ConfigError, match="source_px=8"):
        open_store(folder, source_px=8)
    with pytest.raises(ConfigError, match="n_images=0"):
        store.take(0)
    with pytest.raises(IndexError, match="row=24"):
        store[24]
    np.testing.assert_array_equal(store[-1].image, store[23].image)


def test_pixels_are_decoded_once(folder: Path) -> None:
    open_store(folder).prepare()
    [array] = (folder / "decoded").glob("*.npy")
    written = array.stat().st_mtime_ns
    said: list[object] = []
    open_store(folder).prepare(progress=lambda *arguments: said.append(arguments))
    assert array.stat().st_mtime_ns == written
    assert not said


def test_pixels_of_another_size_or_content_are_decoded_again(folder: Path) -> None:
    first = open_store(folder).prepare()[0].image
    [array] = (folder / "decoded").glob("*.npy")
    array.write_bytes(array.read_bytes()[:-100])
    np.testing.assert_array_equal(open_store(folder)[0].image, first)
    label = array.with_suffix(".json")
    label.write_text(label.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    said: list[object] = []
    open_store(folder).prepare(progress=lambda *arguments: said.append(arguments))
    assert len(said) == 1


def test_pixels_may_lie_elsewhere_for_a_read_only_store(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    store = open_store(folder, cache_dir=cache)
    assert store[0].image.shape == (64, 64, 3)
    assert not (folder / "decoded").exists()
    assert len(list(cache.glob("*.npy"))) == 1


def _prepare(folder: str) -> None:
    open_store(folder).prepare(processes=1)


def test_two_processes_that_decode_at_once_leave_one_whole_array(folder: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_prepare, args=(str(folder),)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(list((folder / "decoded").glob("*.npy"))) == 1
    assert not list((folder / "decoded").glob("*.partial.*"))


def test_a_flipped_byte_is_found_when_pixels_are_decoded(folder: Path) -> None:
    damage_image(folder, 7)
    with pytest.raises(DataError, match="row 7 is damaged"):
        open_store(folder).prepare()
    assert not list((folder / "decoded").glob("*.npy"))


def _newer_schema(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(content | {"schema": 99}))


@pytest.mark.parametrize(
    ("mutate", "word"),
    [
        (lambda f: (f / "manifest.json").unlink(), "half-built"),
        (shutil.rmtree, "is not a store"),
        (lambda f: (f / "manifest.json").write_text("{"), "damaged"),
        (lambda f: (f / "manifest.json").write_text("[]"), "damaged"),
        (lambda f: (f / "shards/00000.parquet").unlink(), "None bytes instead of"),
        (lambda f: (f / "shards/00000.parquet").write_bytes(b"PAR1"), "4 bytes instead of"),
        (_newer_schema, "schema version 99"),
        (
            lambda f: (f / "shards/00000.parquet").write_bytes(
                bytes((f / "shards/00000.parquet").stat().st_size)
            ),
            "damaged",
        ),
    ],
)
def test_a_store_that_is_not_whole_does_not_open(
    folder: Path, mutate: Callable[[Path], object], word: str
) -> None:
    mutate(folder)
    with pytest.raises(DataError, match=word):
        open_store(folder)
