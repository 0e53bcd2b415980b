import dataclasses
import json
from collections.abc import Generator
from pathlib import Path

import pytest

from handssl.data import build_store, open_store, read_freihand
from handssl.errors import ConfigError
from handssl.records import read_record
from handssl.records.uri import join_uri
from search.storage import s3
from search.storage.folder import (
    Folder,
    cached_copy,
    delete_tree,
    local_store,
    scratch_copy,
    upload_store,
)
from search.trials.execute import execute
from search.trials.trial import Job
from tests.data.raw_folders import write_freihand


@pytest.fixture(params=["path", "bucket"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URI of a study of either kind: one contract holds for both."""
    if request.param == "path":
        return f"{tmp_path}/results/small"
    uri: str = request.getfixturevalue("bucket")
    return uri


def test_what_one_worker_writes_another_continues_and_the_driver_sees(uri: str) -> None:
    first, driver = scratch_copy(uri), cached_copy(uri)
    first.local_path.mkdir(parents=True, exist_ok=True)
    (first.local_path / "checkpoint.pt").write_bytes(b"epoch 1")
    (first.local_path / "metrics.jsonl").write_text("{}\n")
    first.put("checkpoint.pt", "metrics.jsonl", "never written")
    driver.fetch("metrics.jsonl")
    assert (driver.local_path / "metrics.jsonl").read_text() == "{}\n"
    second = scratch_copy(uri)
    second.fetch("metrics.jsonl", "checkpoint.pt")
    assert (second.local_path / "checkpoint.pt").read_bytes() == b"epoch 1"
    (second.local_path / "checkpoint.pt").write_bytes(b"epoch 2")
    second.put("checkpoint.pt")
    third = scratch_copy(uri)
    third.fetch("checkpoint.pt")
    assert (third.local_path / "checkpoint.pt").read_bytes() == b"epoch 2"
    second.remove("checkpoint.pt")
    third.fetch("checkpoint.pt")
    assert not (third.local_path / "checkpoint.pt").exists()
    second.remove("checkpoint.pt")


def test_a_file_that_has_not_changed_is_not_sent_again(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    upload = s3.upload

    def counting(path: Path, uri: str) -> None:
        sent.append(path.name)
        upload(path, uri)

    monkeypatch.setattr(s3, "upload", counting)
    folder = scratch_copy(bucket)
    (folder.local_path / "a").write_text("1")
    folder.put("a")
    folder.put("a")
    (folder.local_path / "a").write_text("22")
    folder.put("a")
    assert sent == ["a", "a"]


def test_records_deleted_in_the_bucket_are_deleted_locally(bucket: str) -> None:
    for trial in ("t1", "t2"):
        s3.write(join_uri(bucket, "trials", trial, "record.json"), trial.encode())
        s3.write(join_uri(bucket, "trials", trial, "checkpoint.pt"), b"large")
    folder = cached_copy(bucket)
    folder.fetch_all("record.json")
    trials = sorted(path.parent.name for path in folder.local_path.rglob("record.json"))
    assert trials == ["t1", "t2"]
    assert not list(folder.local_path.rglob("checkpoint.pt"))
    s3.delete(join_uri(bucket, "trials", "t1", "record.json"))
    folder.fetch_all("record.json")
    assert [path.parent.name for path in folder.local_path.rglob("record.json")] == ["t2"]


def test_a_tree_is_deleted_and_may_be_missing(uri: str) -> None:
    folder = scratch_copy(join_uri(uri, "ray"))
    folder.local_path.mkdir(parents=True, exist_ok=True)
    (folder.local_path / "x").write_text("1")
    folder.put("x")
    study = scratch_copy(uri)
    (study.local_path / "study.json").write_text("1")
    study.put("study.json")
    for _ in range(2):
        delete_tree(join_uri(uri, "ray"))
    ray = scratch_copy(join_uri(uri, "ray"))
    ray.fetch("x")
    assert not (ray.local_path / "x").exists()
    study.fetch("study.json")
    assert (study.local_path / "study.json").exists()


def test_the_copy_of_a_worker_is_deleted_with_its_folder(bucket: str) -> None:
    folder = scratch_copy(bucket)
    local = folder.local_path
    (local / "a").write_text("1")
    del folder
    assert not local.exists()


def test_a_folder_that_is_a_path_has_no_copy(tmp_path: Path) -> None:
    for folder in (
        scratch_copy(str(tmp_path)),
        cached_copy(str(tmp_path)),
        Folder(str(tmp_path), tmp_path),
    ):
        assert folder.local_path == tmp_path


@pytest.mark.slow
def test_a_trial_in_a_bucket_continues_elsewhere_to_the_same_record(bucket: str, job: Job) -> None:
    directory = join_uri(bucket, "trials", job.trial.id)
    in_bucket = dataclasses.replace(job, directory=directory)
    first_run = execute(in_bucket, device="cpu")
    assert next(first_run)["epoch"] == 1
    assert isinstance(first_run, Generator)
    first_run.close()  # a worker that is lost after its first report; its folder goes with it
    assert s3.list_objects(directory) == ["checkpoint.pt", "metrics.jsonl"]
    reports = list(execute(in_bucket, device="cpu"))
    assert [report["epoch"] for report in reports] == [2, 2]
    assert s3.list_objects(directory) == ["errors.npz", "metrics.jsonl", "record.json"]
    for _ in execute(job, device="cpu"):
        pass
    content = s3.read(join_uri(directory, "record.json"))
    assert content is not None
    local = read_record(Path(job.directory) / "record.json")
    assert json.loads(content)["metrics"] == local.metrics
    # A worker that was lost between its record and its last report runs nothing twice.
    [last] = execute(in_bucket, device="cpu")
    assert (last["done"], last["status"]) == (True, "finished")


def test_a_store_in_a_bucket_is_downloaded_once_and_opens(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = bucket.replace("results/small", "stores/freihand")
    with pytest.raises(ConfigError, match="holds no store"):
        local_store(uri)
    built = local_store(uri, missing_ok=True)
    manifest = build_store(read_freihand(write_freihand(tmp_path / "raw")), built, processes=1)
    upload_store(uri)
    assert s3.list_objects(uri) == ["manifest.json", "shards/00000.parquet"]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    copy = local_store(uri)
    assert copy != built
    store = open_store(copy)
    assert store.fingerprint == manifest.fingerprint
    assert len(store) == 24
    before = (copy / "shards/00000.parquet").stat().st_mtime_ns
    assert local_store(uri) == copy
    assert (copy / "shards/00000.parquet").stat().st_mtime_ns == before
