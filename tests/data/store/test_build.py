import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handssl.data import Annotation, StoreOptions, build_store, open_store, read_freihand
from handssl.data.store import build as build_module
from handssl.data.store import shard
from handssl.data.store.forecast import Forecast
from handssl.data.store.manifest import read_manifest
from handssl.errors import ConfigError, DataError
from tests.data.raw_folders import write_freihand


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "SHARD_ROWS", 8)


def test_the_fingerprint_depends_neither_on_processes_nor_on_paths(tmp_path: Path) -> None:
    one = build_store(read_freihand(write_freihand(tmp_path / "a")), tmp_path / "one", processes=1)
    two = build_store(read_freihand(write_freihand(tmp_path / "b")), tmp_path / "two", processes=2)
    assert one.fingerprint == two.fingerprint
    assert len(one.shards) == 3
    other = build_store(
        read_freihand(write_freihand(tmp_path / "c", seed=1)), tmp_path / "three", processes=1
    )
    assert other.fingerprint != one.fingerprint


def test_an_interrupted_build_does_not_open_and_continues_where_it_stopped(
    freihand_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = read_freihand(freihand_root)
    whole = build_store(source, tmp_path / "whole", processes=1)

    def stop_after_two(stage: str, done: int, total: int) -> None:
        assert (stage, total) == ("shards", 3)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_store(source, tmp_path / "s", processes=1, progress=stop_after_two)
    with pytest.raises(DataError, match="half-built"):
        open_store(tmp_path / "s")

    encoded: list[str] = []
    make_row = shard.make_row

    def counting(job: object, annotation: Annotation, boxes: object) -> object:
        encoded.append(annotation.name)
        return make_row(job, annotation, boxes)  # type: ignore[arg-type]

    monkeypatch.setattr(shard, "make_row", counting)
    finished = build_store(source, tmp_path / "s", processes=1)
    assert finished.fingerprint == whole.fingerprint
    assert len(encoded) == 8


def test_a_build_killed_in_the_middle_continues(tmp_path: Path) -> None:
    root = write_freihand(tmp_path / "f", poses=150)
    out = tmp_path / "s"
    code = """
import sys, time
import handssl.data.store.build as build
import handssl.data.store.shard as shard
from handssl.data import read_freihand

def stopped_while_it_writes(table, path, **options):
    if path.name.endswith("00005.parquet"):
        path.write_bytes(b"PAR1")
        time.sleep(600)
    write(table, path, **options)

build.SHARD_ROWS = 8
write = shard.pq.write_table
shard.pq.write_table = stopped_while_it_writes
build.build_store(read_freihand(sys.argv[1]), sys.argv[2], processes=1)
"""
    path = tmp_path / "run.py"
    path.write_text(code)
    environment = dict(os.environ, PYTHONPATH=str(Path(build_module.__file__).parents[3]))
    process = subprocess.Popen([sys.executable, str(path), str(root), str(out)], env=environment)
    while not list((out / "shards").glob(".*.partial.00005.parquet")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list((out / "shards").glob("[0-9]*.parquet"))) == 5
    assert not (out / "manifest.json").exists()
    with pytest.raises(DataError, match="half-built"):
        open_store(out)
    finished = build_store(read_freihand(root), out, processes=1)
    whole = build_store(read_freihand(root), tmp_path / "whole", processes=1)
    assert finished.fingerprint == whole.fingerprint
    assert finished.counts["images"] == 600
    assert not list(out.rglob("*.partial.*"))


def test_a_finished_store_is_kept_and_another_is_refused(
    freihand_root: Path, tmp_path: Path
) -> None:
    source = read_freihand(freihand_root)
    first = build_store(source, tmp_path / "s", processes=1)
    times = [path.stat().st_mtime_ns for path in sorted((tmp_path / "s" / "shards").iterdir())]
    assert build_store(source, tmp_path / "s", processes=1) == first
    later = [path.stat().st_mtime_ns for path in sorted((tmp_path / "s" / "shards").iterdir())]
    assert later == times
    with pytest.raises(DataError, match="other raw files or options"):
        build_store(source, tmp_path / "s", StoreOptions(boxes="centre"), processes=1)
    other = read_freihand(write_freihand(tmp_path / "other", seed=3))
    with pytest.raises(DataError, match="other raw files or options"):
        build_store(other, tmp_path / "s", processes=1)


def test_skipped_images_are_counted_in_the_store(freihand_root: Path, tmp_path: Path) -> None:
    (freihand_root / "training/rgb/00000003.jpg").write_bytes(b"no image")
    manifest = build_store(read_freihand(freihand_root), tmp_path / "s", processes=1)
    assert manifest.counts["images"] == 23
    [(file, reason)] = manifest.skipped
    assert file == "training/rgb/00000003.jpg"
    assert "not a complete image" in reason
    with pytest.raises(DataError, match=r"00000003\.jpg"):
        build_store(read_freihand(freihand_root, strict=True), tmp_path / "strict", processes=2)
    assert not (tmp_path / "strict").exists()


def test_the_forecast_comes_first_and_is_close(freihand_root: Path, tmp_path: Path) -> None:
    said: list[Forecast] = []
    manifest = build_store(
        read_freihand(freihand_root), tmp_path / "s", processes=1, announce=said.append
    )
    [expected] = said
    assert expected.images == 24
    assert expected.decoded_bytes == 24 * 3 * 64 * 64
    written = sum(shard["bytes"] for shard in manifest.shards)
    # Three shards of eight rows are mostly Parquet's own overhead.
    assert 0.2 < expected.store_bytes / written < 2
    assert "24 images" in str(expected)


def test_a_full_disk_is_refused_before_anything_is_written(
    freihand_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handssl.data.store.forecast.free_bytes", lambda path: 1000)
    with pytest.raises(DataError, match="not enough disk space"):
        build_store(read_freihand(freihand_root), tmp_path / "s", processes=1)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"boxes": "head"}, "boxes='head'"),
        ({"boxes": "file"}, "boxes_file"),
        ({"boxes_file": "boxes.json"}, "boxes='joints', boxes_file='boxes.json'"),
        ({"stored_px": 4}, "stored_px=4"),
    ],
)
def test_options_that_cannot_be_used_are_named(options: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        StoreOptions(**options)


def test_a_folder_that_cannot_be_used_is_left_alone(freihand_root: Path, tmp_path: Path) -> None:
    thesis = tmp_path / "texts" / "thesis.tex"
    thesis.parent.mkdir()
    thesis.write_text("precious")
    for out, reason in ((thesis.parent, "is not a store"), (thesis / "s", "cannot build a store")):
        with pytest.raises(DataError, match=reason):
            build_store(read_freihand(freihand_root), out, processes=1)
    assert list(thesis.parent.iterdir()) == [thesis]


def test_only_a_few_chunks_of_labels_are_alive_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = read_freihand(write_freihand(tmp_path / "f", poses=40))
    original = source.annotations
    ahead = {"made": 0, "written": 0, "most": 0}

    def counted(start: int = 0) -> Iterator[Annotation]:
        for annotation in original(start):
            ahead["made"] += 1
            ahead["most"] = max(ahead["most"], ahead["made"] - ahead["written"])
            yield annotation

    monkeypatch.setattr(
        build_module,
        "forecast",
        lambda *_: Forecast(images=1, store_bytes=1, decoded_bytes=1, free_bytes=2),
    )
    monkeypatch.setattr(source, "annotations", counted)

    def advance(stage: str, done: int, total: int) -> None:
        ahead["written"] = done * 8

    build_store(source, tmp_path / "s", processes=1, progress=advance)
    assert ahead["made"] == 160
    assert ahead["most"] <= 2 * 8
    assert read_manifest(tmp_path / "s").counts["images"] == 160
