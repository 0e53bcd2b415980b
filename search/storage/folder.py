"""A folder of the study: a path that all machines share, or a bucket with a copy on each machine.

Files are always written and read in a folder of this machine. Where the place is a path, that is
all. Where it is a bucket, a file that is whole is put there, and another machine fetches it: the
objects of a study have the names and the content of its files.
"""

import hashlib
import os
import shutil
import tempfile
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from search.storage import s3 as buckets
from search.storage.s3 import is_bucket, join

_REQUESTS: Final = 16
"""Requests in flight when many objects are fetched."""


class Folder:
    """One folder.

    Args:
        place: Its path or URI.
        local: Folder of this machine to work in; for a path, the path itself.

    Attributes:
        place: Its path or URI.
        local: Where its files are written and read.
    """

    def __init__(self, place: str, local: Path) -> None:
        self.place = place
        self.local = local
        self._remote = is_bucket(place)
        self._same: dict[str, int] = {}

    def fetch(self, *names: str) -> None:
        """Bring files here as they are there; what is not there is not here either."""
        if self._remote:
            for name in names:
                path = self.local / name
                if buckets.download(join(self.place, name), path):
                    self._same[name] = path.stat().st_mtime_ns
                else:
                    path.unlink(missing_ok=True)

    def fetch_all(self, last: str) -> None:
        """Bring all files below that have this name; those that are gone there go here too."""
        if self._remote:
            there = [name for name in buckets.names(self.place) if Path(name).name == last]
            for path in self.local.rglob(last):
                if path.relative_to(self.local).as_posix() not in there:
                    path.unlink()
            with ThreadPoolExecutor(_REQUESTS) as pool:
                list(pool.map(self.fetch, there))

    def put(self, *names: str) -> None:
        """Bring files there, in this order; those that are not here or have not changed stay."""
        if self._remote:
            for name in names:
                path = self.local / name
                changed = path.stat().st_mtime_ns if path.exists() else None
                if changed is not None and changed != self._same.get(name):
                    buckets.upload(path, join(self.place, name))
                    self._same[name] = changed

    def remove(self, name: str) -> None:
        """Delete a file here and there; it may not exist."""
        (self.local / name).unlink(missing_ok=True)
        if self._remote:
            buckets.delete(join(self.place, name))


def mirrored(place: str) -> Folder:
    """A folder as the driver sees it: a bucket's has a lasting copy under `~/.cache/handssl`."""
    return Folder(place, cached("results", place) if is_bucket(place) else Path(place))


def own(place: str, *names: str) -> Folder:
    """A folder as one worker sees it: a bucket's has a copy that goes with the object.

    In the copy are these of its files, as far as they exist. Two processes of a machine never
    share one, not even a lost worker and its successor.
    """
    if not is_bucket(place):
        return Folder(place, Path(place))
    scratch = Path(tempfile.mkdtemp(prefix="handssl-"))
    folder = Folder(place, scratch)
    weakref.finalize(folder, shutil.rmtree, scratch, ignore_errors=True)
    folder.fetch(*names)
    return folder


def everywhere(place: str) -> str:
    """A place as every node of a cluster knows it: whatever its working directory is."""
    return place if is_bucket(place) else str(Path(place).resolve())


def cached(kind: str, place: str) -> Path:
    """Where this machine keeps its copy of a bucket's folder; it may be deleted at any time."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    path = buckets.shown(place).partition("?")[0].rstrip("/")
    digest = hashlib.sha256(path.encode()).hexdigest()[:12]
    return Path(home) / "handssl" / kind / f"{path.rpartition('/')[2]}-{digest}"


def delete_tree(place: str) -> None:
    """Delete a folder and all that is in it; it may not exist."""
    if is_bucket(place):
        buckets.delete_all(place)
    else:
        shutil.rmtree(place, ignore_errors=True)
