import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from handssl.data import RawFolder, StoreOptions, open_or_build_store
from handssl.records.uri import open_filesystem
from handssl.synthetic import generate_freihand, generate_interhand
from handssl.versions import versions
from search.config.compose import compose_config
from search.config.schema import Config
from search.space.grid import grid
from search.studies.grid import resolver_of
from search.trials.pretrain import PretrainTrial
from search.trials.trial import Job
from tests.search.running import command, run_grid, six_trials

SMALLEST = (
    "study.epochs=2",
    "study.images=96",
    "trial.pretrain.size_px=32",
    "trial.pretrain.batch_size=16",
    "trial.probe.augmented_passes=1",
    "search.baseline_seeds=1",
)
"""The smallest fidelity that still goes all the way through."""


@pytest.fixture(scope="session")
def smallest() -> tuple[str, ...]:
    return SMALLEST


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with an embedded data set `raw` of 30 poses and its store `store`."""
    folder = tmp_path_factory.mktemp("embedded")
    generate_freihand(folder / "raw", poses=30, workers=1)
    open_or_build_store(
        folder / "raw", folder / "store", StoreOptions(name="synthetic"), processes=1
    )
    return folder


@pytest.fixture(scope="session")
def base(embedded: Path) -> list[str]:
    """The command of a study of six trials on that data set, but for its results folder."""
    return command(embedded, SMALLEST)


@pytest.fixture(scope="session")
def undisturbed(base: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of that study, run from start to end."""
    results = tmp_path_factory.mktemp("undisturbed")
    done = run_grid(base, results)
    assert done.returncode == 0, done.stderr
    assert "complete: 6 trials" in done.stdout
    return results


@pytest.fixture
def small(embedded: Path) -> Config:
    """The default search at the smallest fidelity, on that data set."""
    return compose_config(six_trials(embedded, SMALLEST))


@pytest.fixture
def small_trials(small: Config) -> list[PretrainTrial]:
    return resolver_of(small, "fingerprint").resolve_all(grid(small.search))


@pytest.fixture
def trial(small_trials: list[PretrainTrial]) -> PretrainTrial:
    """The first trial of the small study, probed after its first epoch too."""
    return dataclasses.replace(small_trials[0], rungs=(1,))


@pytest.fixture
def job(small: Config, trial: PretrainTrial, tmp_path: Path) -> Job:
    """That trial in a folder of its own."""
    return Job(
        trial=trial,
        metric=small.search.metric,
        directory=str(tmp_path / "trials" / trial.id),
        scratch=str(tmp_path / "ray"),
        context={"study": "small", "versions": versions()},
    )


@pytest.fixture(scope="session")
def embedded_interhand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with an InterHand-like embedded data set `raw` of 30 poses and its store `store`."""
    folder = tmp_path_factory.mktemp("embedded-interhand")
    generate_interhand(folder / "raw", poses=30, cameras=2, workers=1)
    open_or_build_store(
        RawFolder(root=folder / "raw", dataset="interhand"),
        folder / "store",
        StoreOptions(name="synthetic_interhand"),
        processes=1,
    )
    return folder


@pytest.fixture(scope="session")
def transfer_overrides(embedded: Path, embedded_interhand: Path) -> tuple[str, ...]:
    """What makes a transfer study of both data sets the smallest that goes all the way."""
    return (
        "study.epochs=1",
        "study.images=60",
        f"data_sets.FH.root={embedded}/raw",
        f"data_sets.FH.store={embedded}/store",
        "data_sets.FH.poses=30",
        f"data_sets.IH.root={embedded_interhand}/raw",
        f"data_sets.IH.store={embedded_interhand}/store",
        "data_sets.IH.poses=30",
        "data_sets.IH.versions=2",
        "trial.pretrain.batch_size=16",
        "trial.pretrain.optimizer.warmup_epochs=0",
        "trial.probe.augmented_passes=0",
        "transfer.finetune.epochs=2",
        "transfer.finetune.batch_size=16",
        "transfer.min_steps=1",
        "transfer.pretrain_repeats=1",
    )


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A study's place in the bucket of a server that runs here, and a cache of its own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = f"endpoint_override={host}:{port}&scheme=http&region=us-east-1"
    files, _ = open_filesystem(f"s3://?{options}&allow_bucket_creation=true")
    files.create_dir("bucket")
    yield f"s3://bucket/results/small?{options}"
    files.delete_dir_contents("bucket")  # the next server of this process would serve them again
    server.stop()
