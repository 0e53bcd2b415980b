"""The compact form of a study: one table instead of one folder a trial, small enough to publish.

    study.json        as the search wrote it
    trials.parquet    one row a record: all of it as JSON in `record`; for other readers, its
                      values in columns (nested keys joined by dots, lists as JSON)
    errors.parquet    written by `analysis`: the errors behind the metrics

A table without `record`, as a search compiles it, is read from its columns: enough for the
analysis, though null and absent are the same in it.
"""

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from handssl.atomic import atomic_path
from handssl.errors import DataError
from handssl.records.files import read_json
from handssl.records.nested import flatten, unflatten
from handssl.records.parquet import record_table
from handssl.records.record import Record

COMPACT: Final = "trials.parquet"

_RECORD: Final = "record"
"""The column that holds a record as it was written."""


def write_compact_table(path: Path, records: Iterable[Record], *, whole: bool = True) -> None:
    """Write records as a compact table, without tracebacks, which name files of a machine.

    Args:
        path: The file.
        records: The records.
        whole: Whether the table has the column `record`.
    """
    rows = [record.to_dict() for record in records]
    for row in rows:
        if row["error"] is not None:
            row["error"].pop("traceback", None)
    present = (key for row in rows for key, value in flatten(row).items() if value is not None)
    table = record_table(rows, dict.fromkeys(present))
    if whole:
        table = table.append_column(_RECORD, pa.array([json.dumps(row) for row in rows]))
    with atomic_path(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def is_whole(raw: bytes) -> bool:
    """Whether a compact table holds its records as they were written."""
    return _RECORD in pq.read_schema(io.BytesIO(raw)).names


def read_compact_table(raw: bytes, file: object = COMPACT) -> Iterator[dict[str, Any]]:
    """The records of a compact or compiled table in their JSON form, in its order.

    Raises:
        DataError: The table cannot be read.
    """
    try:
        table = pq.read_table(io.BytesIO(raw))
        if _RECORD in table.column_names:
            texts = table[_RECORD].to_pylist()
            rows = [read_json(text or "", f"{_RECORD} {n}") for n, text in enumerate(texts)]
        else:
            rows = [_nested(row) for row in table.to_pylist()]
    except (pa.ArrowException, DataError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{file} is not a readable table of records ({reason})") from error
    yield from rows


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    return unflatten({key: _listed(value) for key, value in row.items() if value is not None})


def _listed(value: object) -> object:
    if not (isinstance(value, str) and value.startswith("[") and value.endswith("]")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
