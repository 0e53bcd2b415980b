"""Objects in a bucket (`s3://bucket/prefix?options`), through pyarrow's file system.

A PUT is atomic: a reader sees an object whole or not at all, as it sees a renamed file. Options
are pyarrow's (`region`, `endpoint_override`, `scheme`); keys and the address of another store than
Amazon's come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_ENDPOINT_URL`) or from the machine's role.
"""

import errno
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import pyarrow.fs as pafs

from handssl.errors import ConfigError
from handssl.records import uri
from handssl.records.uri import open_filesystem

is_bucket = uri.is_bucket
join = uri.join_uri
shown = uri.redact

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _asking(request: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A request whose failure carries an error number, as a disk's does (`search.outage`)."""

    @functools.wraps(request)
    def asked(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        try:
            return request(*arguments, **options)
        except OSError as error:
            if error.errno:
                raise
            raise OSError(errno.EIO, " ".join(str(error).split())) from error

    return asked


@contextmanager
def refusing(key: str, place: str) -> Iterator[None]:
    """What a bucket answers while something is prepared becomes the refusal of a key.

    Raises:
        ConfigError: Naming the key and the object store's reason.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{key} must be a bucket that can be reached, read and written to, but got "
            f"{key}={shown(place)} ({error.strerror or error})"
        ) from error


@_asking
def read(place: str) -> bytes | None:
    """An object's content; None if there is none."""
    files, path = open_filesystem(place)
    try:
        with files.open_input_file(path) as stream:
            content: bytes = stream.read()
    except FileNotFoundError:
        return None
    return content


@_asking
def write(place: str, content: bytes) -> None:
    """Put a small object."""
    files, path = open_filesystem(place)
    with files.open_output_stream(path) as stream:
        stream.write(content)


@_asking
def upload(path: Path, place: str) -> None:
    """Put a file; killed or failed on the way, there is no new object."""
    files, there = open_filesystem(place)
    local = pafs.LocalFileSystem()
    pafs.copy_files(str(path), there, source_filesystem=local, destination_filesystem=files)


@_asking
def download(place: str, path: Path) -> bool:
    """Fetch an object to a path, where it appears whole; whether there is one."""
    files, there = open_filesystem(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    local = pafs.LocalFileSystem()
    try:
        pafs.copy_files(there, str(beside), source_filesystem=files, destination_filesystem=local)
        beside.replace(path)
    except FileNotFoundError:
        return False
    finally:
        beside.unlink(missing_ok=True)
    return True


@_asking
def delete(place: str) -> None:
    """Delete an object; it may not exist."""
    files, path = open_filesystem(place)
    try:
        files.delete_file(path)
    except FileNotFoundError:
        return


@_asking
def delete_all(place: str) -> None:
    """Delete all objects below a place; there may be none."""
    files, path = open_filesystem(place)
    files.delete_dir_contents(path, missing_dir_ok=True)


@_asking
def names(place: str) -> list[str]:
    """Names of all objects below a place, relative to it, sorted."""
    files, path = open_filesystem(place)
    selector = pafs.FileSelector(path, recursive=True, allow_not_found=True)
    found = files.get_file_info(selector)
    return sorted(i.path[len(path) + 1 :] for i in found if i.type == pafs.FileType.File)
