"""One trial from start to record: pretrain, probe, diagnose, write; the same in every executor.

`run` is a generator, so that an actor can take one report per Tune step and a Ray Train worker
can loop over it. Under an initialised process group every worker runs it; the first one probes
and writes.
"""

import dataclasses
import functools
import itertools
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import torch
import torch.distributed

from handssl import records
from handssl.data import Store, open_store
from handssl.encoders import Encoder, export_encoder
from handssl.errors import NonFiniteLossError
from handssl.evaluation import (
    DiagnosticsConfig,
    ProbeConfig,
    ProbeResult,
    diagnose,
    linear_probe,
)
from handssl.records import OBJECTIVE, Record, Status
from handssl.training import EpochReport, pretraining
from search.config.metric import SearchMetric
from search.config.typed import to_dict
from search.storage.folder import Folder, own
from search.storage.stores import local_store
from search.trials.job import Job, Report
from search.trials.resolve import Trial

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialJob:
    """All that a worker needs to run a trial, and all that its record says about the study.

    Attributes:
        trial: What to run.
        probe: How its features are judged.
        diagnostics: What else is said of them in the record.
        metric: What the search goes by.
        rungs: Epochs, besides the last, after which the probe runs too.
        may_stop: Whether a scheduler may stop it: then only rungs are reported, each with the
            metric.
        store: Path of the store, or its URI in a bucket.
        source_px: Side of its decoded images.
        images: How many of its images the study uses; None for all.
        directory: The trial's folder, or its URI in a bucket; its checkpoint and records live
            there.
        scratch: Place for what Ray writes itself.
        keep_encoder: Whether the encoder's weights stay beside the record.
        context: Fields that go into the record unchanged: study, data, versions, git.
    """

    trial: Trial
    probe: ProbeConfig
    diagnostics: DiagnosticsConfig
    metric: SearchMetric
    rungs: tuple[int, ...]
    may_stop: bool
    store: str
    source_px: int
    images: int | None
    directory: str
    scratch: str
    keep_encoder: bool
    context: Mapping[str, Any]

    @property
    def epochs(self) -> int:
        """Epochs of the pretraining."""
        return self.trial.pretrain.epochs

    def settings(self) -> dict[str, Any]:
        """What was run, as the record's `config`."""
        return to_dict(self.trial.pretrain) | {
            "probe": to_dict(self.probe),
            "diagnostics": to_dict(self.diagnostics),
            "images": self.images,
        }

    def hyperparameters(self) -> dict[str, Any]:
        """The few settings that TensorBoard compares trials by."""
        pretrain = self.trial.pretrain
        return {"lr": pretrain.optimizer.base_lr, "temperature": pretrain.objective.temperature}

    def splits(self) -> tuple[Store, Store]:
        """Training and validation images."""
        return _splits(self.store, self.source_px, self.images)

    def run(self, *, device: str) -> Iterator[Report]:
        """`run` of this job."""
        return run(self, device=device)


