"""Follow a study: what Tune reports goes to records, Optuna, TensorBoard, Prometheus, display.

All of it runs in the driver, between Tune's events. Tune attributes callback errors to the current
trial, and would record a finished trial as failed. So the first error is stored, and ends the
study.
"""

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from ray.tune import Callback
from ray.tune.experiment import Trial as TuneTrial

from handssl import records
from handssl.records import Record
from search.observers.display import Display
from search.observers.optuna_study import OptunaMirror
from search.observers.prometheus import StudyMetrics
from search.observers.tensorboard import TensorBoardLog
from search.storage.disk import environment_error_in_traceback
from search.storage.folder import Folder, cached_copy
from search.trials.build_record import record_of, rung_of, write_record
from search.trials.trial import Job

Hook = TypeVar("Hook", bound=Callable[..., None])


def _store_first_error(hook: Hook) -> Hook:
    """Store the first error of a hook in `error`; after one, hooks do nothing."""

    @functools.wraps(hook)
    def wrapped(self: "StudyWatch", *args: Any, **kwargs: Any) -> None:
        if self.error is None:
            try:
                hook(self, *args, **kwargs)
            except Exception as error:
                self.error = error

    return cast("Hook", wrapped)


class StudyWatch(Callback):
    """Follow the running trials.

    Attributes:
        finished: Records by trial id, those of earlier sessions included.
        running: Trials that have begun and not ended.
        error: The first error of a hook; the study must stop and report it.
    """

    def __init__(
        self,
        *,
        optuna: OptunaMirror,
        display: Display,
        metrics: StudyMetrics,
        tensorboard: TensorBoardLog,
        finished: dict[str, Record],
    ) -> None:
        self._optuna = optuna
        self._display = display
        self._metrics = metrics
        self._tensorboard = tensorboard
        self._created = time.monotonic()
        self._started: dict[str, float] = {}
        self.finished = finished
        self.running: set[str] = set()
        self.error: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks for a restore that we never use."""
        return {}

    @_store_first_error
    def on_trial_start(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """A trial starts, for the first time or after the loss of its worker."""
        job = _job(trial)
        if job.trial.kind == "baseline":
            self.running.add(job.trial.id)
            return
        if job.trial.id not in self._started:
            self._started[job.trial.id] = time.monotonic()
            # The record of a failure that is being retried is not that of the new outcome.
            cached_copy(job.directory).remove("record.json")
        self.running.add(job.trial.id)
        self._optuna.mark_running(job.trial)
        self._tensorboard.start(job)
        self._write_missing(job)
        self._display.started(job.trial.id)

    @_store_first_error
    def on_trial_result(
        self,
        iteration: int,
        trials: list[TuneTrial],
        trial: TuneTrial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """A report of one epoch, or the last one."""
        job = _job(trial)
        if job.trial.kind == "baseline" or (result.get("done") and "status" in result):
            return  # on_trial_complete follows, and reads the record
        value = rung_of(result, job.metric).get(job.metric.name)
        if value is not None:
            self._optuna.report(job.trial, result["epoch"], value)
        if result["epoch"] > self._tensorboard.epochs(job.trial.id) + 1:
            self._write_missing(job)
        self._tensorboard.write(job.trial.id, result, job.metric)
        self._tensorboard.flush(job.trial.id)
        point = job.trial.point
        self._metrics.report(job.trial.id, point.objective, point.composition, result)
        # The probe follows the last epoch and counts as one.
        self._display.reported(job.trial.id, result["epoch"] / (job.trial.epochs + 1))

    @_store_first_error
    def on_trial_complete(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """A trial ended with its record, or was stopped early and gets one."""
        job = _job(trial)
        folder = cached_copy(job.directory)
        folder.fetch("record.json")
        path = folder.local_path / "record.json"
        if job.trial.kind == "baseline":
            self.running.discard(job.trial.id)
            self._display.baseline(records.read_record(path))
            return
        if not path.exists():
            write_record(folder, record_of(job, "pruned", _rows(folder)))
        self._end(job, records.read_record(path))

    @_store_first_error
    def on_trial_error(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """A trial failed after its last retry; a failed disk stops the study."""
        job = _job(trial)
        reason = _last_failure(trial)
        if disk_failure := environment_error_in_traceback(reason):
            raise disk_failure  # the next trial would fail too
        if job.trial.kind == "baseline":  # the next session tries it again
            self.running.discard(job.trial.id)
            return
        folder = cached_copy(job.directory)
        record = record_of(job, "failed", _rows(folder), error=reason)
        write_record(folder, record)
        self._end(job, record)

    def _end(self, job: Job, record: Record) -> None:
        self.finished[job.trial.id] = record
        self.running.discard(job.trial.id)
        # A trial may fail before it starts.
        self._optuna.mark_running(job.trial)
        self._tensorboard.start(job)
        self._optuna.finish(record)
        self._metrics.ended(record)
        if record.epochs > self._tensorboard.epochs(job.trial.id):
            self._write_missing(job)
        self._tensorboard.finish(job, record)
        started = self._started.get(job.trial.id, self._created)
        self._display.ended(record, time.monotonic() - started)

    def _write_missing(self, job: Job) -> None:
        """Add epochs that were not reported to this session: earlier ones, and lost reports."""
        for row in _rows(cached_copy(job.directory)):
            self._tensorboard.write(job.trial.id, row, job.metric)
        self._tensorboard.flush(job.trial.id)


def _rows(folder: Folder) -> list[dict[str, Any]]:
    """The reports of a trial so far, from disk."""
    folder.fetch("metrics.jsonl")
    return records.read_jsonl(folder.local_path / "metrics.jsonl")


def _job(trial: TuneTrial) -> Job:
    job: Job = trial.config["job"]
    return job


def _last_failure(trial: TuneTrial) -> str:
    """The traceback of the last failure. `get_error` reads a file that Tune copies only later."""
    if trial.error_file is None:
        return "unknown"
    text = Path(trial.error_file).read_text()
    return text.rpartition("Failure # ")[2].partition("\n")[2].strip()
