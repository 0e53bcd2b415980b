"""Watching a study: what Tune reports becomes records, the Optuna view, TensorBoard and a display.

Everything here runs in the driver, between Tune's events. An error here is nobody's trial's: Tune
would take it for one, and record a finished trial as failed. So it is kept, and ends the study.
"""

import functools
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from ray.tune import Callback
from ray.tune.experiment import Trial as TuneTrial
from tensorboardX import SummaryWriter

from handssl import records
from handssl.records import Record
from search.config.metric import SearchMetric
from search.observers.display import Display
from search.observers.optuna_study import OptunaView
from search.observers.prometheus import StudyMetrics
from search.storage.disk import environment_error_in_traceback
from search.storage.folder import Folder, cached_copy
from search.trials.build_record import record_of, rung_of, write_record
from search.trials.trial import Job, Trial

_PENDING = 1_000_000
"""Scalars that may wait for the thread that writes them; more than a trial has."""

Hook = TypeVar("Hook", bound=Callable[..., None])


def _keeping_errors(hook: Hook) -> Hook:
    """A hook that keeps its first error in `error`; after one, no hook does anything."""

    @functools.wraps(hook)
    def kept(self: "StudyWatch", *args: Any, **kwargs: Any) -> None:
        if self.error is None:
            try:
                hook(self, *args, **kwargs)
            except Exception as error:
                self.error = error

    return cast("Hook", kept)


class StudyWatch(Callback):
    """Follows the running trials.

    Args:
        optuna: The study's Optuna view.
        display: Where progress is shown.
        metrics: Ray's metrics of the study.
        tensorboard: Folder of the event files, one folder a trial.
        views: Draws the views of a trial, (H, W, 3) uint8; None if it has none.
        finished: Records that existed before; those that end are added.

    Attributes:
        finished: Records by trial id.
        running: Trials that have begun and not ended.
        error: What went wrong here; the study must stop, and say so.
    """

    def __init__(
        self,
        *,
        optuna: OptunaView,
        display: Display,
        metrics: StudyMetrics,
        tensorboard: Path,
        views: Callable[[Trial], NDArray[np.uint8] | None],
        finished: dict[str, Record],
    ) -> None:
        self._optuna = optuna
        self._display = display
        self._metrics = metrics
        self._tensorboard = tensorboard
        self._views = views
        self._writers: dict[str, SummaryWriter] = {}
        self._written: dict[str, int] = {}
        self._begun = time.monotonic()
        self._started: dict[str, float] = {}
        self.finished = finished
        self.running: set[str] = set()
        self.error: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks for a restore that never happens."""
        return {}

    @_keeping_errors
    def on_trial_start(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """A trial got its resources; a restart of one that lost its worker comes here too."""
        job = _job(trial)
        if job.trial.id not in self._started:
            self._started[job.trial.id] = time.monotonic()
            # A failure that is being tried again has a record already, which must not be taken
            # for the new outcome.
            cached_copy(job.directory).remove("record.json")
        self.running.add(job.trial.id)
        self._optuna.begin(job.trial)
        self._write_scalars(job)
        self._display.started(job.trial.id)

    @_keeping_errors
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
        value = rung_of(result, job.metric).get(job.metric.name)
        if value is not None:
            self._optuna.report(job.trial, result["epoch"], value)
        self._write_scalars(job)
        point = job.trial.point
        self._metrics.report(job.trial.id, point.objective, point.composition, result)
        # The probe comes after the last epoch, and counts as one more.
        share = result["epoch"] / (job.trial.epochs + 1)
        self._display.reported(job.trial.id, share)

    @_keeping_errors
    def on_trial_complete(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """A trial ended by itself (its record is there) or was stopped early (it is not yet)."""
        job = _job(trial)
        folder = cached_copy(job.directory)
        folder.fetch("record.json")
        path = folder.local_path / "record.json"
        if not path.exists():
            write_record(folder, record_of(job, "pruned", _rows(folder)))
        self._ended(job, records.read_record(path))

    @_keeping_errors
    def on_trial_error(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """A trial failed for the last time: its record says why.

        A full disk is not the trial's failure, and the next would meet it too: the study stops.
        """
        job = _job(trial)
        reason = _last_failure(trial)
        full = environment_error_in_traceback(reason)
        if full is not None:
            raise full
        folder = cached_copy(job.directory)
        record = record_of(job, "failed", _rows(folder), error=reason)
        write_record(folder, record)
        self._ended(job, record)

    def _ended(self, job: Job, record: Record) -> None:
        self.finished[job.trial.id] = record
        self.running.discard(job.trial.id)
        self._optuna.begin(job.trial)  # it may have failed before it could start
        self._optuna.end(record)
        self._metrics.ended(record)
        self._write_scalars(job)
        writer = self._writers.pop(job.trial.id)
        if record.status == "finished":
            writer.add_hparams(
                {
                    "objective": record.objective,
                    "composition": record.composition,
                    "repeat": record.repeat,
                    **job.trial.hyperparameters(),
                },
                {f"probe/{name}": value for name, value in record.metrics.items()},
                name="hparams",
                global_step=record.steps,
            )
        writer.close()
        self._display.ended(
            record, time.monotonic() - self._started.get(job.trial.id, self._begun)
        )

    def _write_scalars(self, job: Job) -> None:
        """Bring the trial's event file up to its reports on disk.

        The first call in a run begins the file anew, so that a resume leaves no scar.
        """
        if job.trial.id not in self._writers:
            folder = self._tensorboard / job.trial.id
            shutil.rmtree(folder, ignore_errors=True)
            # Its thread dies of a full disk: with a short queue, who adds to it waits for ever.
            writer = SummaryWriter(str(folder), max_queue=_PENDING)
            self._writers[job.trial.id] = writer
            picture = self._views(job.trial)
            if picture is not None:
                writer.add_image("views", picture, 0, dataformats="HWC")
            self._written[job.trial.id] = 0
        for row in _rows(cached_copy(job.directory)):
            if row["epoch"] > self._written[job.trial.id]:
                _scalars(self._writers[job.trial.id], row, job.metric)
                self._written[job.trial.id] = row["epoch"]
        self._writers[job.trial.id].flush()  # here, where an error is seen


def _rows(folder: Folder) -> list[dict[str, Any]]:
    """A trial's reports so far."""
    folder.fetch("metrics.jsonl")
    return records.read_jsonl(folder.local_path / "metrics.jsonl")


def _job(trial: TuneTrial) -> Job:
    job: Job = trial.config["job"]
    return job


def _last_failure(trial: TuneTrial) -> str:
    """Why it failed, as text. Tune's `get_error` looks where the file has not been copied yet."""
    if trial.error_file is None:
        return "unknown"
    text = Path(trial.error_file).read_text()
    return text.rpartition("Failure # ")[2].partition("\n")[2].strip()


def _scalars(writer: SummaryWriter, row: Mapping[str, Any], metric: SearchMetric) -> None:
    step = row["step"]
    for name in ("loss", "lr", "images_per_s"):
        writer.add_scalar(f"pretrain/{name}", row[name], step)
    for name, value in row["terms"].items():
        writer.add_scalar(f"pretrain/{name}", value, step)
    for name, value in rung_of(row, metric).items():
        writer.add_scalar(f"probe/{name}", value, step)
