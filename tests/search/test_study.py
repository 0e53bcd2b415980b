"""The whole main job at its smallest fidelity, in processes of its own, as a user starts it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import optuna
import psutil
import pyarrow.parquet as pq
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from search import records

pytestmark = pytest.mark.slow

RUN_GRID = Path(__file__).resolve().parents[2] / "search" / "run_grid.py"
T = TypeVar("T")
MAY_DIFFER = ("timings_s", "started_at", "finished_at", "git")


@pytest.fixture(scope="module")
def base(embedded: Path, smallest: tuple[str, ...]) -> list[str]:
    """The command but for its results folder."""
    return [
        sys.executable,
        str(RUN_GRID),
        *smallest,
        f"data.root={embedded}/raw",
        f"data.store={embedded}/store",
        "data.poses=30",
        "study.name=small",
        "search.augmentations=[translate,rotate]",
    ]


def run_grid(base: list[str], results: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*base, f"results={results}", *overrides],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=results,
    )


@contextmanager
def started(base: list[str], results: Path) -> Iterator[subprocess.Popen[str]]:
    """The command on its way; it does not outlive the block."""
    with subprocess.Popen(
        [*base, f"results={results}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=results,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def await_that(process: subprocess.Popen[str], found: Callable[[], T]) -> T:
    """Wait until something is found while the process runs; returns it."""
    deadline = time.monotonic() + 300
    while not (result := found()):
        assert time.monotonic() < deadline
        assert process.poll() is None, "it ended too early"
        time.sleep(0.02)
    return result


def trial_workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The actors that run trials: Ray titles a process with its actor's class."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found += [child] if "ActorTrial" in child.name() else []
    return found


def table(results: Path) -> list[dict[str, object]]:
    """trials.parquet without what two runs of the same study may differ in."""
    rows = pq.read_table(results / "small" / "trials.parquet").to_pylist()
    return [{key: row[key] for key in row if not key.startswith(MAY_DIFFER)} for row in rows]


@pytest.fixture(scope="module")
def undisturbed(base: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a study that ran from start to end."""
    results = tmp_path_factory.mktemp("undisturbed")
    done = run_grid(base, results)
    assert done.returncode == 0, done.stderr
    assert "complete: 6 trials" in done.stdout
    return results


def test_a_study_leaves_records_tables_tensorboard_and_an_optuna_study(undisturbed: Path) -> None:
    folder = undisturbed / "small"
    found = records.read_records(folder)
    assert len(found) == 6
    assert {record["status"] for record in found.values()} == {"finished"}
    assert [row["trial"] for row in table(undisturbed)] == sorted(found)
    plan = records.read_record(folder / "study.json")["plan"]
    assert {row["trial"] for row in plan} == set(found)
    study = optuna.load_study(study_name="small", storage=f"sqlite:///{folder}/optuna.db")
    assert sorted(t.user_attrs["trial"] for t in study.trials) == sorted(found)
    assert all(t.state.name == "COMPLETE" for t in study.trials)
    for trial in found:
        events = EventAccumulator(str(folder / "tensorboard" / trial)).Reload()
        assert [e.step for e in events.Scalars("pretrain/loss")] == [5, 10]
        assert (folder / "tensorboard" / trial / "hparams").is_dir()
    assert not (folder / "ray").exists()
    assert not list(folder.rglob("checkpoint.pt"))


def test_running_it_again_runs_nothing(base: list[str], undisturbed: Path) -> None:
    before = {p: p.read_bytes() for p in (undisturbed / "small" / "trials").rglob("record.json")}
    done = run_grid(base, undisturbed)
    assert done.returncode == 0, done.stderr
    assert "6 trials, 6 already finished" in done.stdout
    assert {p: p.read_bytes() for p in before} == before