def run(job: TrialJob, *, device: str) -> Iterator[Report]:
    """Run a trial, from its checkpoint if it has one.

    Yields a report after each epoch, and a last one with done=True once the record is on disk. A
    loss that turns non-finite ends the trial with status "failed"; every other error is the
    executor's to handle.
    """
    folder = own(job.directory, "record.json", "metrics.jsonl", "checkpoint.pt")
    log, checkpoint = folder.local / "metrics.jsonl", folder.local / "checkpoint.pt"
    ended = _agreed(_finished(folder), device)
    if ended is not None:
        # A worker was lost between its record and its last report: nothing is run twice.
        yield _last_report(job, ended)
        return
    started_at, stopwatch = records.now(), Stopwatch()
    train, val = job.splits()
    run_of_epochs = pretraining(
        job.trial.pretrain,
        train,
        seed=job.trial.seed,
        device=device,
        resume=checkpoint if checkpoint.exists() else None,
        checkpoint=checkpoint,
    )
    writes = not _in_group() or torch.distributed.get_rank() == 0
    workers = torch.distributed.get_world_size() if _in_group() else 1
    rows = [row for row in records.read_jsonl(log) if row["epoch"] <= run_of_epochs.epoch]
    # An epoch's checkpoint comes before its row: what was killed in between is reported now.
    unreported = run_of_epochs.history[_agreed(len(rows), device) :]
    if writes:
        records.write_jsonl(log, rows)

    def probe() -> ProbeResult:
        return linear_probe(
            run_of_epochs.encoder, train, val, job.probe, device=device, seed=job.trial.seed
        )

    try:
        for epoch in itertools.chain(unreported, run_of_epochs):
            steps = run_of_epochs.encoder_steps * epoch.step // run_of_epochs.step
            row = epoch_row(epoch, encoder_steps=steps, workers=workers)
            at_rung = epoch.epoch in job.rungs and epoch.epoch < job.trial.pretrain.epochs
            if writes and at_rung and epoch.epoch == run_of_epochs.epoch:
                result = probe()
                row |= result.metrics
                row["timings_s"]["probe"] = result.timings_s["total"]
            row["timings_s"]["total"] = stopwatch.lap()
            rows.append(row)
            if writes:
                records.append_jsonl(log, row)
                folder.put("checkpoint.pt", "metrics.jsonl")
            if at_rung or not job.may_stop:
                yield {"trial": job.trial.id, "done": False, **row}
    except NonFiniteLossError as error:
        record = record_of(job, "failed", rows, started_at=started_at, error=error)
        if writes:
            write_record(folder, record)
        yield _last_report(job, record)
        return
    record = record_of(job, "finished", rows, started_at=started_at)
    if writes:
        trained = time.perf_counter()
        result = probe()
        others = diagnose(
            run_of_epochs.encoder, val, job.diagnostics, device=device, seed=job.trial.seed
        )
        _write_results(folder, job, run_of_epochs.encoder, result)
        seconds = time.perf_counter() - trained
        ending = {"timings_s": {"probe": seconds, "total": stopwatch.lap()}}
        record = record_of(
            job,
            "finished",
            [*rows, ending],
            metrics=result.metrics | others,
            started_at=started_at,
        )
        write_record(folder, record)
    yield _last_report(job, record)


def _write_results(folder: Folder, job: TrialJob, encoder: Encoder, result: ProbeResult) -> None:
    """What stays beside the record of a finished trial."""
    errors = result.error_cm.astype("float32")
    records.write_npz(folder.local / "errors.npz", error_cm=errors, group=result.groups)
    if job.keep_encoder:
        export_encoder(
            encoder, folder.local / "encoder.safetensors", size_px=job.trial.pretrain.size_px
        )


def _finished(folder: Folder) -> Record | None:
    path = folder.local / "record.json"
    record = records.read_record(path) if path.exists() else None
    return record if record and record["status"] == "finished" else None


def _last_report(job: TrialJob, record: Record) -> Report:
    value = job.metric.of(record) if record["status"] == "finished" else None
    return {
        "trial": job.trial.id,
        "done": True,
        "status": record["status"],
        "epoch": record["epochs"],
        **({} if value is None else {job.metric.name: value}),
    }


@functools.lru_cache(maxsize=1)
def _splits(path: str, source_px: int, images: int | None) -> tuple[Store, Store]:
    """Training and validation images; kept, because a reused actor runs trial after trial."""
    store = open_store(local_store(path), source_px=source_px)
    store = store if images is None else store.take(images)
    return store.split("train"), store.split("val")


