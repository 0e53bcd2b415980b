"""Join several stores into one, with sampling weights for the rows of an epoch."""

import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from handssl.data.store.parallel import Progress
from handssl.data.store.rows import StoreContent
from handssl.data.store.store import Store
from handssl.errors import ConfigError


def join_stores(stores: Sequence[Store], *, weights: Sequence[float] | None = None) -> Store:
    """Join the rows of several stores; no pixel is copied.

    Without weights every row counts once. With weights, member i contributes weight_i of the
    total number of training rows: whole passes over its rows, then evenly spaced rows for the
    remainder. An epoch over the joined training split then sees the members in this ratio.
    Validation and test rows always count once.

    Groups and source ids get the prefix "<member>/", so that they stay unique.

    Args:
        stores: Stores with the same `source_px` and different names.
        weights: Positive numbers, one a store, with sum 1.

    Raises:
        ConfigError: Stores or weights that do not fit together.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from handssl.data import StoreOptions, open_or_build_store
        >>> from handssl.synthetic import generate_freihand
        >>> folder = Path(tempfile.mkdtemp())
        >>> generate_freihand(folder / "raw", poses=10, versions=1, workers=1)
        >>> a, b = (
        ...     open_or_build_store(
        ...         folder / "raw", folder / name, StoreOptions(name=name), processes=1
        ...     )
        ...     for name in ("a", "b")
        ... )
        >>> joined = join_stores([a, b])
        >>> len(joined), joined[0].source_id
        (20, 'a/training/00000000')
    """
    names = [str(store.info["name"]) for store in stores]
    if len(stores) < 2 or len(set(names)) < len(names):
        raise ConfigError(f"stores must be at least two of different names, but got {names}")
    sizes = [store.source_px for store in stores]
    if len(set(sizes)) > 1:
        raise ConfigError(
            f"stores must have one source_px, but got {dict(zip(names, sizes, strict=True))}; "
            "open them with the same source_px"
        )
    if weights is not None:
        weights = tuple(float(weight) for weight in weights)
        if len(weights) != len(stores) or min(weights) <= 0 or abs(sum(weights) - 1) > 1e-6:
            raise ConfigError(
                f"weights must be {len(stores)} positive numbers with sum 1, but got "
                f"weights={weights}"
            )
    return Store(_content(tuple(stores), names, weights))


def _content(
    stores: tuple[Store, ...], names: list[str], weights: Sequence[float] | None
) -> StoreContent:
    parts = list(stores)
    if weights is not None:
        parts = [
            _weighted(store, stores, weight) for store, weight in zip(stores, weights, strict=True)
        ]
    tables = [
        pa.table(
            {
                "side": part.sides,
                "group": [f"{name}/{group}" for group in part.groups],
                "source_id": [f"{name}/{source_id}" for source_id in part.source_ids],
                "split": part.splits,
            }
        )
        for part, name in zip(parts, names, strict=True)
    ]
    members = [
        [part.fingerprint, hashlib.sha256(part.indices.tobytes()).hexdigest()] for part in parts
    ]
    metadata = pa.concat_tables(tables).combine_chunks()
    splits, counts = np.unique(metadata["split"].to_numpy().astype(np.str_), return_counts=True)
    labels = ("intrinsics", "joints_m", "valid", "centre_px", "side_px")
    return StoreContent(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in labels},
        metadata=metadata,
        pixels=_JoinedPixels(parts),
        source_px=stores[0].source_px,
        fingerprint=hashlib.sha256(json.dumps(members).encode()).hexdigest(),
        info={
            "name": "+".join(names),
            "boxes": "+".join(dict.fromkeys(str(store.info["boxes"]) for store in stores)),
            "counts": {
                **dict(zip(splits.tolist(), counts.tolist(), strict=True)),
                "images": len(metadata),
                "groups": len(set(metadata["group"].to_pylist())),
            },
            "schema": stores[0].info["schema"],
            "stored_px": max(store.info["stored_px"] for store in stores),
            "source_px": stores[0].source_px,
            "skipped": [entry for store in stores for entry in store.info["skipped"]],
            "left_out": {
                f"{name}/{kind}": count
                for store, name in zip(stores, names, strict=True)
                for kind, count in store.info["left_out"].items()
            },
            "weights": None if weights is None else dict(zip(names, weights, strict=True)),
            "members": [store.info for store in stores],
        },
        reopen=functools.partial(join_stores, stores, weights=weights),
    )


def _weighted(store: Store, stores: tuple[Store, ...], weight: float) -> Store:
    """The store with its training rows repeated or thinned to their share of all of them."""
    is_training = store.splits == "train"
    training = np.flatnonzero(is_training)  # (t,)
    if len(training) == 0:
        raise ConfigError(
            f"weights need training rows in every store, but {store.info['name']} has none"
        )
    target = round(weight * sum(int((other.splits == "train").sum()) for other in stores))
    passes, rest = divmod(target, len(training))
    spaced = training[np.arange(rest) * len(training) // max(1, rest)]  # (rest,)
    return store.select(
        np.concatenate([*[training] * passes, spaced, np.flatnonzero(~is_training)])
    )


class _JoinedPixels:
    """The members' pixels in one numbering: all rows of the first member, then of the next."""

    def __init__(self, parts: list[Store]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])

    def prepare(self, processes: int | None, progress: Progress | None) -> None:
        for part in self._parts:
            part.prepare(processes=processes, progress=progress)

    def read(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        # (b,) index of each row's member
        member = np.searchsorted(self._starts, rows, side="right") - 1
        size = self._parts[0].source_px
        pixels = np.empty((len(rows), 3, size, size), dtype=np.uint8)
        for number, part in enumerate(self._parts):
            positions = np.flatnonzero(member == number)
            pixels[positions] = part.pixels(rows[positions] - self._starts[number])
        return pixels
