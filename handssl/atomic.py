"""The one way to write a file: under a temporary name, flushed to disk, then renamed.

A reader never sees half a file, and a file that has been written survives a loss of power.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SUFFIX: Final = ".partial"
"""Ends the name of every file that is still being written; `remove_partial` looks for it."""


@contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a path to write to; on success it is renamed to `path`, on an error it is deleted.

    The file and its folder are flushed to disk (fsync) before the block is left. Missing folders
    are made. The partial file keeps the suffixes of `path`, because some writers look at them.

    Args:
        path: Where the file is to be.
        durable: False skips the flushes, for files that can be made again.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "results" / "table.csv"
        >>> with atomic_path(path) as partial:
        ...     _ = partial.write_text("a,b")
        >>> path.read_text(), len(list(path.parent.iterdir()))
        ('a,b', 1)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{secrets.token_hex(4)}{SUFFIX}.{path.name}")
    try:
        yield partial
        if durable:
            _flush(partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if durable and os.name == "posix":  # Windows opens no folders
        _flush(path.parent)


def remove_partial(folder: Path) -> None:
    """Delete the partial files that killed writers left in a folder."""
    for partial in folder.glob(f".*{SUFFIX}.*"):
        partial.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
