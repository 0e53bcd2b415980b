"""A data set ready for training: decoded pixels shared in memory, and labels."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from handssl.data.sample import HandSample
from handssl.data.store.parallel import Progress
from handssl.data.store.rows import StoreContent
from handssl.errors import DataError, require

if TYPE_CHECKING:
    import torch


class Store:
    """All rows of a store, or a subset of them; subsets share its pixels.

    Made by `open_store`, `join_stores`, `split`, `take` and `select`. A pickled store holds its
    path and row numbers, not the data.

    Attributes:
        indices: (n,) row numbers in the whole store.
    """

    def __init__(self, content: StoreContent, indices: NDArray[np.int64] | None = None) -> None:
        self._content = content
        count = len(content.side_px)
        self.indices = np.arange(count, dtype=np.int64) if indices is None else indices

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen_subset, (self._content.reopen, self.indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, row: int) -> HandSample:
        """One labelled image, S × S."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"row must be below {len(self)}, but got row={row}")
        index = int(self.indices[row])
        content = self._content
        names = ("side", "group", "source_id")
        return HandSample(
            image=np.ascontiguousarray(self.pixels(np.array([row]))[0].transpose(1, 2, 0)),
            intrinsics=content.intrinsics[index].astype(np.float64),
            joints_m=content.joints_m[index].astype(np.float64),
            valid=content.valid[index],
            **{name: content.metadata[name][index].as_py() for name in names},
        )

    def __iter__(self) -> Iterator[HandSample]:
        return (self[row] for row in range(len(self)))

    def prepare(self, *, processes: int | None = None, progress: Progress | None = None) -> Self:
        """Decode all pixels now, unless that is done; progress is called after each shard."""
        self._content.pixels.prepare(processes, progress)
        return self

    def select(self, rows: NDArray[np.integer[Any]]) -> "Store":
        """The subset of these rows, in this order; rows may repeat."""
        return Store(self._content, self.indices[rows])

    def split(self, name: str) -> "Store":
        """The rows of one split: "train", "val" or "test".

        Raises:
            DataError: There are no such rows.
        """
        names, counts = np.unique(self.splits, return_counts=True)
        if name not in names:
            available = dict(zip(names.tolist(), counts.tolist(), strict=True))
            raise DataError(
                f"split must be one that has rows, but got split={name!r} of {available}; "
                "take more images, or convert that split too"
            )
        return self.select(np.flatnonzero(self.splits == name))

    def take(self, n_images: int) -> "Store":
        """The first whole groups with at most `n_images` rows together, at least one group.

        Groups are ordered by their first row within their split, and splits are interleaved in
        proportion to their sizes. So the subset keeps the ratio of the splits as far as whole
        groups allow, is deterministic, and contains every smaller one. In a joined store the same
        holds for each member.

        Args:
            n_images: Largest number of rows, at least 1.
        """
        require(n_images >= 1, f"n_images must be >= 1, but got n_images={n_images}")
        # For the g groups: first row (g,), size (g,); group number of each row (n,).
        _, first, group, count = np.unique(
            self.groups, return_index=True, return_inverse=True, return_counts=True
        )
        stratum = self.splits[first]  # (g,)
        if "members" in self._content.info:  # joined: groups are named "<member>/<group>"
            members = [name.split("/", 1)[0] for name in self.groups[first].tolist()]
            stratum = np.array(
                [f"{split}/{name}" for split, name in zip(stratum.tolist(), members, strict=True)]
            )
        # (g,) position of each group's middle row within its stratum, in [0, 1]
        position = np.empty(len(first))
        for name in np.unique(stratum):
            chosen = np.flatnonzero(stratum == name)
            chosen = chosen[np.argsort(first[chosen])]
            middle = np.cumsum(count[chosen]) - count[chosen] / 2
            position[chosen] = middle / count[chosen].sum()
        order = np.lexsort((first, position))
        n_groups = max(1, int((np.cumsum(count[order]) <= n_images).sum()))
        return self.select(np.flatnonzero(np.isin(group, order[:n_groups])))

    def pixels(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Pixels of these rows, (b,) -> (b, 3, S, S) uint8; decodes the store at first use."""
        return self._content.pixels.read(self.indices[rows])

    def batch(self, rows: NDArray[np.integer[Any]]) -> "torch.Tensor":
        """`pixels` as a tensor: (b,) -> (b, 3, S, S) uint8."""
        # Imported here because the processes that build stores do not load torch.
        import torch  # noqa: PLC0415

        return torch.from_numpy(self.pixels(rows))

    @property
    def joints_m(self) -> NDArray[np.float32]:
        """(n, 21, 3) joints in the camera frame, metres; NaN where not labelled."""
        return self._content.joints_m[self.indices]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(n, 21) True for joints with a label."""
        return self._content.valid[self.indices]

    @property
    def intrinsics(self) -> NDArray[np.float32]:
        """(n, 3, 3) camera matrices of the S × S images, pixels."""
        return self._content.intrinsics[self.indices]

    @property
    def centre_px(self) -> NDArray[np.float32]:
        """(n, 2) centre of the hand's box in the S × S images, pixel centres at integers."""
        return self._content.centre_px[self.indices]

    @property
    def side_px(self) -> NDArray[np.float32]:
        """(n,) side of the hand's box (margin 1.25) in pixels of the S × S images."""
        return self._content.side_px[self.indices]

    @property
    def sides(self) -> NDArray[np.str_]:
        """(n,) "right" or "left" before mirroring."""
        return self._content.text("side", self.indices)

    @property
    def groups(self) -> NDArray[np.str_]:
        """(n,) pose or capture of each row; a group is never divided between splits."""
        return self._content.text("group", self.indices)

    @property
    def source_ids(self) -> NDArray[np.str_]:
        """(n,) names of the images within their data set."""
        return self._content.text("source_id", self.indices)

    @property
    def splits(self) -> NDArray[np.str_]:
        """(n,) "train", "val" or "test"."""
        return self._content.text("split", self.indices)

    @property
    def source_px(self) -> int:
        """Side S of the images."""
        return self._content.source_px

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole store's content."""
        return self._content.fingerprint

    @property
    def info(self) -> dict[str, Any]:
        """Name, boxes, counts, schema, skipped, left_out, source and options of the store."""
        return dict(self._content.info)


def _reopen_subset(reopen: Callable[[], Store], indices: NDArray[np.int64]) -> Store:
    return reopen().select(indices)
