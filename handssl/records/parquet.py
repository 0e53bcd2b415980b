"""trials.parquet: all records of a study in one table, one row a record."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from handssl.atomic import atomic_path
from handssl.records.nested import flatten
from handssl.records.record import Record


def record_table(
    rows: Sequence[Mapping[str, Any]], names: Iterable[str] | None = None
) -> pa.Table:
    """Records as a table: nested keys joined by dots, lists as JSON.

    Args:
        rows: Records in their JSON form.
        names: The columns; by default all keys, sorted.
    """
    flat = [{key: _cell(value) for key, value in flatten(row).items()} for row in rows]
    names = sorted({key for row in flat for key in row}) if names is None else names
    return pa.table({name: _column([row.get(name) for row in flat]) for name in names})


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
    path = study_dir / "trials.parquet"
    with atomic_path(path) as partial:
        pq.write_table(record_table([records[t].to_dict() for t in sorted(records)]), partial)
    return path


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | tuple) else value


def _column(values: Sequence[Any]) -> pa.Array:
    """Values of one type, or, where the records disagree or a number is too large, their text."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values])
