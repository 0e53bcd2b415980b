"""Files of a study: JSON, JSON lines and arrays, each written atomically."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handssl.atomic import atomic_path
from handssl.errors import DataError


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON atomically; numbers that are not finite become null.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "study.json"
        >>> write_json(path, {"name": "small", "loss": math.nan})
        >>> read_json(path.read_bytes(), "study.json")
        {'name': 'small', 'loss': None}
    """
    text = json.dumps(_finite(value), indent=1, allow_nan=False) + "\n"
    with atomic_path(path) as partial:
        partial.write_text(text)


def read_json(raw: bytes | str, file: object) -> dict[str, Any]:
    """One JSON object.

    Args:
        raw: The text.
        file: Its file, which an error names.

    Raises:
        DataError: It is not a JSON object.
    """
    try:
        value = json.loads(raw)
    except ValueError as error:
        reason = f"is not complete JSON ({error})" if raw.strip() else "is empty"
        raise DataError(f"{file} {reason}") from error
    if not isinstance(value, dict):
        raise DataError(f"{file} holds a {type(value).__name__} instead of an object")
    return value


def write_npz(path: Path, **arrays: np.ndarray[Any, Any]) -> None:
    """Write arrays atomically as a compressed .npz.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "errors.npz"
        >>> write_npz(path, error_cm=np.zeros((2, 21)))
        >>> np.load(path)["error_cm"].shape
        (2, 21)
    """
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, atomically, replacing the file.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "metrics.jsonl"
        >>> write_jsonl(path, [{"epoch": 1}])
        >>> append_jsonl(path, {"epoch": 2})
        >>> read_jsonl(path)
        [{'epoch': 1}, {'epoch': 2}]
    """
    with atomic_path(path) as partial:
        partial.write_text("".join(map(_line, rows)))


def append_jsonl(path: Path, row: Mapping[str, Any]) -> None:
    """Append one JSON object as one line."""
    with path.open("a") as file:
        file.write(_line(row))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Rows of a .jsonl file; a last line cut short by a crash is left out."""
    rows: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return rows


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(_finite(row), allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
