"""A combined store on disk: one small file that names its members and their sampling weights."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from handssl.data.store.join import join_stores
from handssl.data.store.manifest import write_json
from handssl.data.store.store import Store, open_store
from handssl.errors import ConfigError, DataError

JOINED: Final = "joined.json"


def write_joined(
    out: str | Path, members: Sequence[str | Path], *, shares: Sequence[float] | None = None
) -> Store:
    """Describe several stores as one in the new folder `out`; no pixel and no label is copied.

    `open_store(out)` then gives what `join_stores` gives. Members are named relative to `out`, so
    the folders may move together.

    Args:
        out: The folder; new, or one that already says the same.
        members: Folders of stores with different names.
        shares: Each one's share of the training rows of an epoch, with sum 1; default every row
            once.

    Returns:
        The combined store.

    Raises:
        DataError: A member does not open, or `out` holds something else.
        ConfigError: Members or shares that do not fit together.
    """
    folder = Path(out).absolute()
    paths = [Path(member).absolute() for member in members]
    if folder in paths:
        raise ConfigError(f"out must be a folder of its own, but got out={out}, a member")
    content = {
        "members": [os.path.relpath(path, folder) for path in paths],
        "shares": None if shares is None else [float(share) for share in shares],
    }
    store = _join(folder, content, source_px=None, cache_dir=None)
    if (folder / JOINED).exists():
        if _content(folder) != content:
            raise DataError(f"{out} combines other stores or shares; choose another folder")
        return store
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f"{out} exists and is no combined store; choose a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / JOINED, content)
    except OSError as error:
        raise DataError(f"cannot write to {out} ({error.strerror})") from error
    return store


def open_joined(folder: Path, *, source_px: int | None, cache_dir: Path | None) -> Store:
    """The combined store of a folder that `write_joined` wrote.

    Args:
        folder: The folder.
        source_px: Side of the decoded images; default the smallest of the members' own.
        cache_dir: Where decoded pixels lie; default beside each member's shards.

    Raises:
        DataError: The description is damaged, or a member does not open.
    """
    return _join(folder, _content(folder), source_px=source_px, cache_dir=cache_dir)


def joined_members(folder: Path) -> list[Path]:
    """Folders of a combined store's members.

    Raises:
        DataError: The description is damaged.
    """
    return [_member(folder, name) for name in _content(folder)["members"]]


def _join(
    folder: Path, content: dict[str, Any], *, source_px: int | None, cache_dir: Path | None
) -> Store:
    paths = [_member(folder, name) for name in content["members"]]
    if folder in paths:
        raise DataError(f"{folder / JOINED} names itself as a member; join the stores again")
    stores = [open_store(path, source_px=source_px, cache_dir=cache_dir) for path in paths]
    sizes = {store.source_px for store in stores}
    if len(sizes) > 1:
        stores = [open_store(p, source_px=min(sizes), cache_dir=cache_dir) for p in paths]
    return join_stores(stores, shares=content["shares"])


def _member(folder: Path, name: str) -> Path:
    return Path(os.path.normpath(folder / name))


def _content(folder: Path) -> dict[str, Any]:
    path = folder / JOINED
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        shares = content["shares"]
        return {
            "members": [str(name) for name in content["members"]],
            "shares": None if shares is None else [float(share) for share in shares],
        }
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error!r}); join the stores again") from error
