"""Where records lie: a local folder, or any file system that pyarrow knows (``s3://…``)."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.fs as pafs

from analysis.errors import RecordsError

_REMOTE_READERS = 16  # requests in flight; a local disk is read by one thread, which is faster
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One study's folder.

    Attributes:
        uri: The folder as the user wrote it.
        files: A pyarrow file system rooted at the folder.
        local: The folder as a path, or None where it is not on this machine.
    """

    uri: str
    files: Any
    local: Path | None

    @property
    def name(self) -> str:
        """The folder's last component."""
        if self.local is not None:
            return self.local.name
        return self.uri.partition("?")[0].rstrip("/").rsplit("/", 1)[-1]

    def read(self, path: str) -> bytes:
        """The bytes of a file below the folder; raises FileNotFoundError."""
        with self.files.open_input_file(path) as stream:
            data: bytes = stream.read()
        return data

    def folders(self, path: str) -> list[str]:
        """Sorted names of the folders directly below ``path``; empty if there is none."""
        selector = pafs.FileSelector(path, allow_not_found=True)
        found = self.files.get_file_info(selector)
        return sorted(info.base_name for info in found if info.type == pafs.FileType.Directory)

    def map(self, read: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        """``map(read, items)`` in order; requests to a remote file system overlap."""
        if self.local is not None:
            yield from map(read, items)
            return
        with ThreadPoolExecutor(_REMOTE_READERS) as pool:
            yield from pool.map(read, items)


def open_source(uri: str | os.PathLike[str]) -> Source:
    """Opens a study's folder.

    Args:
        uri: A path, or a URI that `pyarrow.fs.FileSystem.from_uri` understands.

    Raises:
        RecordsError: Where there is no such folder, or the file system cannot be reached.
    """
    text = os.fspath(uri)
    try:
        if "://" in text:
            files, root = pafs.FileSystem.from_uri(text)
            local = Path(root) if files.type_name == "local" else None
        else:
            local = Path(text).absolute()
            files, root = pafs.LocalFileSystem(), str(local)
        kind = files.get_file_info(root).type
    except (OSError, ValueError) as error:
        raise RecordsError(
            f"study must be a folder that can be read, but got {text}: {error}"
        ) from error
    if kind != pafs.FileType.Directory:
        raise RecordsError(
            f"study must be an existing folder of results, but got {text}; "
            "give the folder that holds study.json and trials/"
        )
    return Source(uri=text, files=pafs.SubTreeFileSystem(root, files), local=local)
