"""Several stores as one, each with its share of the rows that an epoch sees."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from handssl.data.store.parallel import Progress
from handssl.data.store.rows import PixelArray, StoreContent
from handssl.data.store.store import Store
from handssl.errors import ConfigError


def join_stores(stores: Sequence[Store], *, shares: Sequence[float] | None = None) -> Store:
    """One store of all rows of several; pixels stay where they are.

    Without shares every row counts once. With shares, member i contributes share_i of the total
    number of training rows: whole passes over its rows, and for the remainder rows evenly spaced
    over it. An epoch over the joined training split then sees the members in these shares.
    Validation and test rows count once in any case.

    Groups and source ids get the member's name in front, so that they stay unique.

    Args:
        stores: Views with the same `source_px` and different names.
        shares: Positive numbers, one a store, with sum 1.

    Raises:
        ConfigError: Stores or shares that do not fit together.
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
    given = None if shares is None else tuple(float(share) for share in shares)
    if given is not None and (
        len(given) != len(stores) or min(given) <= 0 or abs(sum(given) - 1) > 1e-6
    ):
        raise ConfigError(
            f"shares must be {len(stores)} positive numbers with sum 1, but got shares={given}"
        )
    return Store(_content(tuple(stores), names, given))


def _content(
    stores: tuple[Store, ...], names: list[str], shares: tuple[float, ...] | None
) -> StoreContent:
    parts = [
        store if shares is None else _weighted(store, stores, share)
        for store, share in zip(stores, shares or [0.0] * len(stores), strict=True)
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
    words = pa.concat_tables(tables).combine_chunks()
    splits, counts = np.unique(words["split"].to_numpy().astype(np.str_), return_counts=True)
    return StoreContent(
        intrinsics=np.concatenate([part.intrinsics for part in parts]),
        joints_m=np.concatenate([part.joints_m for part in parts]),
        valid=np.concatenate([part.valid for part in parts]),
        centre_px=np.concatenate([part.centre_px for part in parts]),
        side_px=np.concatenate([part.side_px for part in parts]),
        words=words,
        pixels=_JoinedPixels(parts),
        source_px=stores[0].source_px,
        fingerprint=hashlib.sha256(json.dumps(members).encode()).hexdigest(),
        info={
            "name": "+".join(names),
            "boxes": "+".join(dict.fromkeys(str(store.info["boxes"]) for store in stores)),
            "counts": {
                **dict(zip(splits.tolist(), counts.tolist(), strict=True)),
                "images": len(words),
                "groups": len(set(words["group"].to_pylist())),
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
            "shares": None if shares is None else dict(zip(names, shares, strict=True)),
            "members": [store.info for store in stores],
        },
        reopen=(_rejoin, (stores, shares)),
    )


def _rejoin(stores: tuple[Store, ...], shares: tuple[float, ...] | None) -> Store:
    return join_stores(stores, shares=shares)


def _weighted(store: Store, stores: tuple[Store, ...], share: float) -> Store:
    """The store's rows, those for training repeated or thinned to their share of all such."""
    training = store.splits == "train"
    own = np.flatnonzero(training)
    if len(own) == 0:
        raise ConfigError(
            f"shares need training rows in every store, but {store.info['name']} has none"
        )
    target = round(share * sum(int((other.splits == "train").sum()) for other in stores))
    passes, rest = divmod(target, len(own))
    spaced = np.arange(rest) * len(own) // max(1, rest)
    return store.select(np.concatenate([*[own] * passes, own[spaced], np.flatnonzero(~training)]))


class _JoinedPixels:
    """The members' pixels under one numbering: member by member, view row by view row."""

    def __init__(self, parts: list[Store]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])

    def prepare(self, processes: int | None, progress: Progress | None) -> None:
        for part in self._parts:
            part.prepare(processes=processes, progress=progress)

    @property
    def array(self) -> PixelArray:
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        return (int(self._starts[-1]), *self._parts[0].images.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        wanted = np.asarray(rows)
        flat = np.atleast_1d(wanted)
        member = np.searchsorted(self._starts, flat, side="right") - 1
        pixels = np.empty((len(flat), *self.shape[1:]), dtype=np.uint8)
        for number, part in enumerate(self._parts):
            own = np.flatnonzero(member == number)
            pixels[own] = part.images[part.indices[flat[own] - self._starts[number]]]
        return pixels if wanted.ndim else pixels[0]
