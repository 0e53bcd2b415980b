"""The images of a trial: which stores, and how they are combined."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

from handssl.data import Store, join_stores, open_store
from search.storage.folder import local_store


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Images of one or several stores.

    Attributes:
        stores: Paths of the stores, or URIs in a bucket; several are joined.
        source_px: Side of the decoded images of each store, pixels.
        count: Images of each store that are used; None is all.
        weights: Share of each store among the images of an epoch; None counts every image once.
    """

    stores: tuple[str, ...]
    source_px: tuple[int, ...]
    count: int | None = None
    weights: tuple[float, ...] | None = None

    def open(self) -> Store:
        """The images as one store; the last few are cached, since a worker runs many trials."""
        return _open(self)

    def combine(self, stores: Sequence[Store]) -> Store:
        """Open stores, one for each of `stores`, as one store."""
        if self.count is not None:
            stores = [store.take(self.count) for store in stores]
        return stores[0] if len(stores) == 1 else join_stores(stores, weights=self.weights)


@functools.lru_cache(maxsize=4)
def _open(images: Images) -> Store:
    pairs = zip(images.stores, images.source_px, strict=True)
    return images.combine([open_store(local_store(uri), source_px=px) for uri, px in pairs])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataSetImages:
    """The data sets of a transfer study: their images, alone and joined.

    Attributes:
        opened: The store of each data set.
        images: The images of each data set.
        weights: Share of each data set among joined images; empty counts every image once.
        stores: The stores of the images that were asked for.
    """

    opened: Mapping[str, Store]
    images: Mapping[str, Images]
    weights: Mapping[str, float]
    stores: dict[Images, Store] = dataclasses.field(default_factory=dict)

    def images_of(self, names: Sequence[str]) -> Images:
        """The images of some data sets, joined if there are several."""
        members = [self.images[name] for name in names]
        weighted = bool(self.weights) and len(names) > 1
        return Images(
            stores=tuple(uri for member in members for uri in member.stores),
            source_px=tuple(px for member in members for px in member.source_px),
            count=members[0].count,
            weights=tuple(self.weights[name] for name in names) if weighted else None,
        )

    def store_of(self, names: Sequence[str]) -> Store:
        """The same images as a store."""
        images = self.images_of(names)
        if images not in self.stores:
            self.stores[images] = images.combine([self.opened[name] for name in names])
        return self.stores[images]
