"""`trials.parquet`: the records of a study as one table, small enough to publish.

    study.json        as the search wrote it
    trials.parquet    one row a record: all of it as JSON in `record`; for other readers, its
                      values in columns (nested keys joined by dots, lists as JSON)
    errors.parquet    written by `analysis`: the errors behind the metrics

That is the compact form of a study. The table that a search compiles lacks `record` and is read
from its columns: enough for the analysis, though null and absent are the same in it.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from handssl.atomic import atomic_path
from handssl.errors import DataError
from handssl.records.files import read_json
from handssl.records.record import Record

COMPACT: Final = "trials.parquet"

_RECORD: Final = "record"
"""The column that holds a record as it was written."""


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by dotted key; empty mappings disappear.

    Example:
        >>> flatten({"encoder": {"name": "resnet18"}, "epochs": 2})
        {'encoder.name': 'resnet18', 'epochs': 2}
    """
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as nested settings: the inverse of `flatten`.

    Example:
        >>> unflatten({"encoder.name": "resnet18", "epochs": 2})
        {'encoder': {'name': 'resnet18'}, 'epochs': 2}
    """
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *parents, last = key.split(".")
        inner = nested
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return nested


def compile_parquet(study_dir: Path, records: Mapping[str, Record]) -> Path:
    """Write `trials.parquet` of a study, its rows in order of the trial's id.

    Example:
        >>> import tempfile
        >>> record = Record(
        ...     kind="pretrain", trial="t1", hash="4f56", status="finished", seed=7,
        ...     composition="T+S", objective="contrastive", metrics={"median_pje_cm": 12.5},
        ... )
        >>> path = compile_parquet(Path(tempfile.mkdtemp()), {"t1": record})
        >>> pq.read_table(path)["metrics.median_pje_cm"].to_pylist()
        [12.5]
    """
    path = study_dir / COMPACT
    rows = [flatten(records[trial].to_dict()) for trial in sorted(records)]
    table = _table(rows, sorted({key for row in rows for key in row}))
    with atomic_path(path) as partial:
        pq.write_table(table, partial)
    return path


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
    flat = [flatten(row) for row in rows]
    present = (key for row in flat for key, value in row.items() if value is not None)
    table = _table(flat, dict.fromkeys(present))
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
            rows = [
                unflatten({key: _listed(value) for key, value in row.items() if value is not None})
                for row in table.to_pylist()
            ]
    except (pa.ArrowException, DataError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{file} is not a readable table of records ({reason})") from error
    yield from rows


def _table(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> pa.Table:
    """The values at these dotted keys of flat rows, lists as JSON."""
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: Iterable[Any]) -> pa.Array:
    """Values of one type, or, where the records disagree or a number is too large, their text."""
    cells = [json.dumps(value) if isinstance(value, list | tuple) else value for value in values]
    try:
        return pa.array(cells)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if cell is None else str(cell) for cell in cells])


def _listed(value: object) -> object:
    if not (isinstance(value, str) and value.startswith("[") and value.endswith("]")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