def test_a_study_killed_in_the_middle_ends_with_the_same_table(
    base: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    trials = tmp_path / "small" / "trials"
    with started(base, tmp_path) as process:
        await_that(
            process,
            lambda: list(trials.glob("*/record.json")) and list(trials.glob("*/checkpoint.pt")),
        )
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=180)
    assert not alive, "Ray's processes outlived their driver"
    finished = len(list(trials.glob("*/record.json")))
    assert finished < 6

    done = run_grid(base, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{finished} already finished" in done.stdout
    assert table(tmp_path) == table(undisturbed)
    study = optuna.load_study(study_name="small", storage=f"sqlite:///{tmp_path}/small/optuna.db")
    assert [t.state.name for t in study.trials] == ["COMPLETE"] * 6
    assert len({t.user_attrs["hash"] for t in study.trials}) == 6


def test_ctrl_c_ends_in_order_and_says_how_to_continue(
    base: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    with started(base, tmp_path) as process:
        await_that(process, lambda: list(tmp_path.glob("small/trials/*/record.json")))
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "run the same command again to continue" in out
    assert not (tmp_path / "small" / "ray").exists()
    assert 1 <= len(table(tmp_path)) < 6
    assert len(table(tmp_path)) == len(records.read_records(tmp_path / "small"))

    done = run_grid(base, tmp_path)
    assert done.returncode == 0, done.stderr
    assert table(tmp_path) == table(undisturbed)


def test_a_trial_whose_worker_is_killed_continues_to_the_same_record(
    base: list[str], tmp_path: Path
) -> None:
    # Many epochs: there is time to kill the worker between the first checkpoint and the record.
    long = [*base, "search.augmentations=[rotate]", "search.concurrent=1", "study.epochs=40"]
    (tmp_path / "killed").mkdir()
    (tmp_path / "not").mkdir()
    with started(long, tmp_path / "killed") as process:
        checkpoints = (tmp_path / "killed").glob
        await_that(process, lambda: list(checkpoints("small/trials/*/checkpoint.pt")))
        await_that(process, lambda: trial_workers(process))[0].kill()
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    done = run_grid(long, tmp_path / "not")
    assert done.returncode == 0, done.stderr
    assert len(table(tmp_path / "killed")) == 2
    assert table(tmp_path / "killed") == table(tmp_path / "not")


def test_two_workers_under_ray_train_give_the_loss_curve_of_one_actor(
    base: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    overrides = ["search.augmentations=[rotate]", "cluster.cpus=2", "trial.workers=2"]
    done = run_grid(base, tmp_path, *overrides)
    assert done.returncode == 0, done.stderr
    both = records.read_records(tmp_path / "small")
    assert len(both) == 2
    for trial, record in both.items():
        assert record["status"] == "finished"
        curve, single = (
            [
                loss
                for row in records.read_jsonl(results / "small/trials" / trial / "metrics.jsonl")
                for loss in row["losses"]
            ]
            for results in (tmp_path, undisturbed)
        )
        # The same to rounding at first; from then on every step multiplies the rounding.
        assert curve[0] == pytest.approx(single[0], rel=1e-5)
        assert curve[1] == pytest.approx(single[1], rel=1e-3)
        assert curve == pytest.approx(single, rel=1e-2)


def test_a_diverging_trial_fails_with_its_circumstances_while_asymmetric_others_go_on(
    base: list[str], tmp_path: Path
) -> None:
    hot = "{name: adam, base_lr: 1e30, warmup_epochs: 0}"
    done = run_grid(
        base,
        tmp_path,
        "search.augmentations=[rotate]",
        "search.second_view=translate",
        f"+search.objectives.hot={{name: contrastive, pretrain: {{optimizer: {hot}}}}}",
    )
    assert done.returncode == 1, done.stderr
    assert "1 of 3 trials failed" in done.stdout
    by_label = {r["objective"]: r for r in records.read_records(tmp_path / "small").values()}
    assert {label: record["status"] for label, record in by_label.items()} == {
        "relative": "finished",
        "contrastive": "finished",
        "hot": "failed",
    }
    error = by_label["hot"]["error"]
    assert error["type"] == "NonFiniteLossError"
    assert error["step"] > 0
    assert error["last_finite_loss"] > 0
    assert "encoder.layer1" in error["parameter_norms"]
    assert {record["composition"] for record in by_label.values()} == {"Ro/T"}
    folder = tmp_path / "small" / "trials" / by_label["relative"]["trial"]
    terms = records.read_jsonl(folder / "metrics.jsonl")[-1]["terms"]
    # One view is turned, the other shifted: each is told from the other's neutral parameters.
    assert {"error/rotate_deg", "error/translate_frac"} <= terms.keys()


def test_a_sampled_search_stops_early_and_runs_the_best_again(
    base: list[str], tmp_path: Path
) -> None:
    overrides = [
        "search=tpe",
        "search.trials=5",
        "study.epochs=3",
        "search.early_stopping.reduction=2",
        "search.second_stage.best=1",
        "search.second_stage.seeds=2",
    ]
    done = run_grid(base, tmp_path, *overrides)
    assert done.returncode == 0, done.stderr
    found = records.read_records(tmp_path / "small")
    first = [record for record in found.values() if record["stage"] == 1]
    second = [record for record in found.values() if record["stage"] == 2]
    assert len(first) == 5
    assert len(second) == 2
    for record in first:
        rungs = [rung["epoch"] for rung in record["rungs"]]
        assert record["status"] in ("finished", "pruned")
        assert rungs == ([1, 2] if record["status"] == "finished" else [1, 2][: record["epochs"]])
    best = min(
        (r for r in first if r["status"] == "finished"),
        key=lambda r: r["metrics"]["median_pje_cm"],
    )
    for record in second:
        assert record["status"] == "finished"
        assert record["point"] | {"repeat": 0} == best["point"] | {"repeat": 0}
    stored = optuna.load_study(
        study_name="small", storage=f"sqlite:///{tmp_path}/small/optuna.db"
    ).trials
    states = {"finished": "COMPLETE", "pruned": "PRUNED"}
    assert {t.user_attrs["trial"]: t.state.name for t in stored if "trial" in t.user_attrs} == {
        trial: states[record["status"]] for trial, record in found.items()
    }

    again = run_grid(base, tmp_path, *overrides)
    assert again.returncode == 0, again.stderr
    assert records.read_records(tmp_path / "small") == found


def test_the_analysis_reads_what_the_search_wrote(undisturbed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "analysis", str(undisturbed / "small")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (undisturbed / "small" / "analysis" / "report.html").stat().st_size > 10_000
