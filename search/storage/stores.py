"""A store in a bucket: each machine has a copy, from which pixels are decoded and mapped."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from filelock import FileLock

from handssl.data.store.manifest import MANIFEST
from handssl.errors import ConfigError
from search.storage import s3 as buckets
from search.storage.folder import Folder, cached
from search.storage.s3 import is_bucket, join

_REQUESTS: Final = 16


def local_store(place: str, *, missing_ok: bool = False) -> Path:
    """The path of a store; for one in a bucket, that of this machine's copy, up to date.

    The copy is shared by all processes of the machine; the first one fetches it.

    Args:
        place: The store's path or URI.
        missing_ok: Whether there may be no store there yet.

    Raises:
        ConfigError: The bucket cannot be read, or holds no store there.
    """
    if not is_bucket(place):
        return Path(place).resolve()
    copy = cached("stores", place)
    copy.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(copy.with_name(f".{copy.name}.lock")), buckets.refusing("data.store", place):
        there = buckets.read(join(place, MANIFEST))
        if there is None and not missing_ok:
            raise ConfigError(f"data.store={buckets.shown(place)} holds no store")
        here = copy / MANIFEST
        if there is not None and not (here.exists() and here.read_bytes() == there):
            # The manifest comes last, as when the store was built: without it, no store opens.
            here.unlink(missing_ok=True)
            folder = Folder(place, copy)
            shards = [name for name in buckets.names(place) if name.startswith("shards/")]
            with ThreadPoolExecutor(_REQUESTS) as pool:
                list(pool.map(folder.fetch, shards))
            folder.fetch(MANIFEST)
    return copy


def put_store(place: str) -> None:
    """Bring this machine's copy of a store to its bucket, unless it is there; the manifest last.

    Raises:
        ConfigError: The bucket cannot be written to.
    """
    if not is_bucket(place):
        return
    copy = cached("stores", place)
    with buckets.refusing("data.store", place):
        if buckets.read(join(place, MANIFEST)) == (copy / MANIFEST).read_bytes():
            return
        folder = Folder(place, copy)
        shards = sorted(f"shards/{path.name}" for path in copy.glob("shards/*.parquet"))
        with ThreadPoolExecutor(_REQUESTS) as pool:
            list(pool.map(folder.put, shards))
        folder.put(MANIFEST)
