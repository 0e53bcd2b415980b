"""One trial from start to record, the same in every executor.

`execute` is a generator, so that an actor can take one report per Tune step and a Ray Train worker
can loop over it. In a process group, every worker runs it; the first one probes and writes.
"""

import functools
import itertools
import time
from collections.abc import Iterator
from typing import Any

from handssl import distributed, records
from handssl.errors import NonFiniteLossError
from handssl.records import OBJECTIVE, Record
from search.storage.folder import Folder, scratch_copy
from search.trials.build_record import record_of, write_record
from search.trials.trial import Job, Report


def execute(job: Job, *, device: str) -> Iterator[Report]:
    """Run a trial, from its checkpoint if it has one.

    Yields a report after each epoch, and a last one with done=True once the record is on disk. A
    loss that turns non-finite ends the trial with status "failed"; the executor handles every
    other error.
    """
    folder = scratch_copy(job.directory, "record.json", "metrics.jsonl", "checkpoint.pt")
    finished = distributed.from_first_worker(_finished(folder), device)
    if finished is not None:
        # A worker was lost between its record and its last report.
        yield _last_report(job, finished)
        return
    stopwatch, writes = _Stopwatch(), distributed.rank() == 0
    rows: list[dict[str, Any]] = []
    record_as = functools.partial(record_of, job, rows=rows, started_at=records.now())
    try:
        execution = job.trial.start(folder, device=device)
        log = folder.local_path / "metrics.jsonl"
        epochs_done = len(execution.history)
        rows += [row for row in records.read_jsonl(log) if row["epoch"] <= epochs_done]
        # A checkpoint is written before its row; a crash in between leaves an unreported epoch.
        unreported = list(execution.history)[distributed.from_first_worker(len(rows), device) :]
        if writes and job.trial.epochs:
            records.write_jsonl(log, rows)
        for epoch in itertools.chain(unreported, execution):
            row = execution.row(epoch)
            row["timings_s"]["total"] = stopwatch.lap()
            rows.append(row)
            if writes:
                records.append_jsonl(log, row)
                folder.put("checkpoint.pt", "metrics.jsonl")
            yield {"trial": job.trial.id, "done": False, "rung": OBJECTIVE in row, **row}
        record = record_as("finished")
        if writes:
            trained = time.perf_counter()
            outcome = execution.finish(folder)
            finish_s = {"probe": time.perf_counter() - trained, "total": stopwatch.lap()}
            record = record_as("finished", outcome=outcome, finish_s=finish_s)
    except NonFiniteLossError as error:
        record = record_as("failed", error=error)
    if writes:
        write_record(folder, record)
    yield _last_report(job, record)


def _finished(folder: Folder) -> Record | None:
    path = folder.local_path / "record.json"
    record = records.read_record(path) if path.exists() else None
    return record if record and record.status == "finished" else None


def _last_report(job: Job, record: Record) -> Report:
    value = job.metric.of(record) if record.status == "finished" else None
    return {
        "trial": job.trial.id,
        "done": True,
        "status": record.status,
        "epoch": record.epochs,
        "rung": value is not None,
        **({} if value is None else {job.metric.name: value}),
    }


class _Stopwatch:
    """Seconds between laps, so that every second of a trial is in exactly one report."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap, or since the start."""
        last, self._last = self._last, time.perf_counter()
        return self._last - last
