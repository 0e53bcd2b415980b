"""A data set ready for training: decoded pixels shared in memory, labels beside them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from handssl.data.sample import HandSample
from handssl.data.store.decoded import DecodedPixels
from handssl.data.store.manifest import read_manifest
from handssl.data.store.parallel import Progress
from handssl.data.store.rows import PixelArray, StoreContent, read_content
from handssl.errors import ConfigError, DataError

if TYPE_CHECKING:
    import torch


def open_store(
    path: str | Path, *, source_px: int | None = None, cache_dir: str | Path | None = None
) -> "Store":
    """Open a finished store. Pixels are decoded at first use, or by `Store.prepare`.

    Args:
        path: The store's folder, or one that combines several (`handssl.data.joined`).
        source_px: Side S of the decoded images; default the stored one, at most 224.
        cache_dir: Where the decoded pixels lie; default beside the store.

    Raises:
        DataError: The store is missing, half-built, of another schema or damaged.
    """
    # Absolute, as a pickled store is opened by processes that work elsewhere.
    path = Path(path).absolute()
    cache = None if cache_dir is None else Path(cache_dir).absolute()
    # Here: joining is built on this module.
    from handssl.data.store.joined import JOINED, open_joined  # noqa: PLC0415

    if (path / JOINED).exists():
        return open_joined(path, source_px=source_px, cache_dir=cache)
    manifest = read_manifest(path)
    size = min(224, manifest.stored_px) if source_px is None else source_px
    if size < 16:
        raise ConfigError(f"source_px must be >= 16, but got source_px={size}")
    pixels = DecodedPixels(path, manifest, source_px=size, cache_dir=cache)
    return Store(
        read_content(
            path, manifest, source_px=size, pixels=pixels, reopen=(_reopen, (path, size, cache))
        )
    )


def _reopen(path: Path, source_px: int, cache_dir: Path | None) -> "Store":
    return open_store(path, source_px=source_px, cache_dir=cache_dir)


def _view(reopen: Any, arguments: tuple[Any, ...], indices: NDArray[np.int64]) -> "Store":
    whole: Store = reopen(*arguments)
    return whole.select(indices)


class Store:
    """A view of some rows of a store; all views of one store share its pixels.

    Made by `open_store`, `join_stores`, `split`, `take` and `select`. Pickling it sends the path
    and the rows' numbers, not the data.

    Attributes:
        indices: (n,) this view's rows in `images`.
    """

    def __init__(self, content: StoreContent, indices: NDArray[np.int64] | None = None) -> None:
        self._content = content
        count = len(content.side_px)
        self.indices = np.arange(count, dtype=np.int64) if indices is None else indices

    def __reduce__(self) -> tuple[Any, ...]:
        reopen, arguments = self._content.reopen
        return _view, (reopen, arguments, self.indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, row: int) -> HandSample:
        """One labelled image, S × S."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"row must be below {len(self)}, but got row={row}")
        index = int(self.indices[row])
        content = self._content
        return HandSample(
            image=np.ascontiguousarray(self.images[index].transpose(1, 2, 0)),
            intrinsics=content.intrinsics[index].astype(np.float64),
            joints_m=content.joints_m[index].astype(np.float64),
            valid=content.valid[index],
            side=content.words["side"][index].as_py(),
            group=content.words["group"][index].as_py(),
            source_id=content.words["source_id"][index].as_py(),
        )

    def __iter__(self) -> Iterator[HandSample]:
        return (self[row] for row in range(len(self)))

    def prepare(self, *, processes: int | None = None, progress: Progress | None = None) -> Self:
        """Decode all pixels now, unless that is done; progress is called after each shard."""
        self._content.pixels.prepare(processes, progress)
        return self

    def select(self, rows: NDArray[np.integer[Any]]) -> "Store":
        """A view of these rows of this view, in this order."""
        return Store(self._content, self.indices[rows])

    def split(self, name: str) -> "Store":
        """The rows of one side of the split: "train", "val" or "test".

        Raises:
            DataError: There are no such rows.
        """
        names, counts = np.unique(self.splits, return_counts=True)
        if name not in names:
            found = dict(zip(names.tolist(), counts.tolist(), strict=True))
            raise DataError(
                f"split must be one that has rows, but got split={name!r} of {found}; "
                "take more images, or convert that split too"
            )
        return self.select(np.flatnonzero(self.splits == name))

    def take(self, n_images: int) -> "Store":
        """The first whole groups that together have at most `n_images` rows, at least one group.

        Groups count in the order of their first row within their side of the split, and the
        sides are interleaved by their sizes, so the result keeps the splits' shares as far as
        whole groups allow and is the same every time; a smaller one is part of a larger one. Of
        a joined store, each member's rows are a side of their own: their shares are kept too.

        Args:
            n_images: Upper bound of the number of rows, at least 1.
        """
        if n_images < 1:
            raise ConfigError(f"n_images must be >= 1, but got n_images={n_images}")
        _, first, group, count = np.unique(
            self.groups, return_index=True, return_inverse=True, return_counts=True
        )
        side = self.splits[first]
        if "members" in self._content.info:  # joining put the member's name before the group's
            members = [name.split("/", 1)[0] for name in self.groups[first].tolist()]
            side = np.array([f"{a}/{b}" for a, b in zip(side.tolist(), members, strict=True)])
        place = np.empty(len(first))
        for name in np.unique(side):
            own = np.flatnonzero(side == name)
            own = own[np.argsort(first[own])]
            before = np.cumsum(count[own]) - count[own] / 2
            place[own] = before / count[own].sum()
        order = np.lexsort((first, place))
        kept = max(1, int((np.cumsum(count[order]) <= n_images).sum()))
        return self.select(np.flatnonzero(np.isin(group, order[:kept])))

    def batch(self, rows: NDArray[np.integer[Any]]) -> "torch.Tensor":
        """Pixels of these rows of this view: (b, 3, S, S) uint8."""
        # Here and not above: the processes that build stores have no use for torch.
        import torch  # noqa: PLC0415

        return torch.from_numpy(self.images[self.indices[rows]])

    @property
    def images(self) -> PixelArray:
        """(N, 3, S, S) uint8 pixels of the *whole* store; `indices` are this view's rows in it."""
        return self._content.pixels.array

    @property
    def joints_m(self) -> NDArray[np.float32]:
        """(n, 21, 3) joints in the camera frame, metres; NaN where not labelled."""
        return self._content.joints_m[self.indices]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(n, 21) which joints have a label."""
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
        """(n,) what must stay on one side of a split."""
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
        """What the store is: name, boxes, counts, schema, skipped, left_out, source, options."""
        return dict(self._content.info)

    @property
    def content(self) -> StoreContent:
        """The whole that this is a view of."""
        return self._content
