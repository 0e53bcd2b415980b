"""The compact form of a study: three small files instead of one folder a trial, to publish.

    study.json        as the search wrote it
    trials.parquet    one row a record, of trials and baselines: the whole record as JSON in
                      `record`, and for other readers its values in columns (nested keys joined
                      by dots, lists as JSON)
    errors.parquet    one row a validation image of a finished trial: trial, group (its pose),
                      error_cm and, where the study has them, ra_error_cm, pa_error_cm and
                      uv_error_pct (21 joints, half precision, NaN where a joint is not valid)

The analysis reads it like the study's folder, and `search/replay.py` repeats its records. A table
without `record`, as the search compiles it, is read from its columns, where null and absent are
the same; this suffices for the analysis. Half precision changes an error by at most 0.05%. An
error takes about 1.5 bytes, so 200 trials of 600 images take 4 MB an array.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.joint_errors import ARRAYS, COMPACT_ERRORS, JointErrors, RunErrors
from analysis.records import Problem, Study
from handssl.errors import ConfigError, DataError
from handssl.records import COMPACT, Record, flatten, is_whole, read_entries, write_compact_table

_MAX_ERROR = 65504.0  # largest number in half precision
_PATH = re.compile(r"(?<![\w.:/~])/(?:[\w.@+-]+/)+[\w.@+-]*")


def is_compact(study: Study) -> bool:
    """Whether a study was read from `trials.parquet`, not from the folders of its trials."""
    return bool(study.records) and all(record.file == COMPACT for record in study.records)


def write_compact(study: Study, folder: Path) -> tuple[Path, ...]:
    """Write a study in compact form and return the files.

    Records lose the tracebacks of their errors; type and message stay.

    Args:
        study: The study; records that could not be read are left out.
        folder: Output folder, created if missing.

    Raises:
        DataError: If the study has no usable record.
        ConfigError: If `folder` is the study's folder or cannot be written.
    """
    if not study.records:
        raise DataError(
            f"study must hold at least one record, but got {study.source.uri} with none"
        )
    if study.source.local is not None and study.source.local.resolve() == folder.resolve():
        raise ConfigError(f"compact must be another folder than the study's, but got {folder}")
    description, table = folder / "study.json", folder / COMPACT
    text = json.dumps(dict(study.description), indent=2, ensure_ascii=False) + "\n"
    results = str(study.section("config").get("results", ""))
    if results.startswith("/"):  # where the study ran is of no use elsewhere
        text = text.replace(results, "results")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        description.write_text(text, encoding="utf-8")
        names = {record.trial for record in study.records}
        entries = read_entries(study.source)
        records = [r for _, name, r in entries if name in names and isinstance(r, Record)]
        records += [
            r for *_, r in read_entries(study.source, "baselines") if isinstance(r, Record)
        ]
        whole = not is_compact(study) or is_whole(study.source.read(COMPACT))
        write_compact_table(table, records, whole=whole)
        errors = _write_errors(study, folder / COMPACT_ERRORS)
    except OSError as error:
        raise ConfigError(
            f"compact must be a folder that can be written, but got compact={folder} ({error})"
        ) from error
    return (description, table, *errors)


def _write_errors(study: Study, path: Path) -> tuple[Path, ...]:
    """Write the errors of all runs; without any errors there is no file."""
    files = JointErrors(study)
    runs = {r.trial: errors for r in study.records if (errors := files.all_of(r))}
    if not runs:
        return ()
    first = [errors[ARRAYS[0]] for errors in runs.values()]
    columns: dict[str, Any] = {
        "trial": np.repeat([*runs], [len(e.pose) for e in first]),
        "group": np.concatenate([np.asarray(e.poses)[e.pose] for e in first]),
    }
    names = [name for name in ARRAYS if any(name in errors for errors in runs.values())]
    for name in names:
        halves = np.concatenate([_halves(errors, name) for errors in runs.values()])
        columns[name] = pa.FixedSizeListArray.from_arrays(halves.ravel(), halves.shape[1])
    table = pa.table(columns)
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=12,
        use_dictionary=["trial", "group"],
        column_encoding={f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in names},
    )
    return (path,)


def _halves(errors: RunErrors, name: str) -> npt.NDArray[np.float16]:
    """(n, 21) errors of a run, NaN where it lacks the array."""
    if name not in errors:
        return np.full_like(errors[ARRAYS[0]].error_cm, np.nan, dtype=np.float16)
    return np.minimum(errors[name].error_cm, _MAX_ERROR).astype(np.float16)


def local_paths(study: Study) -> tuple[Problem, ...]:
    """Absolute paths in the study's description, to check before publication."""
    key_of: dict[str, str] = {}
    for key, value in flatten(study.description).items():
        for path in _PATH.findall(str(value)):
            key_of.setdefault(path, key)
    consequence = "check before publication"
    return tuple(
        Problem(file="study.json", what=f"{key} names {path}", consequence=consequence)
        for path, key in key_of.items()
    )
