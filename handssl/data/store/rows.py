"""All rows of a store: labels in memory, pixels read on demand. A `Store` selects some rows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from handssl.data.camera import resize_intrinsics
from handssl.data.store.manifest import Manifest
from handssl.data.store.parallel import Progress
from handssl.errors import DataError
from handssl.skeleton import NUM_JOINTS

_METADATA: Final = ["side", "group", "source_id", "split"]
_LABELS: Final = ["size_px", "intrinsics", "joints_m", "valid", "centre_px", "side_px", *_METADATA]
_INFO: Final = (
    *("name", "boxes", "counts", "schema", "stored_px"),
    *("skipped", "left_out", "source", "options"),
)


class Pixels(Protocol):
    """The pixels of N rows: those of one store, or of several."""

    def prepare(self, processes: int | None, progress: Progress | None) -> None:
        """Decode all pixels, unless that is done."""

    def read(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Pixels of these rows, (b,) -> (b, 3, S, S); decodes everything at first use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreContent:
    """Labels and pixels of N rows; shapes and units as in `Store`.

    Attributes:
        metadata: Arrow table of side, group, source_id and split; NumPy's fixed-width strings
            would take ten times the memory.
        reopen: Opens the whole store in another process.
    """

    intrinsics: NDArray[np.float32]
    joints_m: NDArray[np.float32]
    valid: NDArray[np.bool_]
    centre_px: NDArray[np.float32]
    side_px: NDArray[np.float32]
    metadata: pa.Table
    pixels: Pixels
    source_px: int
    fingerprint: str
    info: dict[str, Any]
    reopen: Callable[[], Any]

    def text(self, name: str, rows: NDArray[np.int64]) -> NDArray[np.str_]:
        """One column of the metadata, for some rows."""
        text: NDArray[np.str_] = self.metadata[name].take(rows).to_numpy().astype(np.str_)
        return text


def read_content(
    path: Path, manifest: Manifest, *, source_px: int, pixels: Pixels, reopen: Callable[[], Any]
) -> StoreContent:
    """Read the labels of all shards and convert them to S × S images.

    Raises:
        DataError: A shard cannot be read, or has other rows than the manifest says.
    """
    n = manifest.counts["images"]
    intrinsics = np.empty((n, 3, 3), dtype=np.float32)
    joints = np.empty((n, NUM_JOINTS, 3), dtype=np.float32)
    valid = np.empty((n, NUM_JOINTS), dtype=np.bool_)
    centre = np.empty((n, 2), dtype=np.float32)
    side = np.empty(n, dtype=np.float32)
    metadata: list[pa.Table] = []
    start = 0
    # Shard by shard, because float64 labels of all rows would take twice the memory.
    for shard in manifest.shards:
        table = _read_labels(path / "shards" / str(shard["file"]), shard["rows"])
        rows = slice(start, start + len(table))
        start += len(table)
        # (m,) ratio of the decoded side to the stored one, for the m rows of the shard
        factor: NDArray[np.float64] = source_px / table["size_px"].to_numpy()
        stored = _numbers(table, "intrinsics").reshape(-1, 3, 3)
        intrinsics[rows] = resize_intrinsics(stored, factor)
        joints[rows] = _numbers(table, "joints_m").reshape(-1, NUM_JOINTS, 3)
        valid[rows] = _numbers(table, "valid").reshape(-1, NUM_JOINTS) > 0
        points = _numbers(table, "centre_px").reshape(-1, 2)
        # Pixel centres are at integers, so areas map by u -> (u + 0.5) * factor - 0.5.
        centre[rows] = (points + 0.5) * factor[:, None] - 0.5
        side[rows] = table["side_px"].to_numpy() * factor
        metadata.append(table.select(_METADATA))
    return StoreContent(
        intrinsics=intrinsics,
        joints_m=joints,
        valid=valid,
        centre_px=centre,
        side_px=side,
        metadata=pa.concat_tables(metadata).combine_chunks(),
        pixels=pixels,
        source_px=source_px,
        fingerprint=manifest.fingerprint,
        info={name: getattr(manifest, name) for name in _INFO} | {"source_px": source_px},
        reopen=reopen,
    )


def _read_labels(shard: Path, rows: int) -> pa.Table:
    try:
        table = pq.read_table(shard, columns=_LABELS)
    except (OSError, KeyError, pa.ArrowInvalid) as error:
        raise DataError(f"{shard} is damaged ({error}); build the store again") from error
    if len(table) != rows:
        raise DataError(
            f"{shard} has {len(table)} rows, but the manifest says {rows}; build the store again"
        )
    return table.combine_chunks()


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    """A column of fixed-size lists of length k as one flat array of m * k numbers."""
    flat = pa.concat_arrays(table[name].chunks).flatten() if len(table) else pa.array([])
    numbers: NDArray[np.float64] = flat.to_numpy(zero_copy_only=False).astype(np.float64)
    return numbers
