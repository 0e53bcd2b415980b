"""A folder of a study or of a store: a path that all machines share, or a prefix in a bucket.

Files are always written and read on a local disk. For a path, nothing else is needed. For a
bucket, complete files are uploaded, and other machines download them; objects have the names and
the content of the files.
"""

import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from filelock import FileLock

from handssl.data.store.manifest import MANIFEST
from handssl.errors import ConfigError
from handssl.records.uri import is_bucket, join_uri, redact
from search.storage import s3

_REQUESTS: Final = 16
"""Parallel requests when many objects are transferred."""


class Folder:
    """One folder, a path or the URI of a prefix, with the path where it is written and read."""

    def __init__(self, uri: str, local_path: Path) -> None:
        self.uri = uri
        self.local_path = local_path
        self._remote = is_bucket(uri)
        self._synced_ns: dict[str, int] = {}

    def fetch(self, *names: str) -> None:
        """Download files; delete local copies of files missing in the bucket."""
        if self._remote:
            for name in names:
                path = self.local_path / name
                if s3.download(join_uri(self.uri, name), path):
                    self._synced_ns[name] = path.stat().st_mtime_ns
                else:
                    path.unlink(missing_ok=True)

    def fetch_all(self, file_name: str) -> None:
        """Download all files of this name, in subfolders too, and delete local ones as above."""
        if self._remote:
            names = [n for n in s3.list_objects(self.uri) if Path(n).name == file_name]
            for path in self.local_path.rglob(file_name):
                if path.relative_to(self.local_path).as_posix() not in names:
                    path.unlink()
            _in_parallel(self.fetch, names)

    def put(self, *names: str) -> None:
        """Upload files in order, skipping missing and unchanged ones."""
        if self._remote:
            for name in names:
                path = self.local_path / name
                changed_ns = path.stat().st_mtime_ns if path.exists() else None
                if changed_ns is not None and changed_ns != self._synced_ns.get(name):
                    s3.upload(path, join_uri(self.uri, name))
                    self._synced_ns[name] = changed_ns

    def remove(self, name: str) -> None:
        """Delete a file, which may not exist, locally and in the bucket."""
        (self.local_path / name).unlink(missing_ok=True)
        if self._remote:
            s3.delete(join_uri(self.uri, name))


def cached_copy(uri: str) -> Folder:
    """The folder for the driver: a bucket has a lasting copy under `~/.cache/handssl`."""
    return Folder(uri, cache_path("results", uri) if is_bucket(uri) else Path(uri))


def scratch_copy(uri: str, *names: str) -> Folder:
    """The folder for one worker: a bucket has a temporary copy, deleted with the object.

    The files in `names` are downloaded if they exist. No two processes share a copy, not even a
    lost worker and its successor.
    """
    if not is_bucket(uri):
        return Folder(uri, Path(uri))
    scratch = Path(tempfile.mkdtemp(prefix="handssl-"))
    folder = Folder(uri, scratch)
    weakref.finalize(folder, shutil.rmtree, scratch, ignore_errors=True)
    folder.fetch(*names)
    return folder


def absolute_uri(uri: str) -> str:
    """A path or URI that holds in any working directory, for the workers of a cluster."""
    return uri if is_bucket(uri) else str(Path(uri).resolve())


def cache_path(kind: str, uri: str) -> Path:
    """This machine's copy of a folder in a bucket; it may be deleted at any time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    path = redact(uri).partition("?")[0].rstrip("/")
    digest = hashlib.sha256(path.encode()).hexdigest()[:12]
    return cache / "handssl" / kind / f"{path.rpartition('/')[2]}-{digest}"


def delete_tree(uri: str) -> None:
    """Delete a folder, which may not exist, with all its content."""
    if is_bucket(uri):
        s3.delete_all(uri)
    else:
        shutil.rmtree(uri, ignore_errors=True)


def local_store(uri: str, *, missing_ok: bool = False) -> Path:
    """The local path of a store; a store in a bucket is downloaded first, if it has changed.

    All processes of a machine share one copy; the first one downloads it.

    Raises:
        ConfigError: The bucket cannot be read, or holds no store and `missing_ok` is False.
    """
    if not is_bucket(uri):
        return Path(uri).resolve()
    copy = cache_path("stores", uri)
    copy.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(copy.with_name(f".{copy.name}.lock")), s3.as_config_error("data.store", uri):
        remote = s3.read(join_uri(uri, MANIFEST))
        if remote is None and not missing_ok:
            raise ConfigError(f"data.store={redact(uri)} holds no store")
        local = copy / MANIFEST
        if remote is not None and not (local.exists() and local.read_bytes() == remote):
            # The manifest comes last, as in a build: without it, no store opens.
            local.unlink(missing_ok=True)
            folder = Folder(uri, copy)
            shards = (name for name in s3.list_objects(uri) if name.startswith("shards/"))
            _in_parallel(folder.fetch, shards)
            folder.fetch(MANIFEST)
    return copy


def upload_store(uri: str) -> None:
    """Upload this machine's copy of a store unless the bucket has it; the manifest comes last.

    Raises:
        ConfigError: The bucket cannot be written.
    """
    if not is_bucket(uri):
        return
    copy = cache_path("stores", uri)
    with s3.as_config_error("data.store", uri):
        if s3.read(join_uri(uri, MANIFEST)) == (copy / MANIFEST).read_bytes():
            return
        folder = Folder(uri, copy)
        _in_parallel(folder.put, (f"shards/{path.name}" for path in copy.glob("shards/*.parquet")))
        folder.put(MANIFEST)


def _in_parallel(transfer: Callable[[str], None], names: Iterable[str]) -> None:
    with ThreadPoolExecutor(_REQUESTS) as pool:
        list(pool.map(transfer, names))
