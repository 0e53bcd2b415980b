"""The decoded pixels of a store: one memory-mapped array per node, built once, shared by all."""

import itertools
import json
import os
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from handssl.data.raw.dataset import decode_rgb
from handssl.data.store.manifest import Manifest, write_json
from handssl.data.store.parallel import Progress, run_jobs
from handssl.data.store.shard import row_digest
from handssl.errors import DataError

_BATCH: Final = 64


class DecodedPixels:
    """The (N, 3, S, S) uint8 pixels of all rows, memory-mapped; decoded first if need be.

    The array lies in `cache_dir`, else beside the shards where that can be written to, else in
    the user's cache. It appears under its name only when it is complete; a lock keeps a second
    process from decoding the same, and size and fingerprint are checked before it is used.

    Args:
        store: The store's folder.
        manifest: Its manifest.
        source_px: Side S.
        cache_dir: Where to keep the array.
    """

    def __init__(
        self, store: Path, manifest: Manifest, *, source_px: int, cache_dir: Path | None
    ) -> None:
        self._store = store
        self._manifest = manifest
        self._shape = (manifest.counts["images"], 3, source_px, source_px)
        stem = f"decoded-{source_px}-{manifest.fingerprint[:16]}"
        self.path = _folder(store, cache_dir) / f"{stem}.npy"
        self._label = {"fingerprint": manifest.fingerprint, "shape": list(self._shape)}

    @cached_property
    def array(self) -> NDArray[np.uint8]:
        """The pixels, read-only and shared between processes by the page cache."""
        self.prepare(None, None)
        pixels: NDArray[np.uint8] = np.load(self.path, mmap_mode="r")
        return pixels

    def prepare(self, processes: int | None, progress: Progress | None) -> None:
        """Decode unless it is done.

        Raises:
            DataError: A shard is damaged, or there is no room.
        """
        if self.complete:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock")):
                if not self.complete:
                    self._decode(processes, progress)
        except OSError as error:
            size = np.prod(self._shape) / 1e9
            raise DataError(
                f"cannot write the decoded pixels ({size:.2f} GB) to {self.path.parent} "
                f"({error}); give another cache_dir or a smaller source_px"
            ) from error

    @property
    def complete(self) -> bool:
        """Whether the array is there, whole, and of this content."""
        try:
            found = json.loads(self.path.with_suffix(".json").read_text(encoding="utf-8"))
            return bool(found == self._label | {"bytes": self.path.stat().st_size})
        except (OSError, ValueError):
            return False

    def _decode(self, processes: int | None, progress: Progress | None) -> None:
        shards = self._manifest.shards
        starts = itertools.accumulate((shard["rows"] for shard in shards), initial=0)
        partial = _new_file(self.path)
        try:
            np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=self._shape)
            jobs = [
                (self._store / "shards" / shard["file"], start, partial)
                for shard, start in zip(shards, starts, strict=False)
            ]
            # One or two shards are decoded before worker processes would have started.
            count = 1 if len(jobs) <= 2 else processes
            for done, _ in enumerate(run_jobs(_decode_shard, jobs, count), start=1):
                if progress is not None:
                    progress("decode", done, len(jobs))
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)
        label = self._label | {"bytes": self.path.stat().st_size}
        write_json(self.path.with_suffix(".json"), label)


def _folder(store: Path, cache_dir: Path | None) -> Path:
    if cache_dir is not None:
        return cache_dir
    if os.access(store, os.W_OK):
        return store / "decoded"
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "handssl"


def _new_file(path: Path) -> Path:
    handle, name = tempfile.mkstemp(suffix=".part", prefix=f".{path.stem}", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    # A temporary file is its owner's alone; the pixels are for every reader of the folder.
    partial.chmod(0o644)
    return partial


def _decode_shard(shard: Path, start: int, partial: Path) -> int:
    """Check each row's digest and write its pixels at its place; how many there were."""
    pixels = np.load(partial, mmap_mode="r+")
    size = pixels.shape[-1]
    position = start
    for batch in pq.ParquetFile(shard).iter_batches(_BATCH):
        for row in batch.to_pylist():
            if row_digest(row) != row["digest"]:
                raise DataError(
                    f"{shard}: row {position - start} is damaged; delete the store and build it "
                    "again"
                )
            image = decode_rgb(row["image"], f"{shard.name}: {row['source_id']}")
            if image.size != (size, size):
                image = image.resize((size, size), Image.Resampling.BICUBIC)
            pixels[position] = np.asarray(image).transpose(2, 0, 1)
            position += 1
    pixels.flush()
    return position - start
