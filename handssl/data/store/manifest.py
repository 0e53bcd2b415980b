"""The store's manifest: written last, so a folder with a manifest is a complete store."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from handssl.atomic import atomic_path
from handssl.data.store.shard import SCHEMA_VERSION
from handssl.errors import DataError

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The description of a store.

    Attributes:
        name: Name of the store.
        fingerprint: SHA-256 over the content of all rows, in order.
        boxes: Kind of box; "joints" is not label-free.
        stored_px: Largest side of a stored image.
        counts: Rows by split, and "images", "groups".
        shards: File name, rows, bytes and digest of each shard.
        skipped: (file, reason) of every unusable image.
        left_out: Number of images outside the task, by reason.
        source: Signature of the raw files.
        options: The options that change the rows.
        plan: Digest of source and options.
        schema: Version of the format.
    """

    name: str
    fingerprint: str
    boxes: str
    stored_px: int
    counts: dict[str, int]
    shards: list[dict[str, Any]]
    skipped: list[tuple[str, str]]
    left_out: dict[str, int]
    source: dict[str, Any]
    options: dict[str, Any]
    plan: str
    schema: int = SCHEMA_VERSION


def write_json(path: Path, content: object) -> None:
    """Write a JSON file atomically."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(content, indent=1), encoding="utf-8")


def refuse_occupied(folder: Path, kind: str) -> None:
    """Refuse a file, or a folder that is not empty, where a store is to be made."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} exists and is not a {kind}; choose a new folder")


def read_manifest(folder: Path) -> Manifest:
    """Read a store's manifest, and check that its shards exist and have the recorded sizes.

    Raises:
        DataError: The store is missing, unfinished, of another schema, or incomplete.
    """
    path = folder / MANIFEST
    if not path.exists():
        half = (folder / "shards").exists()
        raise DataError(
            f"{folder} is a half-built store: run the same `handssl data build` again to finish it"
            if half
            else f"{folder} is not a store ({MANIFEST} is missing); build one with "
            "`handssl data build`"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content["schema"]
        if schema == SCHEMA_VERSION:
            content["skipped"] = [(str(f), str(reason)) for f, reason in content["skipped"]]
            manifest = Manifest(**content)
            if manifest.counts["images"] != sum(int(shard["rows"]) for shard in manifest.shards):
                raise ValueError("its counts contradict each other")
            sizes = {shard["file"]: int(shard["bytes"]) for shard in manifest.shards}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}); build the store again") from error
    if schema != SCHEMA_VERSION:
        raise DataError(
            f"{folder} has schema version {schema}, but this version reads {SCHEMA_VERSION}; "
            "build the store again"
        )
    for name, size in sizes.items():
        shard = folder / "shards" / name
        actual = shard.stat().st_size if shard.exists() else None
        if actual != size:
            raise DataError(
                f"{shard} has {actual} bytes instead of {size}; delete {folder} and build it again"
            )
    return manifest
