"""The record of a trial, from its reports."""

import dataclasses
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from handssl import records
from handssl.atomic import remove_partial
from handssl.errors import NonFiniteLossError
from handssl.evaluation import Evaluated
from handssl.records import OBJECTIVE, Failure, Record, Rung, Status
from handssl.training import EpochReport
from search.config.metric import SearchMetric
from search.config.typed import to_dict
from search.storage.folder import Folder
from search.trials.trial import Job, Outcome

_PARTS = ("encoder", "augment", "data", "objective", "optimizer", "probe", "checkpoint")
_NO_OUTCOME = Outcome(metrics={})


def epoch_row(epoch: EpochReport, **columns: Any) -> dict[str, Any]:
    """An epoch's report as a line of `metrics.jsonl`."""
    row = {field.name: getattr(epoch, field.name) for field in dataclasses.fields(epoch)}
    return {**row, **columns, "terms": dict(epoch.terms), "timings_s": dict(epoch.timings_s)}


def rung_of(row: Mapping[str, Any], metric: SearchMetric) -> dict[str, float]:
    """The default metric and the one that the search optimises; empty if no probe ran."""
    if OBJECTIVE not in row:
        return {}
    return {name: row[name] for name in (OBJECTIVE, metric.name) if name in row}


def record_of(
    job: Job,
    status: Status,
    rows: Sequence[Mapping[str, Any]],
    *,
    outcome: Outcome = _NO_OUTCOME,
    finish_s: Mapping[str, float] | None = None,
    started_at: str | None = None,
    error: BaseException | str | None = None,
) -> Record:
    """The record of a trial that has ended.

    Args:
        job: The trial in its study.
        status: How it ended.
        rows: Its reports in epoch order; their timings are summed.
        outcome: Its metrics, if it finished.
        finish_s: Seconds by part after the last epoch.
        started_at: When this run of it began.
        error: The reason of a failure: the exception, or a traceback as text.
    """
    trial = job.trial
    last = rows[-1] if rows else {"epoch": 0, "step": 0, "encoder_steps": 0}
    timings = [row["timings_s"] for row in rows] + ([finish_s] if finish_s else [])
    return Record(
        kind=trial.kind,
        trial=trial.id,
        hash=trial.hash,
        status=status,
        seed=trial.seed,
        repeat=trial.point.repeat,
        stage=trial.stage,
        point=to_dict(trial.point),
        composition=trial.point.composition,
        objective=trial.point.objective,
        config=trial.settings(),
        transfer=trial.transfer,
        pretraining=trial.pretraining,
        metrics=dict(outcome.metrics),
        evaluations=dict(outcome.evaluations),
        rungs=tuple(
            Rung(epoch=row["epoch"], step=row["step"], metrics=rung)
            for row in rows
            if (rung := rung_of(row, job.metric))
        ),
        epochs=last["epoch"],
        steps=last["step"],
        encoder_steps=last["encoder_steps"],
        timings_s=_sum_timings(timings),
        error=_failure(error),
        started_at=started_at or records.now(),
        finished_at=records.now(),
        **job.context,
    )


def write_errors(folder: Folder, name: str, result: Evaluated) -> None:
    """Write predictions and validation errors, joint by joint, in the trial's folder."""
    records.write_npz(folder.local_path / name, **result.arrays())


def write_record(folder: Folder, record: Record) -> None:
    """Write the record last, and delete the files that only served to get here."""
    records.write_json(folder.local_path / "record.json", record.to_dict())
    remove_partial(folder.local_path)
    folder.put("metrics.jsonl", "errors.npz", "encoder.safetensors", "record.json")
    if record.status != "failed":  # a retry may continue from it
        folder.remove("checkpoint.pt")


def _sum_timings(timings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Seconds by part, summed over the reports; overhead is the time outside all parts."""
    parts = {part: sum(seconds.get(part, 0.0) for seconds in timings) for part in _PARTS}
    total = sum(seconds["total"] for seconds in timings)
    return {"total": total, **parts, "overhead": total - sum(parts.values())}


def _failure(error: BaseException | str | None) -> Failure | None:
    if error is None:
        return None
    if isinstance(error, str):
        lines = error.strip().splitlines() or ["unknown"]
        kind, _, message = lines[-1].partition(": ")
        if not kind.replace(".", "").isidentifier():  # Ray's prose about a process that died
            kind, message = "unknown", lines[-1]
        return Failure(type=kind, message=message, traceback=error)
    details: dict[str, Any] = {}
    if isinstance(error, NonFiniteLossError):
        details = {
            "step": error.step,
            "last_finite_loss": error.last_finite_loss,
            "parameter_norms": error.parameter_norms,
        }
    return Failure(
        type=type(error).__name__,
        message=str(error),
        traceback="".join(traceback.format_exception(error)),
        details=details,
    )
