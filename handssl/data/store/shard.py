"""One Parquet file of a store: its schema, its checksums, and its construction."""

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from handssl.atomic import atomic_path
from handssl.data.raw.dataset import Annotation, load_pixels, read_bytes
from handssl.data.store.boxes import Boxes, BoxKind, box_of
from handssl.data.store.crop import store_square
from handssl.errors import DataError

SCHEMA_VERSION: Final = 1
SHARD_ROWS: Final = 512
"""Annotations in one shard: about 8 MB of JPEG, a second or two of work to lose or redo."""

SCHEMA: Final = pa.schema(
    [
        ("image", pa.binary()),
        ("size_px", pa.int32()),
        ("intrinsics", pa.list_(pa.float64(), 9)),
        ("joints_m", pa.list_(pa.float64(), 63)),
        ("valid", pa.list_(pa.bool_(), 21)),
        ("centre_px", pa.list_(pa.float64(), 2)),
        ("side_px", pa.float64()),
        ("side", pa.string()),
        ("group", pa.string()),
        ("source_id", pa.string()),
        ("split", pa.string()),
        ("digest", pa.binary(32)),
    ]
)
_KEY: Final = b"handssl"
_BATCH: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardJob:
    """The settings that all shards of a store share.

    Attributes:
        folder: Folder of the shards.
        name: Name of the store.
        boxes: Kind of box.
        stored_px: Largest side of a stored image.
        strict: Refuse unusable samples instead of skipping them.
        plan: Digest of everything that decides the content; a shard of another plan is rebuilt.
    """

    folder: Path
    name: str
    boxes: BoxKind
    stored_px: int
    strict: bool
    plan: str

    def path(self, index: int) -> Path:
        """Path of the shard of this number."""
        return self.folder / f"{index:05d}.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardReport:
    """Summary of a shard, also written to its footer."""

    plan: str
    rows: int
    digest: str
    largest_px: int
    skipped: tuple[tuple[str, str], ...]
    schema: int = SCHEMA_VERSION


def row_digest(row: dict[str, Any]) -> bytes:
    """SHA-256 over a row's content: every field in the schema's order, lengths included."""
    sha = hashlib.sha256()
    for field in SCHEMA:
        if field.name == "digest":
            continue
        value = row[field.name]
        if isinstance(value, bytes):
            content = value
        elif isinstance(value, str):
            content = value.encode()
        else:
            numbers = np.asarray(value, dtype="<f8")
            # One bit pattern for every NaN.
            content = np.where(np.isnan(numbers), np.nan, numbers).astype("<f8").tobytes()
        sha.update(struct.pack("<q", len(content)))
        sha.update(content)
    return sha.digest()


def rows_digest(digests: Iterable[bytes]) -> str:
    """SHA-256 over row digests, in order."""
    sha = hashlib.sha256()
    for digest in digests:
        sha.update(digest)
    return sha.hexdigest()


def read_rows(path: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The rows of a shard in order, each with the digest of its present content."""
    for batch in pq.ParquetFile(path).iter_batches(_BATCH):
        for row in batch.to_pylist():
            yield row, row_digest(row)


def write_shard(
    job: ShardJob, index: int, annotations: Sequence[Annotation], boxes: Boxes
) -> ShardReport:
    """Load, crop and encode a chunk of annotations into one shard, unless it is finished.

    Args:
        job: The settings that all shards share.
        index: Number of the chunk.
        annotations: The chunk.
        boxes: Boxes by source id, for boxes=file.

    Raises:
        DataError: With `job.strict`, the first unusable sample.
    """
    path = job.path(index)
    report = read_report(path)
    if report is not None and report.plan == job.plan:
        return report
    rows: list[dict[str, Any]] = []
    skipped: list[tuple[str, str]] = []
    for annotation in annotations:
        try:
            rows.append(make_row(job, annotation, boxes))
        except DataError as error:
            if job.strict:
                raise
            skipped.append((annotation.name, str(error)))
    report = ShardReport(
        plan=job.plan,
        rows=len(rows),
        digest=rows_digest(row["digest"] for row in rows),
        largest_px=max((row["size_px"] for row in rows), default=0),
        skipped=tuple(skipped),
    )
    footer = SCHEMA.with_metadata({_KEY: json.dumps(asdict(report)).encode()})
    table = pa.Table.from_pylist(rows, schema=SCHEMA).cast(footer)
    # JPEG does not compress further; labels do.
    codecs = {field.name: "none" if field.name == "image" else "zstd" for field in SCHEMA}
    columns = ["group", "side", "split"]
    with atomic_path(path) as partial:
        pq.write_table(table, partial, compression=codecs, use_dictionary=columns)
    return report


def make_row(job: ShardJob, annotation: Annotation, boxes: Boxes) -> dict[str, Any]:
    """One row of a shard: the stored square with its camera, box and labels.

    Raises:
        DataError: The sample is unusable; the message names its file.
    """
    original = read_bytes(annotation)
    image = load_pixels(annotation, original)
    crop = store_square(
        image,
        original,
        annotation.intrinsics,
        box_of(annotation, image.size, job.boxes, boxes),
        stored_px=job.stored_px,
        changed=annotation.mirror,
    )
    row: dict[str, Any] = {
        "image": crop.jpeg,
        "size_px": crop.size_px,
        "intrinsics": crop.intrinsics.ravel().tolist(),
        "joints_m": annotation.joints_m.ravel().tolist(),
        "valid": annotation.valid.tolist(),
        "centre_px": list(crop.box.centre_px),
        "side_px": crop.box.side_px,
        "side": annotation.side,
        "group": annotation.group,
        "source_id": annotation.source_id,
        "split": annotation.split,
    }
    row["digest"] = row_digest(row)
    return row


def read_report(path: Path) -> ShardReport | None:
    """The summary in a shard's footer, or None if there is no readable shard of this schema."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
        content = json.loads(metadata[_KEY])
        skipped = tuple((str(file), str(reason)) for file, reason in content.pop("skipped"))
        report = ShardReport(**content, skipped=skipped)
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowInvalid):
        return None
    return report if report.schema == SCHEMA_VERSION else None
