"""The decoded pixels of a store: one memory-mapped array per node, built once, shared by all."""

import itertools
import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from handssl.atomic import atomic_path
from handssl.data.raw.dataset import decode_rgb
from handssl.data.store.manifest import Manifest, write_json
from handssl.data.store.parallel import Progress, run_jobs
from handssl.data.store.shard import read_rows
from handssl.errors import DataError


class DecodedPixels:
    """The (N, 3, S, S) uint8 pixels of all rows, memory-mapped and read-only.

    Processes share them through the page cache. The array lies in `cache_dir`, else in the store
    if that is writable, else in the user's cache. It is written atomically; a lock keeps a second
    process from decoding the same pixels, and size and fingerprint are checked before use.

    Args:
        store: The store's folder.
        manifest: Its manifest.
        source_px: Side S.
        cache_dir: Folder of the array.
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

    def read(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Pixels of these rows, (b,) -> (b, 3, S, S); decodes everything at first use."""
        pixels: NDArray[np.uint8] = self._array[rows]
        return pixels

    @cached_property
    def _array(self) -> NDArray[np.uint8]:
        self.prepare(None, None)
        array: NDArray[np.uint8] = np.load(self.path, mmap_mode="r")
        return array

    def prepare(self, processes: int | None, progress: Progress | None) -> None:
        """Decode all pixels, unless that is done.

        Raises:
            DataError: A shard is damaged, or the array cannot be written.
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
                f"({error}); choose another cache_dir or a smaller source_px"
            ) from error

    @property
    def complete(self) -> bool:
        """Whether the array exists with the size and fingerprint of this store."""
        try:
            label = json.loads(self.path.with_suffix(".json").read_text(encoding="utf-8"))
            return bool(label == self._label | {"bytes": self.path.stat().st_size})
        except (OSError, ValueError):
            return False

    def _decode(self, processes: int | None, progress: Progress | None) -> None:
        shards = self._manifest.shards
        starts = itertools.accumulate((shard["rows"] for shard in shards), initial=0)
        with atomic_path(self.path) as partial:
            np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=self._shape)
            jobs = [
                (self._store / "shards" / shard["file"], start, partial)
                for shard, start in zip(shards, starts, strict=False)
            ]
            # Worker processes take longer to start than one or two shards take to decode.
            count = 1 if len(jobs) <= 2 else processes
            for done, _ in enumerate(run_jobs(_decode_shard, jobs, count), start=1):
                if progress is not None:
                    progress("decode", done, len(jobs))
        label = self._label | {"bytes": self.path.stat().st_size}
        write_json(self.path.with_suffix(".json"), label)


def _folder(store: Path, cache_dir: Path | None) -> Path:
    if cache_dir is not None:
        return cache_dir
    if os.access(store, os.W_OK):
        return store / "decoded"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "handssl"


def _decode_shard(shard: Path, start: int, partial: Path) -> None:
    """Check the digest of each row, and write its pixels from row `start` on."""
    pixels = np.load(partial, mmap_mode="r+")
    size = pixels.shape[-1]
    for number, (row, digest) in enumerate(read_rows(shard)):
        if digest != row["digest"]:
            raise DataError(
                f"{shard}: row {number} is damaged; delete the store and build it again"
            )
        image = decode_rgb(row["image"], f"{shard.name}: {row['source_id']}")
        if image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.BICUBIC)
        pixels[start + number] = np.asarray(image).transpose(2, 0, 1)
    pixels.flush()
