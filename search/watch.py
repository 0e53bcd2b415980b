"""Watching a study: what Tune reports becomes records, the Optuna view, TensorBoard and a display.

Everything here runs in the driver, between Tune's events, and must never bring the study down.
"""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial as TuneTrial
from tensorboardX import SummaryWriter

from search import records
from search.bridge import OptunaView
from search.display import Display
from search.metrics import StudyMetrics
from search.records import OBJECTIVE, Record
from search.trial import TrialJob, record_of, write_record

__all__ = ["StudyWatch"]


class StudyWatch(Callback):
    """Follows the running trials.

    Args:
        optuna: The study's Optuna view.
        display: Where progress is shown.
        metrics: Ray's metrics of the study.
        tensorboard: Folder of the event files, one folder a trial.
        finished: Records that existed before; those that end are added.

    Attributes:
        finished: Records by trial id.
        running: Trials that have begun and not ended.
    """

    def __init__(
        self,
        *,
        optuna: OptunaView,
        display: Display,
        metrics: StudyMetrics,
        tensorboard: Path,
        finished: dict[str, Record],
    ) -> None:
        self._optuna = optuna
        self._display = display
        self._metrics = metrics
        self._tensorboard = tensorboard
        self._writers: dict[str, SummaryWriter] = {}
        self._written: dict[str, int] = {}
        self._begun = time.monotonic()
        self._started: dict[str, float] = {}
        self.finished = finished
        self.running: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks for a restore that never happens."""
        return {}

    def on_trial_start(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """A trial got its resources; a restart of one that lost its worker comes here too."""
        job = _job(trial)
        if job.trial.id not in self._started:
            self._started[job.trial.id] = time.monotonic()
            # A failure that is being tried again has a record already, which must not be taken
            # for the new outcome.
            (Path(job.directory) / "record.json").unlink(missing_ok=True)
        self.running.add(job.trial.id)
        self._optuna.begin(job.trial)
        self._write_scalars(job)
        self._display.started(job.trial.id)

    def on_trial_result(
        self,
        iteration: int,
        trials: list[TuneTrial],
        trial: TuneTrial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """A report: one more epoch, or the end."""
        job = _job(trial)
        if result.get("done") and "status" in result:
            return  # on_trial_complete follows, and reads the record
        if OBJECTIVE in result:
            self._optuna.report(job.trial, result["epoch"], result[OBJECTIVE])
        self._write_scalars(job)
        point = job.trial.point
        self._metrics.report(job.trial.id, point.objective, point.composition, result)
        # The probe comes after the last epoch, and counts as one more.
        share = result["epoch"] / (job.trial.pretrain.epochs + 1)
        self._display.reported(job.trial.id, share)

    def on_trial_complete(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """A trial ended by itself (its record is there) or was stopped early (it is not yet)."""
        job = _job(trial)
        path = Path(job.directory) / "record.json"
        if not path.exists():
            rows = records.read_jsonl(Path(job.directory) / "metrics.jsonl")
            write_record(job, record_of(job, "pruned", rows))
        self._ended(job, records.read_record(path))

    def on_trial_error(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """A trial failed for the last time: its record says why."""
        job = _job(trial)
        rows = records.read_jsonl(Path(job.directory) / "metrics.jsonl")
        reason = trial.get_error()
        record = record_of(job, "failed", rows, error=str(reason) if reason else "unknown")
        write_record(job, record)
        self._ended(job, record)

    def _ended(self, job: TrialJob, record: Record) -> None:
        self.finished[job.trial.id] = record
        self.running.discard(job.trial.id)
        self._optuna.begin(job.trial)  # it may have failed before it could start
        self._optuna.end(record)
        self._metrics.ended(record)
        self._write_scalars(job)
        writer = self._writers.pop(job.trial.id)
        if record["status"] == "finished":
            writer.add_hparams(
                {
                    "objective": record["objective"],
                    "composition": record["composition"],
                    "lr": job.trial.pretrain.optimizer.base_lr,
                    "temperature": job.trial.pretrain.objective.temperature,
                    "repeat": record["repeat"],
                },
                {f"probe/{name}": value for name, value in record["metrics"].items()},
                name="hparams",
                global_step=record["steps"],
            )
        writer.close()
        self._display.ended(
            record, time.monotonic() - self._started.get(job.trial.id, self._begun)
        )

    def _write_scalars(self, job: TrialJob) -> None:
        """Bring the trial's event file up to its reports on disk.

        The first call in a run begins the file anew, so that a resume leaves no scar.
        """
        if job.trial.id not in self._writers:
            folder = self._tensorboard / job.trial.id
            shutil.rmtree(folder, ignore_errors=True)
            self._writers[job.trial.id] = SummaryWriter(str(folder))
            self._written[job.trial.id] = 0
        for row in records.read_jsonl(Path(job.directory) / "metrics.jsonl"):
            if row["epoch"] > self._written[job.trial.id]:
                _scalars(self._writers[job.trial.id], row)
                self._written[job.trial.id] = row["epoch"]


def _job(trial: TuneTrial) -> TrialJob:
    job: TrialJob = trial.config["job"]
    return job


def _scalars(writer: SummaryWriter, row: Mapping[str, Any]) -> None:
    step = row["step"]
    for name in ("loss", "lr", "images_per_s"):
        writer.add_scalar(f"pretrain/{name}", row[name], step)
    for name, value in row["terms"].items():
        writer.add_scalar(f"pretrain/{name}", value, step)
    if OBJECTIVE in row:
        writer.add_scalar(f"probe/{OBJECTIVE}", row[OBJECTIVE], step)
