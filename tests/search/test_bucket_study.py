"""A study whose results and store lie in a bucket: watched, killed, continued elsewhere."""

import dataclasses
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from moto.server import ThreadedMotoServer

from handssl import records
from handssl.records.uri import join_uri, open_filesystem
from search.config.compose import compose_config
from search.space.grid import grid
from search.storage import s3
from search.storage.folder import cache_path
from search.studies.grid import resolver_of
from search.trials.execute import execute
from search.trials.trial import Job
from tests.search import running
from tests.search.running import await_that, free_port

pytestmark = pytest.mark.long

RESULTS = "s3://bucket/results"
KEYS = (
    "study.epochs=30",
    "search.augmentations=[rotate]",
    "data.store=s3://bucket/stores/small",
    "cluster.cpus=1",
    "search.concurrent=1",
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An S3 server, found through the environment as a user would set it; one empty bucket."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "XDG_CACHE_HOME": str(tmp_path / "one machine"),
    }.items():
        monkeypatch.setenv(name, value)
    files, _ = open_filesystem("s3://?allow_bucket_creation=true")
    files.create_dir("bucket")
    yield
    moto.stop()


def command(embedded: Path, smallest: tuple[str, ...], database: Path) -> list[str]:
    storage = f"search.storage=sqlite:///{database}"
    return [*running.command(embedded, smallest), *KEYS, f"results={RESULTS}", storage]


@contextmanager
def optuna_dashboard(database: Path) -> Iterator[Callable[[str], Any]]:
    """The dashboard as the README starts it; yields what asks its API."""
    port = free_port()
    binary = Path(sys.executable).with_name("optuna-dashboard")
    arguments = [str(binary), f"sqlite:///{database}", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:

        def ask(path: str) -> Any:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api{path}", timeout=30) as r:
                    return json.load(r)
            except OSError:
                return None  # it is not up yet

        try:
            await_that(process, lambda: ask("/studies"))
            yield ask
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


def recorded(trial: str) -> dict[str, Any]:
    content = s3.read(join_uri(RESULTS, "small", "trials", trial, "record.json"))
    assert content is not None
    return dict(json.loads(content))


@pytest.mark.usefixtures("server")
def test_a_study_in_a_bucket_is_watched_killed_and_continued_on_another_machine(
    embedded: Path, smallest: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names(last: str) -> list[str]:
        return [n for n in s3.list_objects(join_uri(RESULTS, "small")) if n.endswith(last)]

    first = command(embedded, smallest, tmp_path / "first.db")
    with subprocess.Popen(
        first, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        await_that(process, lambda: names("checkpoint.pt"))
        with optuna_dashboard(tmp_path / "first.db") as ask:
            [study] = ask("/studies")["study_summaries"]
            shown = ask(f"/studies/{study['study_id']}")
            assert study["study_name"] == "small"
            assert "Running" in [trial["state"] for trial in shown["trials"]]
        assert process.poll() is None, "the study ended while it was watched"
        await_that(process, lambda: names("checkpoint.pt"))
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=180)
    assert not alive
    assert len(names("record.json")) < 2

    # Nothing of the first machine is left but what is in the bucket.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    again = command(embedded, smallest, tmp_path / "second.db")
    done = subprocess.run(
        again, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "complete: 2 trials" in done.stdout
    assert f"records      {RESULTS}/small/trials.parquet" in done.stdout
    below = s3.list_objects(join_uri(RESULTS, "small"))
    assert [n for n in below if n.count("/") == 0] == ["study.json", "trials.parquet"]
    files = {n.rpartition("/")[2] for n in below if n.startswith("trials/")}
    assert files == {"errors.npz", "metrics.jsonl", "record.json"}
    assert {n.partition("/")[0] for n in below} == {"study.json", "trials.parquet", "trials"}
    told = optuna.load_study(study_name="small", storage=f"sqlite:///{tmp_path}/second.db").trials
    assert [trial.state.name for trial in told] == ["COMPLETE"] * 2

    # The trials have the numbers of an undisturbed run, without Ray and without a bucket.
    config = compose_config([*again[2:], f"results={tmp_path}/local", "search.storage=null"])
    fingerprint = recorded(next(iter(names("record.json"))).split("/")[1])["data"]["fingerprint"]
    for trial in resolver_of(config, fingerprint).resolve_all(grid(config.search)):
        images = dataclasses.replace(trial.images, stores=(str(embedded / "store"),))
        job = Job(
            trial=dataclasses.replace(trial, images=images),
            metric=config.search.metric,
            directory=str(tmp_path / "local" / trial.id),
            scratch=str(tmp_path),
            context={},
        )
        for _ in execute(job, device="cpu"):
            pass
        here = records.read_record(tmp_path / "local" / trial.id / "record.json")
        assert recorded(trial.id)["metrics"] == here.metrics
        rows = s3.read(join_uri(RESULTS, "small", "trials", trial.id, "metrics.jsonl"))
        assert rows is not None
        assert [json.loads(line)["epoch"] for line in rows.splitlines()] == list(range(1, 31))
    assert (cache_path("stores", "s3://bucket/stores/small") / "manifest.json").exists()
