"""Records on disk: the only truth about a study, and the contract with `analysis`.

    results/<study>/study.json                   what the study is and what it plans
    results/<study>/trials/<trial>/record.json   one finished, pruned or failed trial
    results/<study>/trials/<trial>/metrics.jsonl one line a report, in epoch order
    results/<study>/trials/<trial>/errors.npz    validation errors, joint by joint
    results/<study>/trials.parquet               all records, one row each, compiled

Every file appears atomically (written beside, flushed to disk, renamed), so a reader never sees a
half. Ray's and Optuna's own state are views of these and may be deleted.
"""

import datetime
import hashlib
import json
import math
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from handssl.errors import DataError

SCHEMA = 1
"""Version of the record's layout; analysis refuses to guess at a newer one."""

OBJECTIVE = "median_pje_cm"
"""What the study ranks by: the probe's median per-joint error on validation.

A search goes by it unless `search.metric` names another, and every rung has it beside that.
"""

Status = Literal["finished", "pruned", "failed"]
Record = dict[str, Any]


def canonical_hash(value: Mapping[str, Any], digits: int = 16) -> str:
    """SHA-256 of a JSON-ready value, independent of key order; the identity of a trial."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def seed_from(*parts: object) -> int:
    """Seed in [0, 2³¹) derived from its parts, the same on every machine."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def _atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call `write(file)` on a file beside `path`, flush it to disk, rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def remove_halves(folder: Path) -> None:
    """Remove the halves of files that killed writers left in a folder."""
    for half in folder.glob(".*.*"):
        # A network file system keeps its own there, of files that are deleted and still open.
        if half.is_file() and not half.name.startswith(".nfs"):
            half.unlink(missing_ok=True)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON atomically; numbers that are not finite become null."""
    text = json.dumps(_finite(value), indent=1, allow_nan=False) + "\n"
    _atomically(path, lambda file: file.write(text.encode()))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_npz(path: Path, **arrays: np.ndarray[Any, Any]) -> None:
    """Write arrays atomically as a compressed .npz."""
    _atomically(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, atomically, replacing what was there."""
    text = "".join(json.dumps(_finite(row), allow_nan=False) + "\n" for row in rows)
    _atomically(path, lambda file: file.write(text.encode()))


def append_jsonl(path: Path, row: Mapping[str, Any]) -> None:
    """Append one JSON object as one line."""
    with path.open("a") as file:
        file.write(json.dumps(_finite(row), allow_nan=False) + "\n")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Rows of a .jsonl file; a last line cut short by a crash is left out."""
    if not path.exists():
        return []
    return list(_json_lines(path.open()))


def _json_lines(file: IO[str]) -> Iterator[dict[str, Any]]:
    with file:
        for line in file:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


def read_record(path: Path) -> Record:
    """One record.

    Raises:
        DataError: Where the file is not a record of this schema.
    """
    try:
        return parse_record(path.read_text(), path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is not a readable record ({error}); delete it to run it again"
        ) from error


def parse_record(text: str, where: object) -> Record:
    """One record from its JSON; `where` it lies is what an error names.

    Raises:
        ValueError: Where it is not JSON.
        DataError: Where it is not a record of this schema.
    """
    record: Record = json.loads(text)
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise DataError(
            f"{where} must have schema={SCHEMA}, but got "
            f"schema={record.get('schema') if isinstance(record, dict) else None}"
        )
    return record


def read_records(study_dir: Path) -> dict[str, Record]:
    """All records of a study by trial id, in order of the id."""
    paths = sorted((study_dir / "trials").glob("*/record.json"))
    return {path.parent.name: read_record(path) for path in paths}


def compile_parquet(study_dir: Path, records: Mapping[str, Record]) -> Path:
    """Write `trials.parquet`: one row a record in order of the trial's id, nested keys dotted."""
    rows = [_flat(records[trial]) for trial in sorted(records)]
    columns = sorted({key for row in rows for key in row})
    table = pa.table({key: _column([row.get(key) for row in rows]) for key in columns})
    path = study_dir / "trials.parquet"
    _atomically(path, lambda file: pq.write_table(table, file))
    return path


def _column(values: Sequence[Any]) -> pa.Array:
    """Values of one type, or, where the records disagree or a number is too large, their text."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values])


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            row.update(_flat(item, f"{prefix}{key}."))
        elif isinstance(item, list | tuple):
            row[prefix + key] = json.dumps(item)
        else:
            row[prefix + key] = item
    return row


def versions() -> dict[str, str]:
    """Versions of what decides the numbers; the last digits are the processor's, by its kind."""
    from torch.backends import cpu  # noqa: PLC0415 - readers of records need no torch

    packages = ("handssl", "torch", "torchvision", "timm", "numpy", "ray", "optuna")
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "processor": f"{platform.machine()} {cpu.get_cpu_capability()}",
    }


def git_state() -> dict[str, Any]:
    """Revision of the code, and whether it was changed since; nulls outside a checkout."""
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(root), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    changes = git("status", "--porcelain", "--untracked-files=no")
    return {
        "revision": git("rev-parse", "HEAD"),
        "dirty": None if changes is None else bool(changes),
    }


def now() -> str:
    """The time, UTC, ISO 8601, seconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
