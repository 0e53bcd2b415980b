"""The expected size of a store, from a sample of its images, before it is built."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from handssl.data.raw.dataset import RawDataset, total_left_out
from handssl.data.store.boxes import Boxes
from handssl.data.store.shard import ShardJob, make_row
from handssl.disk import free_bytes
from handssl.errors import DataError

_SAMPLE: Final = 32
_LABEL_BYTES: Final = 800
"""Labels, names and digest of a row: 75 numbers as float64, lightly compressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Expected sizes.

    Attributes:
        images: Number of rows if no image is skipped.
        store_bytes: Size of the Parquet shards.
        decoded_bytes: Size of the decoded pixels, at the stored size (at most 224).
        free_bytes: Free space on the disk of the store's folder.
    """

    images: int
    store_bytes: int
    decoded_bytes: int
    free_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.images:,} images: store {_gb(self.store_bytes)}, decoded pixels "
            f"{_gb(self.decoded_bytes)}, free {_gb(self.free_bytes)}"
        )


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def forecast(job: ShardJob, boxes: Boxes, sources: Sequence[RawDataset]) -> Forecast:
    """Encode a few rows spread over each data set, and extrapolate.

    Raises:
        DataError: No image of the sample is usable (strict: an image is unusable).
    """
    images = sum(len(source) for source in sources)
    if images == 0:
        left_out = total_left_out(sources) or "none"
        raise DataError(f"{job.name} has no image to convert; left out: {left_out}")
    sizes: list[tuple[int, int]] = []  # of the JPEG in bytes, of its side in pixels
    problems: list[str] = []
    for source in sources:
        for start in range(0, len(source), max(1, len(source) // _SAMPLE)):
            try:
                row = make_row(job, next(iter(source.annotations(start))), boxes)
            except DataError as error:
                if job.strict:
                    raise
                problems.append(str(error))
                continue
            sizes.append((len(row["image"]), row["size_px"]))
    if not sizes:
        raise DataError(
            f"none of {len(problems)} sampled images can be used; the first: {problems[0]}"
        )
    widest = min(224, max(side for _, side in sizes))
    return Forecast(
        images=images,
        store_bytes=images * (sum(size for size, _ in sizes) // len(sizes) + _LABEL_BYTES),
        decoded_bytes=images * 3 * widest**2,
        free_bytes=free_bytes(job.folder),
    )
