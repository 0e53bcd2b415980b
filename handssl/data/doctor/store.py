"""Checks of a store: the checksum of every row, the fingerprint, the splits."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from handssl.data.doctor import Finding, check
from handssl.data.store.manifest import Manifest, read_manifest
from handssl.data.store.open import open_store
from handssl.data.store.parallel import Progress
from handssl.data.store.shard import row_digest, rows_digest
from handssl.errors import DataError

_BATCH = 64


def examine_store(root: Path, progress: Progress | None) -> Iterator[Finding]:
    """All checks that do not need the raw data."""
    try:
        manifest = read_manifest(root)
        store = open_store(root)
    except DataError as error:
        yield Finding(level="error", text=str(error))
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in manifest.counts.items())
    yield Finding(level="ok", text=f"{manifest.name}: {counts}; boxes={manifest.boxes}")
    yield from _examine_rows(root, manifest, progress)
    groups = {name: set(store.split(name).groups.tolist()) for name in set(store.splits.tolist())}
    shared = groups.get("train", set()) & groups.get("val", set())
    yield check(
        not shared, f"{len(shared)} groups are in both train and val", "build the store again"
    )
    if "val" not in groups:
        yield Finding(level="warning", text="no validation rows", advice="convert that split too")
    if manifest.boxes == "joints":
        yield Finding(
            level="note",
            text="the hand's boxes come from labels, as in the paper, so pretraining on them is "
            "not label-free",
            advice="use boxes=centre or boxes=file for label-free pretraining",
        )
    if manifest.skipped:
        yield Finding(
            level="warning",
            text=f"{len(manifest.skipped):,} images were unusable and skipped, the first: "
            f"{manifest.skipped[0][1]}",
        )


def _examine_rows(root: Path, manifest: Manifest, progress: Progress | None) -> Iterator[Finding]:
    digests: list[bytes] = []
    damaged: list[str] = []
    for done, shard in enumerate(manifest.shards, start=1):
        path = root / "shards" / str(shard["file"])
        try:
            for batch in pq.ParquetFile(path).iter_batches(_BATCH):
                for row in batch.to_pylist():
                    digests.append(row_digest(row))
                    if digests[-1] != row["digest"]:
                        damaged.append(f"{path.name}: {row['source_id']}")
        except (OSError, KeyError, pa.ArrowInvalid) as error:
            damaged.append(f"{path.name}: {error}")
        if progress is not None:
            progress("check", done, len(manifest.shards))
    whole = not damaged and rows_digest(digests) == manifest.fingerprint
    text = f"checksums of {len(digests):,} rows agree with the fingerprint"
    if not whole:
        first = f", the first: {damaged[0]}" if damaged else ""
        text = f"the content changed after it was written; damaged: {len(damaged)}{first}"
    yield check(whole, text, f"delete {root} and build it again")
