"""A thousand trials that do nothing: what scheduling costs, and resuming after them.

A whole study of `search.studies`, with its records, Optuna view, TensorBoard and display, whose
executor is replaced by an actor that writes a record and ends: what is left is the search's own
work and Ray's. Then the command itself is run again on the thousand records. CPU time is the
driver's; wall times depend on whatever else the machine does.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

# This folder is a script's, not an installed package's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ray import tune
from rich.console import Console

from benchmarks.figure import ROOT, Row, row
from benchmarks.hands import POSES, data_config, embedded
from handssl.records import OBJECTIVE
from search.cluster import tune as tuning
from search.config.compose import compose_config
from search.config.schema import TrialConfig
from search.storage.folder import scratch_copy
from search.studies import run
from search.studies.grid import run_grid
from search.trials.build_record import record_of, write_record
from search.trials.trial import Job, Outcome

_POINTS = 30


class _Nothing(tune.Trainable):
    """A trial that is over with its first step."""

    def setup(self, config: dict[str, Any]) -> None:
        self._job: Job = config["job"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        error_cm = 10 + self._job.trial.seed % 1000 / 100
        record = record_of(
            self._job, "finished", [], outcome=Outcome(metrics={OBJECTIVE: error_cm})
        )
        write_record(scratch_copy(self._job.directory), record)
        return {
            "trial": self._job.trial.id,
            "done": True,
            "status": "finished",
            "epoch": self._job.trial.epochs,
            OBJECTIVE: error_cm,
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing; Tune asks at the end of a trial."""


def _trainable(trial: TrialConfig) -> type[tune.Trainable]:
    return cast("type[tune.Trainable]", tune.with_resources(_Nothing, {"CPU": trial.cpus}))


def _memory_kb(what: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0])


def schedule(overrides: Sequence[str]) -> dict[str, float]:
    """Run the study in this process; how long Tune ran, and what it took of the driver."""
    found: dict[str, float] = {}
    run_jobs = run.run_jobs  # type: ignore[attr-defined]

    def timed(*arguments: Any, **options: Any) -> bool:
        found["before_kb"] = _memory_kb("VmRSS")
        wall, cpu = time.perf_counter(), time.process_time()
        complete: bool = run_jobs(*arguments, **options)
        found["wall_s"] = found.get("wall_s", 0) + time.perf_counter() - wall
        found["cpu_s"] = found.get("cpu_s", 0) + time.process_time() - cpu
        return complete

    config = compose_config(overrides)
    tuning.actor_trainable = _trainable  # type: ignore[attr-defined]
    run.run_jobs = timed  # type: ignore[attr-defined]
    status = run_grid(config, console=Console(stderr=True), overrides=overrides)
    if status:
        raise RuntimeError(f"the study ended with {status}")
    return found | {"peak_kb": _memory_kb("VmHWM")}


def _run(*command: str) -> tuple[str, float]:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout, time.perf_counter() - start


def measure(*, quick: bool = False) -> list[Row]:
    """Trials a second, the driver's CPU time and memory, and the time of a resume."""
    repeats = 2 if quick else 34
    trials = repeats * _POINTS
    embedded(quick=True)
    data = data_config(quick=True)
    with tempfile.TemporaryDirectory() as results:
        overrides = [
            f"results={results}",
            "study.name=nothing",
            f"data.root={data.root}",
            f"data.store={data.store}",
            f"data.poses={POSES[True]}",
            "study.images=null",
            f"search.repeats={repeats}",
        ]
        said, _ = _run(str(Path(__file__)), *overrides)
        found: Mapping[str, float] = json.loads(said.splitlines()[-1])
        again, resumed_s = _run(str(ROOT / "search" / "run_grid.py"), *overrides)
    if f"complete: {trials} trials" not in again:
        raise RuntimeError(f"the study was not complete: {again[-500:]}")
    return [
        row(f"{trials:,} trials: trials a second, start to last record", trials / found["wall_s"]),
        row(f"{trials:,} trials: driver, a trial", 1000 * found["cpu_s"] / trials, "CPU-ms"),
        row(f"{trials:,} trials: driver, peak memory", found["peak_kb"] / 2**20, "GB"),
        row(
            f"{trials:,} trials: of that, while they ran",
            (found["peak_kb"] - found["before_kb"]) / 2**10,
            "MB",
        ),
        row(f"{trials:,} finished records: the same command again, to its end", resumed_s, "s"),
    ]


if __name__ == "__main__":
    print(json.dumps(schedule(sys.argv[1:])))
