"""Open stores from disk: one store, or a small file that combines several."""

import functools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from handssl.data.store.decoded import DecodedPixels
from handssl.data.store.join import join_stores
from handssl.data.store.manifest import read_manifest, refuse_occupied, write_json
from handssl.data.store.rows import read_content
from handssl.data.store.store import Store
from handssl.errors import ConfigError, DataError, require

JOINED: Final = "joined.json"
"""File in the folder of a combined store: paths of its members and their sampling weights."""


def open_store(
    path: str | Path, *, source_px: int | None = None, cache_dir: str | Path | None = None
) -> Store:
    """Open a finished store. Pixels are decoded at first use, or by `Store.prepare`.

    Args:
        path: The store's folder, or one that combines several (`write_joined`).
        source_px: Side S of the decoded images; default the stored one, at most 224 (of a
            combined store the smallest of its members).
        cache_dir: Folder of the decoded pixels; default inside each store.

    Raises:
        DataError: The store is missing, half-built, of another schema or damaged.

    Example:
        >>> import tempfile
        >>> from handssl.data import build_store, read_freihand
        >>> from handssl.synthetic import generate_freihand
        >>> folder = Path(tempfile.mkdtemp())
        >>> generate_freihand(folder / "raw", poses=10, versions=1, workers=1)
        >>> _ = build_store(read_freihand(folder / "raw"), folder / "store", processes=1)
        >>> store = open_store(folder / "store", source_px=64)
        >>> len(store), len(store.split("train")), store[0].image.shape
        (10, 9, (64, 64, 3))
    """
    # Absolute: a pickled store is opened by processes with another working folder.
    path = Path(path).absolute()
    cache = None if cache_dir is None else Path(cache_dir).absolute()
    if (path / JOINED).exists():
        return _join_members(path, _read_joined(path), source_px=source_px, cache_dir=cache)
    manifest = read_manifest(path)
    size = min(224, manifest.stored_px) if source_px is None else source_px
    require(size >= 16, f"source_px must be >= 16, but got source_px={size}")
    pixels = DecodedPixels(path, manifest, source_px=size, cache_dir=cache)
    reopen = functools.partial(open_store, path, source_px=size, cache_dir=cache)
    return Store(read_content(path, manifest, source_px=size, pixels=pixels, reopen=reopen))


def write_joined(
    out: str | Path, members: Sequence[str | Path], *, weights: Sequence[float] | None = None
) -> Store:
    """Combine several stores in the new folder `out`, without copying pixels or labels.

    `open_store(out)` then equals `join_stores` of the members. Their paths are relative to `out`,
    so all folders can be moved together.

    Args:
        out: The folder; new, or with the same content already.
        members: Folders of stores with different names.
        weights: Share of each member among the training rows of an epoch, with sum 1; by default
            every row counts once.

    Returns:
        The combined store.

    Raises:
        DataError: A member does not open, or `out` holds something else.
        ConfigError: Members or weights that do not fit together.
    """
    folder = Path(out).absolute()
    paths = [Path(member).absolute() for member in members]
    if folder in paths:
        raise ConfigError(f"out must not be a member, but got out={out}; choose a new folder")
    # The key `shares` is part of the format of the file, so it keeps its first name.
    content = {
        "members": [os.path.relpath(path, folder) for path in paths],
        "shares": None if weights is None else [float(weight) for weight in weights],
    }
    store = _join_members(folder, content, source_px=None, cache_dir=None)
    if (folder / JOINED).exists():
        if _read_joined(folder) != content:
            raise DataError(f"{out} combines other stores or weights; choose another folder")
        return store
    try:
        refuse_occupied(folder, "combined store")
        write_json(folder / JOINED, content)
    except OSError as error:
        raise DataError(f"cannot write to {out} ({error.strerror})") from error
    return store


def joined_members(folder: Path) -> list[Path]:
    """Folders of a combined store's members.

    Raises:
        DataError: The description is damaged.
    """
    return [_member(folder, name) for name in _read_joined(folder)["members"]]


def _join_members(
    folder: Path, content: dict[str, Any], *, source_px: int | None, cache_dir: Path | None
) -> Store:
    paths = [_member(folder, name) for name in content["members"]]
    if folder in paths:
        raise DataError(f"{folder / JOINED} names itself as a member; join the stores again")
    stores = [open_store(path, source_px=source_px, cache_dir=cache_dir) for path in paths]
    sizes = {store.source_px for store in stores}
    if len(sizes) > 1:
        stores = [open_store(p, source_px=min(sizes), cache_dir=cache_dir) for p in paths]
    return join_stores(stores, weights=content["shares"])


def _member(folder: Path, name: str) -> Path:
    return Path(os.path.normpath(folder / name))


def _read_joined(folder: Path) -> dict[str, Any]:
    path = folder / JOINED
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        weights = content["shares"]
        return {
            "members": [str(name) for name in content["members"]],
            "shares": None if weights is None else [float(weight) for weight in weights],
        }
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error!r}); join the stores again") from error
