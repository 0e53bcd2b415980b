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
    if "://" not in text:
        source = Source(uri=text, local=Path(text).absolute())
    else:
        try:
            source = _open_uri(text)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise DataError(
                f"study must be a folder that can be read, but got study={redact(text)} ({reason})"
            ) from error
    if source.local is not None and not source.local.is_dir():
        raise DataError(_missing(text))
    return source


def _open_uri(uri: str) -> Source:
    import pyarrow.fs  # noqa: PLC0415 - only where a study is not on this machine

    files, root = open_filesystem(uri)
    if files.type_name == "local":
        return Source(uri=uri, local=Path(root))
    if files.get_file_info(root).type != pyarrow.fs.FileType.Directory:
        raise DataError(_missing(uri))
    return Source(uri=redact(uri), local=None, files=files, root=root)


def _missing(text: str) -> str:
    return (
        f"study must be an existing folder of results, but got study={redact(text)}; give the "
        "folder that holds study.json and trials/"
    )
