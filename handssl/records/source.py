"""The folder of a study, on this machine or on any file system that pyarrow knows."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from handssl.errors import DataError
from handssl.records.uri import open_filesystem, redact

_REQUESTS: Final = 16
"""Requests in flight; a local disk is read by one thread, which is faster."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The folder of one study.

    Attributes:
        uri: The folder as the user wrote it, without keys.
        local: The folder as a path; None where it is not on this machine.
        files: Its pyarrow file system where it is not on this machine.
        root: Its path in that file system.
    """

    uri: str
    local: Path | None
    files: Any = None
    root: str = ""

    @property
    def name(self) -> str:
        """Name of the folder."""
        path = self.uri.partition("?")[0].rstrip("/")
        return self.local.name if self.local is not None else path.rpartition("/")[2]

    def read(self, path: str) -> bytes:
        """Content of a file below the folder.

        Raises:
            FileNotFoundError: There is no such file.
        """
        if self.local is not None:
            return (self.local / path).read_bytes()
        with self.files.open_input_file(f"{self.root}/{path}") as stream:
            content: bytes = stream.read()
        return content

    def folders(self, path: str) -> list[str]:
        """Sorted names of the folders directly below `path`; empty if there is none."""
        if self.local is not None:
            return sorted(p.name for p in (self.local / path).glob("*") if p.is_dir())
        import pyarrow.fs  # noqa: PLC0415 - only where a study is not on this machine

        selector = pyarrow.fs.FileSelector(f"{self.root}/{path}", allow_not_found=True)
        directory = pyarrow.fs.FileType.Directory
        entries = self.files.get_file_info(selector)
        return sorted(entry.base_name for entry in entries if entry.type == directory)

    def map(self, read: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`map(read, items)` in order; requests to another machine overlap."""
        if self.local is not None:
            yield from map(read, items)
            return
        with ThreadPoolExecutor(_REQUESTS) as pool:
            yield from pool.map(read, items)


def open_source(folder: str | os.PathLike[str]) -> Source:
    """Open the folder of a study.

    Args:
        folder: A path, or a URI that `pyarrow.fs.FileSystem.from_uri` understands.

    Raises:
        DataError: There is no such folder, or the file system cannot be reached.
    """
    text = os.fspath(folder)
    try:
        source, exists = _open(text)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"study must be a folder that can be read, but got study={redact(text)} ({reason})"
        ) from error
    if not exists:
        raise DataError(
            f"study must be an existing folder of results, but got study={redact(text)}; give the "
            "folder that holds study.json and trials/"
        )
    return source


def _open(text: str) -> tuple[Source, bool]:
    """A folder by its path or URI, and whether it exists."""
    local = Path(text).absolute()
    if "://" in text:
        import pyarrow.fs  # noqa: PLC0415 - only where a study is not on this machine

        files, root = open_filesystem(text)
        if files.type_name != "local":
            exists = files.get_file_info(root).type == pyarrow.fs.FileType.Directory
            return Source(uri=redact(text), local=None, files=files, root=root), exists
        local = Path(root)
    return Source(uri=text, local=local), local.is_dir()
