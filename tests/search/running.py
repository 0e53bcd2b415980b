"""The main job in a process of its own, as a user starts it, and what its folder holds."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import optuna
import psutil
import pyarrow.parquet as pq

from handssl import records

RUN_GRID = Path(__file__).resolve().parents[2] / "search" / "run_grid.py"
MAY_DIFFER = ("timings_s", "started_at", "finished_at", "git", "images_per_s")
"""What two runs of the same study may differ in."""

_MARK = "HANDSSL_TEST_STUDY"
"""In the environment of a command, and so of all that it starts."""

_marks: dict[int, str] = {}

T = TypeVar("T")


def six_trials(embedded: Path, smallest: Sequence[str]) -> list[str]:
    """Overrides of a study of six trials on synthetic hands."""
    data = [f"data.root={embedded}/raw", f"data.store={embedded}/store", "data.poses=30"]
    return [*smallest, *data, "search.augmentations=[translate,rotate]"]


def command(embedded: Path, smallest: Sequence[str]) -> list[str]:
    """The command of that study, but for its results folder."""
    dashboard = "cluster.dashboard=false"  # the train executor needs it, and takes seconds more
    overrides = [*six_trials(embedded, smallest), "study.name=small", dashboard]
    return [sys.executable, str(RUN_GRID), *overrides]


def run_grid(base: list[str], results: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*base, f"results={results}", *overrides],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        cwd=results,
    )


@contextmanager
def started(
    base: list[str], results: Path, *overrides: str, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The command on its way, in a process group of its own; it does not outlive the block."""
    mark = uuid.uuid4().hex
    with subprocess.Popen(
        [*base, f"results={results}", *overrides],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=results,
        env={**(environment or os.environ), _MARK: mark},
        start_new_session=True,
    ) as process:
        _marks[process.pid] = mark
        try:
            yield process
        finally:
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command_has(process: psutil.Process, text: str) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any(text in part for part in process.cmdline())
    return False


def await_that(process: subprocess.Popen[str], found: Callable[[], T]) -> T:
    """Wait until something is found while the process runs; returns it."""
    deadline = time.monotonic() + 300
    while not (result := found()):
        assert time.monotonic() < deadline
        assert process.poll() is None, f"it ended too early: {process.communicate()}"
        time.sleep(0.05)
    return result


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """All that the command started and that still runs, also what has lost its parent."""
    found = []
    mark = _marks[process.pid]
    for other in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if other.pid != process.pid and other.environ().get(_MARK) == mark:
                found.append(other)
    return found


def named(processes: Sequence[psutil.Process], part: str) -> list[psutil.Process]:
    """Those whose title has this in it: Ray titles a process with its actor's class."""
    found = []
    for child in processes:
        with suppress(psutil.NoSuchProcess):
            found += [child] if part in child.name() or part in " ".join(child.cmdline()) else []
    return found


def trial_workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The actors that run trials."""
    return [
        child
        for child in children(process)
        if named([child], "ActorTrial") or named([child], "Trainable.train")
    ]


def interrupt(process: subprocess.Popen[str]) -> None:
    """Ctrl-C, as a terminal sends it: to the whole process group."""
    os.killpg(process.pid, signal.SIGINT)


def timeless(value: Any) -> Any:
    """A record or reports without what two runs of the same trial may differ in."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in MAY_DIFFER}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def record_and_rows(folder: Path) -> tuple[Any, Any]:
    """A trial's record and its reports without what two runs of it may differ in."""
    record = records.read_record(folder / "record.json").to_dict()
    return timeless(record), timeless(records.read_jsonl(folder / "metrics.jsonl"))


def table(results: Path) -> list[dict[str, object]]:
    """trials.parquet without what two runs of the same study may differ in."""
    rows = pq.read_table(results / "small" / "trials.parquet").to_pylist()
    return [{key: row[key] for key in row if not key.startswith(MAY_DIFFER)} for row in rows]


def curves(results: Path) -> dict[str, list[dict[str, Any]]]:
    """Each trial's reports without what two runs of it may differ in."""
    return {
        path.parent.name: timeless(records.read_jsonl(path))
        for path in sorted((results / "small" / "trials").glob("*/metrics.jsonl"))
    }


def errors_by_joint(results: Path) -> dict[str, tuple[list[Any], list[Any]]]:
    """Each trial's validation errors and the groups of their images."""
    found = {}
    for path in sorted((results / "small" / "trials").glob("*/errors.npz")):
        with np.load(path) as file:
            found[path.parent.name] = (file["error_cm"].tolist(), file["group"].tolist())
    return found


def assert_same_outcome(results: Path, undisturbed: Path) -> None:
    """Two folders of the same study hold the same numbers, bit for bit."""
    assert table(results) == table(undisturbed)
    assert curves(results) == curves(undisturbed)
    assert errors_by_joint(results) == errors_by_joint(undisturbed)


def assert_complete(results: Path, *, trials: int) -> None:
    """A study has all its trials once, whole, shown in Optuna as they ended, and nothing else."""
    folder = results / "small"
    found = records.read_records(folder)
    assert len(found) == trials
    assert len({record.hash for record in found.values()}) == trials
    assert [row["trial"] for row in table(results)] == sorted(found)
    for trial, record in found.items():
        rows = records.read_jsonl(folder / "trials" / trial / "metrics.jsonl")
        assert [row["epoch"] for row in rows] == list(range(1, record.epochs + 1))
        assert (folder / "trials" / trial / "errors.npz").exists() == (record.status == "finished")

    states = {"finished": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    shown = [
        (trial.user_attrs["trial"], trial.state.name)
        for trial in stored(results)
        if "trial" in trial.user_attrs and trial.state.name != "FAIL"
    ]
    assert sorted(shown) == sorted(
        (trial, states[record.status])
        for trial, record in found.items()
        if record.status != "failed"
    )
    assert "RUNNING" not in {trial.state.name for trial in stored(results)}

    hidden = {path.name for path in folder.rglob(".*")}
    assert hidden <= {".lock"}, "halves of files were left"
    assert not (folder / "ray").exists()
    checkpoints = {path.parent.name for path in folder.rglob("checkpoint.pt")}
    assert {found[trial].status for trial in checkpoints} <= {"failed"}


def stored(results: Path) -> list[optuna.trial.FrozenTrial]:
    """The study's trials in Optuna."""
    url = f"sqlite:///{results}/small/optuna.db"
    return optuna.load_study(study_name="small", storage=url).trials


def assert_all_end(processes: Sequence[psutil.Process]) -> None:
    """No process of a killed driver outlives it for long."""
    _, alive = psutil.wait_procs(processes, timeout=180)
    assert not alive, f"Ray's processes outlived their driver: {alive}"
