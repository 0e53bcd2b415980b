"""Records from `trials.parquet` alone: a published study without one folder a trial."""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import RecordsError

__all__ = ["COMPACT", "compact_records"]

COMPACT = "trials.parquet"
"""One row a record; nested keys joined by dots, lists as JSON, absent keys null."""


def _nested(row: Mapping[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for key, value in row.items():
        if value is None:
            continue
        *parents, last = key.split(".")
        inside = record
        for parent in parents:
            inside = inside.setdefault(parent, {})
        inside[last] = json.loads(value) if key == "rungs" else value
    return record


def compact_records(raw: bytes) -> Iterator[dict[str, Any]]:
    """The records of a compiled table, in its order.

    Raises:
        RecordsError: Where the table cannot be read.
    """
    try:
        rows = pq.read_table(io.BytesIO(raw)).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise RecordsError(f"is not a readable Parquet table ({error})") from error
    yield from map(_nested, rows)
