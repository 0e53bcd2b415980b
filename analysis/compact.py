"""The compact form of a study: three files instead of one folder a trial, small enough to publish.

    study.json        as the search wrote it
    trials.parquet    one row a record: all of it as JSON in `record`; for other readers, its
                      values in columns (nested keys joined by dots, lists as JSON)
    errors.parquet    one row a validation image of a finished trial: trial, group (its pose),
                      error_cm (21 joints, half precision, NaN where a joint is not valid)

The analysis reads it as it reads the folder it was made from, and `search/replay.py` runs its
records again. A table without `record`, as the search compiles it, is read from its columns:
enough for the analysis, though null and absent are one there. Half precision moves an error by at
most 0.05%; one takes about 1.5 bytes, 200 trials of 600 images some 4 MB.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import RecordsError
from analysis.joint_errors import COMPACT_ERRORS, JointErrors
from analysis.records import Problem, Study, parse_json
from analysis.statistics import PoseErrors

COMPACT = "trials.parquet"
_RECORD = "record"
"""The column that holds a record as it was written."""

_PRIVATE = ("error.traceback",)  # names files of the machine that the trial ran on
_LARGEST_CM = 65504.0  # of half precision
_PATH = re.compile(r"(?<![\w.:/~])/(?:[\w.@+-]+/)+[\w.@+-]*")


def _nested(row: Mapping[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for key, value in row.items():
        if value is None:
            continue
        *parents, last = key.split(".")
        inside = record
        for parent in parents:
            inside = inside.setdefault(parent, {})
        inside[last] = _listed(value)
    return record


def _listed(value: object) -> object:
    if not (isinstance(value, str) and value.startswith("[") and value.endswith("]")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def compact_records(raw: bytes) -> Iterator[dict[str, Any]]:
    """The records of a compiled table, in its order.

    Raises:
        RecordsError: Where the table cannot be read.
    """
    try:
        table = pq.read_table(io.BytesIO(raw))
        if _RECORD in table.column_names:
            found = [_whole(text) for text in table[_RECORD].to_pylist()]
        else:
            found = [_nested(row) for row in table.to_pylist()]
    except (pa.ArrowInvalid, OSError, ValueError) as error:
        raise RecordsError(f"is not a readable Parquet table ({error})") from error
    yield from found


def _whole(text: str | None) -> dict[str, Any]:
    record = json.loads(text or "")
    if not isinstance(record, dict):
        raise ValueError(f"{_RECORD} holds a {type(record).__name__} instead of an object")
    return record


def is_compact(study: Study) -> bool:
    """Whether a study was read from its compiled table, not from the folders of its trials."""
    return bool(study.records) and all(record.file == COMPACT for record in study.records)


def write_compact(study: Study, folder: Path) -> tuple[Path, ...]:
    """Writes a study in its compact form; returns the files.

    Tracebacks are left out of the records; the error's type and message stay.

    Args:
        study: The study as read; what was left out of it is left out here.
        folder: Where to write, made where it is missing.

    Raises:
        RecordsError: Where no record can be used, or `folder` is the study's own or cannot be
            written.
    """
    if not study.records:
        raise RecordsError(
            f"study must hold at least one record, but got {study.source.uri} with none"
        )
    if study.source.local is not None and study.source.local.resolve() == folder.resolve():
        raise RecordsError(f"compact must be another folder than the study's, but got {folder}")
    description, table = folder / "study.json", folder / COMPACT
    text = json.dumps(dict(study.description), indent=2, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        description.write_text(text, encoding="utf-8")
        pq.write_table(_record_table(study), table, compression="zstd")
        errors = _write_errors(study, folder / COMPACT_ERRORS)
    except OSError as error:
        raise RecordsError(
            f"compact must be a folder that can be written, but got compact={folder} ({error})"
        ) from error
    return (description, table, *errors)


def _raw(study: Study) -> tuple[list[Mapping[str, Any]], bool]:
    """The records, and whether they are as the search wrote them."""
    if not is_compact(study):
        files = [record.file for record in study.records]
        return [parse_json(raw) for raw in study.source.map(study.source.read, files)], True
    table = study.source.read(COMPACT)
    kept = {record.trial for record in study.records}
    found: list[Mapping[str, Any]] = [r for r in compact_records(table) if r.get("trial") in kept]
    return found, _RECORD in pq.read_schema(io.BytesIO(table)).names


def _public(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return {
        key: _public(item, f"{prefix}{key}.") if isinstance(item, Mapping) else item
        for key, item in value.items()
        if f"{prefix}{key}" not in _PRIVATE
    }


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(item) if isinstance(item, list) else item


def _record_table(study: Study) -> pa.Table:
    raw, whole = _raw(study)
    records = [_public(record) for record in raw]
    rows = [dict(_flat(record)) for record in records]
    names = dict.fromkeys(key for row in rows for key, value in row.items() if value is not None)
    columns = {name: _column([row.get(name) for row in rows]) for name in names}
    if whole:
        columns[_RECORD] = pa.array([json.dumps(record) for record in records])
    return pa.table(columns)


def _column(values: Sequence[Any]) -> pa.Array:
    """Values of one type, or, where the records disagree or a number is too large, their text."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values])


def _write_errors(study: Study, path: Path) -> tuple[Path, ...]:
    """Writes the errors of all runs; no file where no run has any."""
    files = JointErrors(study)
    found = [(r.trial, own) for r in study.records if (own := files.of(r)) is not None]
    if not found:
        return ()
    halves = np.concatenate([_halves(own) for _, own in found])
    table = pa.table(
        {
            "trial": np.repeat([trial for trial, _ in found], [len(own.pose) for _, own in found]),
            "group": np.concatenate([np.asarray(own.poses)[own.pose] for _, own in found]),
            "error_cm": pa.FixedSizeListArray.from_arrays(halves.ravel(), halves.shape[1]),
        }
    )
    pq.write_table(
        table, path, compression="zstd", compression_level=12, use_dictionary=["trial", "group"],
        column_encoding={"error_cm.list.element": "BYTE_STREAM_SPLIT"},
    )  # fmt: skip
    return (path,)


def _halves(errors: PoseErrors) -> npt.NDArray[np.float16]:
    return np.minimum(errors.error_cm, _LARGEST_CM).astype(np.float16)


def local_paths(study: Study) -> tuple[Problem, ...]:
    """Absolute paths in the study's description: what to look at before it is published."""
    found: dict[str, str] = {}
    for key, value in _flat(study.description):
        for path in _PATH.findall(str(value)):
            found.setdefault(path, key)
    look = "look before it is published"
    return tuple(
        Problem(file="study.json", what=f"{key} names {path}", consequence=look)
        for path, key in found.items()
    )
