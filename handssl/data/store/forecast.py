"""How large a store will be, from a sample, before it is built."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handssl.data.raw.dataset import RawDataset
from handssl.data.store.plan import BuildPlan
from handssl.data.store.shard import make_row
from handssl.disk import free_bytes
from handssl.errors import DataError

_SAMPLE: Final = 32
_LABEL_BYTES: Final = 800
"""Labels, names and digest of a row: 75 numbers as float64, lightly compressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Expected sizes.

    Attributes:
        images: Rows if none is skipped.
        store_bytes: Of the Parquet shards.
        decoded_bytes: Of the decoded pixels, at the stored size (at most 224).
        free_bytes: On the disk that holds the store's folder.
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


def forecast(plan: BuildPlan, sources: Sequence[RawDataset]) -> Forecast:
    """Encode a few rows spread over each data set, and multiply.

    Raises:
        DataError: No image of the sample (strict: not every one) can be used; names the first.
    """
    images = sum(len(source) for source in sources)
    if images == 0:
        left_out = {kind: n for source in sources for kind, n in source.left_out.items()}
        raise DataError(f"{plan.job.name} has no image to convert; left out: {left_out or 'none'}")
    sizes: list[int] = []
    widest = 0
    problems: list[str] = []
    for source in sources:
        step = max(1, len(source) // _SAMPLE)
        for start in range(0, len(source), step):
            for annotation in itertools.islice(source.annotations(start), 1):
                try:
                    row = make_row(plan.job, annotation, plan.boxes)
                except DataError as error:
                    if plan.job.strict:
                        raise
                    problems.append(str(error))
                    continue
                sizes.append(len(row["image"]))
                widest = max(widest, min(224, row["size_px"]))
    if not sizes:
        first = f"; the first: {problems[0]}" if problems else ""
        raise DataError(f"none of {len(problems)} sampled images can be used{first}")
    return Forecast(
        images=images,
        store_bytes=images * (sum(sizes) // len(sizes) + _LABEL_BYTES),
        decoded_bytes=images * 3 * widest**2,
        free_bytes=free_bytes(plan.out),
    )


def written_bytes(folder: Path) -> int:
    """What an interrupted build has already written."""
    return sum(path.stat().st_size for path in folder.glob("*.parquet"))