def record_of(
    job: Job,
    status: Status,
    rows: Sequence[Mapping[str, Any]],
    *,
    metrics: Mapping[str, float] | None = None,
    started_at: str | None = None,
    error: BaseException | str | None = None,
) -> Record:
    """The record of a trial that has ended, from its reports.

    Args:
        job: What was run.
        status: How it ended.
        rows: Its reports in epoch order; their timings are added up.
        metrics: The probe's metrics at the end, if it got there.
        started_at: When this run of it began.
        error: What ended it, if it failed: the exception, or a traceback as text.
    """
    epochs = [row for row in rows if "step" in row]
    return {
        "schema": records.SCHEMA,
        "trial": job.trial.id,
        "hash": job.trial.hash,
        "status": status,
        "seed": job.trial.seed,
        "repeat": job.trial.point.repeat,
        "stage": job.trial.stage,
        "point": to_dict(job.trial.point),
        "composition": job.trial.point.composition,
        "objective": job.trial.point.objective,
        "config": job.settings(),
        "metrics": dict(metrics or {}),
        "rungs": [
            {"epoch": row["epoch"], "step": row["step"], **rung}
            for row in epochs
            if (rung := rung_of(row, job.metric))
        ],
        "epochs": epochs[-1]["epoch"] if epochs else 0,
        "steps": epochs[-1]["step"] if epochs else 0,
        "encoder_steps": epochs[-1]["encoder_steps"] if epochs else 0,
        "timings_s": _timings(rows),
        "error": _error(error),
        "started_at": started_at or records.now(),
        "finished_at": records.now(),
        **job.context,
    }


def write_record(folder: Folder, record: Record) -> None:
    """Put the record in place, last; what only served to get here goes: checkpoint, halves."""
    records.write_json(folder.local / "record.json", record)
    records.remove_halves(folder.local)
    folder.put("metrics.jsonl", "errors.npz", "encoder.safetensors", "record.json")
    if record["status"] != "failed":  # another try may continue from it
        folder.remove("checkpoint.pt")


def epoch_row(epoch: EpochReport, **more: Any) -> dict[str, Any]:
    """An epoch's report as a line of `metrics.jsonl`."""
    row = {f.name: getattr(epoch, f.name) for f in dataclasses.fields(epoch)}
    return {**row, **more, "terms": dict(epoch.terms), "timings_s": dict(epoch.timings_s)}


def rung_of(row: Mapping[str, Any], metric: SearchMetric) -> dict[str, float]:
    """Of a report, the study's error and what the search goes by; nothing if no probe ran."""
    if OBJECTIVE not in row:
        return {}
    return {name: row[name] for name in (OBJECTIVE, metric.name) if name in row}


_PARTS = ("encoder", "augment", "data", "objective", "optimizer", "probe", "checkpoint")


def _timings(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds by part, added up over the reports; overhead is what no part accounts for."""
    parts = {part: sum(row["timings_s"].get(part, 0.0) for row in rows) for part in _PARTS}
    total = sum(row["timings_s"]["total"] for row in rows)
    return {"total": total, **parts, "overhead": total - sum(parts.values())}


def _error(error: BaseException | str | None) -> dict[str, Any] | None:
    if error is None:
        return None
    if isinstance(error, str):
        lines = error.strip().splitlines() or ["unknown"]
        kind, _, message = lines[-1].partition(": ")
        if not kind.replace(".", "").isidentifier():  # Ray's prose about a process that died
            kind, message = "unknown", lines[-1]
        return {"type": kind, "message": message, "traceback": error}
    return {
        "type": type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
    } | (_circumstances(error) if isinstance(error, NonFiniteLossError) else {})


def _circumstances(error: NonFiniteLossError) -> dict[str, Any]:
    return {
        "step": error.step,
        "last_finite_loss": error.last_finite_loss,
        "parameter_norms": error.parameter_norms,
    }


def _in_group() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _agreed(value: T, device: str) -> T:
    """The first worker's value, on every worker: all of them do and report the same."""
    values = [value]
    if _in_group():
        torch.distributed.broadcast_object_list(values, device=torch.device(device))
    return values[0]


class Stopwatch:
    """Seconds between laps, so that every second of a trial is in exactly one report."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap, or since the start."""
        last, self._last = self._last, time.perf_counter()
        return self._last - last
