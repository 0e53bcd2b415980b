"""All trials in one list, for the report's table and as CSV."""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from analysis.notation import objective_title
from analysis.records import Record, Study

COLUMNS = (
    "study", "trial", "status", "objective", "composition", "median PJE (cm)", "MPJE (cm)",
    "encoder steps", "time (s)", "repeat", "seed", "record", "error",
)  # fmt: skip

NUMERIC = COLUMNS[5:11]
"""The columns of numbers."""


def _row(study: Study, record: Record, start: Path | None) -> list[str | float | int | None]:
    target = record.file
    if study.source.local is not None and start is not None:
        target = Path(os.path.relpath(study.source.local / record.file, start)).as_posix()
    elif study.source.local is None:
        target = f"{study.source.uri.rstrip('/')}/{record.file}"
    error = record.error
    return [
        study.name,
        record.trial,
        record.status,
        objective_title(record.variant),
        record.label if record.label == record.composition else record.composition,
        record.metrics.get("median_pje_cm"),
        record.metrics.get("mpjpe_cm"),
        float(record.encoder_steps),
        record.timings_s.get("total"),
        record.repeat,
        record.seed,
        target,
        f"{error.type}: {error.message}" if error else "",
    ]


def trial_rows(
    studies: Iterable[Study], start: Path | None = None
) -> list[list[str | float | int | None]]:
    """One row a record, in `COLUMNS`; the record's path is relative to `start`."""
    return [_row(study, record, start) for study in studies for record in study.records]


def write_trials(studies: Sequence[Study], path: Path) -> Path:
    """Write all trials as CSV and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(trial_rows(studies, path.parent))
    return path
