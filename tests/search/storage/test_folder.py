import dataclasses
import json
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from handssl.data import build_store, open_store, read_freihand
from handssl.errors import ConfigError
from handssl.records import read_record
from search.config.compose import compose_config
from search.storage import lock as lease
from search.storage import s3 as buckets
from search.storage.environment_error import outage, outage_in
from search.storage.folder import Folder, delete_tree, mirrored, own
from search.storage.lock import leased
from search.storage.s3 import join, shown
from search.storage.stores import local_store, put_store
from search.studies.checks import check_writable, exclusive
from search.trials.pretrain import TrialJob, run
from tests.data.conftest import write_freihand


@pytest.fixture(params=["path", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A study's place of either kind: one contract holds for both."""
    if request.param == "path":
        return f"{tmp_path}/results/small"
    found: str = request.getfixturevalue("bucket")
    return found


def test_names_go_below_a_place_and_options_stay_behind_it() -> None:
    assert join("results", "small") == "results/small"
    assert join("/shared/", "small", "trials") == "/shared/small/trials"
    assert join("s3://b/r/?region=x&scheme=http", "small") == "s3://b/r/small?region=x&scheme=http"
    assert shown("s3://key:secret@b/r?region=x") == "s3://b/r?region=x"
    assert shown("/a/b@c/d") == "/a/b@c/d"


def test_what_one_worker_writes_another_continues_and_the_driver_sees(place: str) -> None:
    first, driver = own(place), mirrored(place)
    first.local.mkdir(parents=True, exist_ok=True)
    (first.local / "checkpoint.pt").write_bytes(b"epoch 1")
    (first.local / "metrics.jsonl").write_text("{}\n")
    first.put("checkpoint.pt", "metrics.jsonl", "never written")
    driver.fetch("metrics.jsonl")
    assert (driver.local / "metrics.jsonl").read_text() == "{}\n"
    second = own(place)
    second.fetch("metrics.jsonl", "checkpoint.pt")
    assert (second.local / "checkpoint.pt").read_bytes() == b"epoch 1"
    (second.local / "checkpoint.pt").write_bytes(b"epoch 2")
    second.put("checkpoint.pt")
    third = own(place)
    third.fetch("checkpoint.pt")
    assert (third.local / "checkpoint.pt").read_bytes() == b"epoch 2"
    second.remove("checkpoint.pt")
    third.fetch("checkpoint.pt")
    assert not (third.local / "checkpoint.pt").exists()
    second.remove("checkpoint.pt")


def test_a_file_that_has_not_changed_is_not_sent_again(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    upload = buckets.upload

    def counting(path: Path, place: str) -> None:
        sent.append(path.name)
        upload(path, place)

    monkeypatch.setattr(buckets, "upload", counting)
    folder = own(bucket)
    (folder.local / "a").write_text("1")
    folder.put("a")
    folder.put("a")
    (folder.local / "a").write_text("22")
    folder.put("a")
    assert sent == ["a", "a"]


def test_records_that_are_gone_there_go_here_too(bucket: str) -> None:
    for trial in ("t1", "t2"):
        buckets.write(join(bucket, "trials", trial, "record.json"), trial.encode())
        buckets.write(join(bucket, "trials", trial, "checkpoint.pt"), b"large")
    home = mirrored(bucket)
    home.fetch_all("record.json")
    found = sorted(path.parent.name for path in home.local.rglob("record.json"))
    assert found == ["t1", "t2"]
    assert not list(home.local.rglob("checkpoint.pt"))
    buckets.delete(join(bucket, "trials", "t1", "record.json"))
    home.fetch_all("record.json")
    assert [path.parent.name for path in home.local.rglob("record.json")] == ["t2"]


def test_a_tree_is_deleted_and_may_be_missing(place: str) -> None:
    folder = own(join(place, "ray"))
    folder.local.mkdir(parents=True, exist_ok=True)
    (folder.local / "x").write_text("1")
    folder.put("x")
    beside = own(place)
    (beside.local / "kept").write_text("1")
    beside.put("kept")
    for _ in range(2):
        delete_tree(join(place, "ray"))
    again = own(join(place, "ray"))
    again.fetch("x")
    assert folder.local == again.local or not (again.local / "x").exists()
    beside.fetch("kept")
    assert (beside.local / "kept").exists()


def test_a_workers_copy_goes_with_it(bucket: str) -> None:
    folder = own(bucket)
    local = folder.local
    (local / "a").write_text("1")
    del folder
    assert not local.exists()


def test_a_bucket_that_cannot_be_written_to_is_refused(bucket: str) -> None:
    check_writable(bucket)
    missing = bucket.replace("bucket/", "nowhere/", 1)
    with pytest.raises(ConfigError, match=r"results=s3://nowhere/.*bucket does not exist"):
        check_writable(missing)
    with pytest.raises(ConfigError, match=r"search\.storage must be a database's URL"):
        compose_config(["results=s3://bucket/results"])


def test_a_bucket_that_fails_is_an_outage_and_no_defect(bucket: str) -> None:
    missing = bucket.replace("bucket/", "nowhere/", 1)
    folder = own(missing)
    (folder.local / "record.json").write_text("{}")
    with pytest.raises(OSError, match="bucket does not exist") as failed:
        folder.put("record.json")
    assert outage(failed.value)
    assert outage_in(f"Traceback\nOSError: {failed.value}\n")


def test_one_driver_holds_a_study(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SETTLE_S", 0.1)
    monkeypatch.setattr(lease, "LEASE_S", 1.5)
    with (
        exclusive(bucket),
        pytest.raises(ConfigError, match=r"study\.name=small is being run by process \d+ on "),
        exclusive(bucket),
    ):
        pytest.fail("two drivers")
    with exclusive(bucket):
        pass
    assert not any(name.endswith(".lock") for name in buckets.names(bucket))


def test_the_lease_of_a_driver_that_is_gone_is_taken_over(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SETTLE_S", 0.1)
    monkeypatch.setattr(lease, "LEASE_S", 1.0)
    place = join(bucket, ".lock")
    elsewhere = {"owner": "x", "host": "another machine", "pid": 1, "renewal": 7}
    buckets.write(place, json.dumps(elsewhere).encode())
    began = time.monotonic()
    with leased(place, "small"):
        # Its clock is not compared; for a whole lease nobody has renewed it.
        assert time.monotonic() - began > 1.0


def test_of_two_drivers_that_start_at_once_one_is_refused(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SETTLE_S", 0.5)
    held: list[str] = []
    together = threading.Barrier(2)

    def start(name: str) -> None:
        together.wait()
        try:
            with leased(join(bucket, ".lock"), name):
                held.append(name)
                time.sleep(1)
        except ConfigError:
            pass

    drivers = [threading.Thread(target=start, args=(name,)) for name in "ab"]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    assert len(held) == 1


def test_a_store_in_a_bucket_is_copied_once_and_opens(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = bucket.replace("results/small", "stores/freihand")
    with pytest.raises(ConfigError, match="holds no store"):
        local_store(place)
    built = local_store(place, missing_ok=True)
    manifest = build_store(read_freihand(write_freihand(tmp_path / "raw")), built, processes=1)
    put_store(place)
    assert buckets.names(place) == ["manifest.json", "shards/00000.parquet"]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    copy = local_store(place)
    assert copy != built
    store = open_store(copy)
    assert store.fingerprint == manifest.fingerprint
    assert store.images.shape[0] == 24
    before = (copy / "shards/00000.parquet").stat().st_mtime_ns
    assert local_store(place) == copy
    assert (copy / "shards/00000.parquet").stat().st_mtime_ns == before


def test_a_folder_that_is_a_path_has_no_copy(tmp_path: Path) -> None:
    for folder in (own(str(tmp_path)), mirrored(str(tmp_path)), Folder(str(tmp_path), tmp_path)):
        assert folder.local == tmp_path


def test_a_trial_in_a_bucket_continues_elsewhere_to_the_same_record(
    bucket: str, job: TrialJob
) -> None:
    directory = join(bucket, "trials", job.trial.id)
    there = dataclasses.replace(job, directory=directory)
    begun = run(there, device="cpu")
    assert next(begun)["epoch"] == 1
    assert isinstance(begun, Generator)
    begun.close()  # a worker that is lost after its first report; its folder goes with it
    assert buckets.names(directory) == ["checkpoint.pt", "metrics.jsonl"]
    reports = list(run(there, device="cpu"))
    assert [report["epoch"] for report in reports] == [2, 2]
    assert buckets.names(directory) == ["errors.npz", "metrics.jsonl", "record.json"]
    for _ in run(job, device="cpu"):
        pass
    content = buckets.read(join(directory, "record.json"))
    assert content is not None
    here = read_record(Path(job.directory) / "record.json")
    assert json.loads(content)["metrics"] == here.metrics
    # A worker that was lost between its record and its last report runs nothing twice.
    [last] = run(there, device="cpu")
    assert (last["done"], last["status"]) == (True, "finished")
