"""Objects in a bucket (`s3://bucket/prefix?options`), through pyarrow's file system.

A PUT is atomic: a reader gets the whole object or none. Options are pyarrow's (`region`,
`endpoint_override`, `scheme`). Keys and the address of a store other than Amazon's come from the
environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT_URL`) or from the role of
the machine.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow.fs as pafs

from handssl.atomic import atomic_path
from handssl.errors import ConfigError
from handssl.records.uri import open_filesystem, redact


@contextmanager
def _with_errno() -> Iterator[None]:
    """Give every failed request an error number, as `disk.environment_error` expects."""
    try:
        yield
    except OSError as error:
        if error.errno:
            raise
        raise OSError(errno.EIO, " ".join(str(error).split())) from error


@contextmanager
def as_config_error(key: str, uri: str) -> Iterator[None]:
    """Turn a failed request into a ConfigError with the configuration key and the reason."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{key} must be a bucket that can be reached, read and written, but got "
            f"{key}={redact(uri)} ({error.strerror or error})"
        ) from error


@_with_errno()
def read(uri: str) -> bytes | None:
    """The content of an object; None if it does not exist."""
    files, path = open_filesystem(uri)
    try:
        with files.open_input_file(path) as stream:
            content: bytes = stream.read()
    except FileNotFoundError:
        return None
    return content


@_with_errno()
def write(uri: str, content: bytes) -> None:
    """Write a small object."""
    files, path = open_filesystem(uri)
    with files.open_output_stream(path) as stream:
        stream.write(content)


@_with_errno()
def upload(path: Path, uri: str) -> None:
    """Upload a file; an interrupted upload creates no object."""
    files, key = open_filesystem(uri)
    local = pafs.LocalFileSystem()
    pafs.copy_files(str(path), key, source_filesystem=local, destination_filesystem=files)


@_with_errno()
def download(uri: str, path: Path) -> bool:
    """Download an object to a path, atomically; False if the object does not exist."""
    files, key = open_filesystem(uri)
    local = pafs.LocalFileSystem()
    try:
        with atomic_path(path) as partial:
            pafs.copy_files(
                key, str(partial), source_filesystem=files, destination_filesystem=local
            )
    except FileNotFoundError:
        return False
    return True


@_with_errno()
def delete(uri: str) -> None:
    """Delete an object, which may not exist."""
    files, path = open_filesystem(uri)
    with suppress(FileNotFoundError):
        files.delete_file(path)


@_with_errno()
def delete_all(uri: str) -> None:
    """Delete all objects below a prefix."""
    files, path = open_filesystem(uri)
    files.delete_dir_contents(path, missing_dir_ok=True)


@_with_errno()
def list_objects(uri: str) -> list[str]:
    """Names of all objects below a prefix, relative to it, sorted."""
    files, path = open_filesystem(uri)
    selector = pafs.FileSelector(path, recursive=True, allow_not_found=True)
    entries = files.get_file_info(selector)
    return sorted(e.path[len(path) + 1 :] for e in entries if e.type == pafs.FileType.File)
