"""Check a folder: a raw data set, or a store with the checksum of every row and its splits."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from handssl.data.doctor import Finding, check
from handssl.data.doctor.raw import examine_freihand, examine_interhand
from handssl.data.store.build import PLAN
from handssl.data.store.manifest import MANIFEST, Manifest, read_manifest
from handssl.data.store.open import JOINED, joined_members, open_store
from handssl.data.store.parallel import Progress
from handssl.data.store.shard import read_rows, rows_digest
from handssl.errors import DataError


def examine(root: str | Path, *, progress: Progress | None = None) -> list[Finding]:
    """Check a raw FreiHAND or InterHand2.6M folder, or a store.

    A broken folder raises nothing; the findings describe it.

    Example:
        >>> examine("/not/there")[0].text
        '/not/there is not a folder'
    """
    return list(_examine(Path(root), progress))


def _examine(root: Path, progress: Progress | None) -> Iterator[Finding]:
    if not root.is_dir():
        yield Finding(level="error", text=f"{root} is not a folder", advice="check the path")
    elif (root / JOINED).exists():
        try:
            members = joined_members(root)
        except DataError as error:
            yield Finding(level="error", text=str(error))
            return
        for member in members:
            yield from _examine_store(member, progress)
    elif any((root / name).exists() for name in (MANIFEST, PLAN, "shards")):
        yield from _examine_store(root, progress)
    elif (root / "annotations").exists() or (root / "images").exists():
        yield from examine_interhand(root, progress)
    elif any(root.glob("training*")) or any(root.glob("evaluation*")):
        yield from examine_freihand(root, progress)
    else:
        yield Finding(
            level="error",
            text=f"{root} is neither FreiHAND (training/, training_K.json), nor InterHand2.6M "
            f"(annotations/, images/), nor a store ({MANIFEST})",
            advice="give the folder that contains these",
        )


def _examine_store(root: Path, progress: Progress | None) -> Iterator[Finding]:
    """All checks that do not need the raw data."""
    try:
        manifest = read_manifest(root)
        store = open_store(root)
    except DataError as error:
        yield Finding(level="error", text=str(error))
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in manifest.counts.items())
    yield Finding(level="ok", text=f"{manifest.name}: {counts}; boxes={manifest.boxes}")
    yield from _examine_rows(root, manifest, progress)
    groups = {name: set(store.split(name).groups.tolist()) for name in set(store.splits.tolist())}
    shared = groups.get("train", set()) & groups.get("val", set())
    yield check(
        not shared, f"{len(shared)} groups are in both train and val", "build the store again"
    )
    if "val" not in groups:
        yield Finding(level="warning", text="no validation rows", advice="convert that split too")
    if manifest.boxes == "joints":
        yield Finding(
            level="note",
            text="the hand's boxes come from labels, as in the paper, so pretraining on them is "
            "not label-free",
            advice="use boxes=centre or boxes=file for label-free pretraining",
        )
    if manifest.skipped:
        yield Finding(
            level="warning",
            text=f"{len(manifest.skipped):,} images were unusable and skipped, the first: "
            f"{manifest.skipped[0][1]}",
        )


def _examine_rows(root: Path, manifest: Manifest, progress: Progress | None) -> Iterator[Finding]:
    digests: list[bytes] = []
    damaged: list[str] = []
    for done, shard in enumerate(manifest.shards, start=1):
        path = root / "shards" / str(shard["file"])
        try:
            for row, digest in read_rows(path):
                digests.append(digest)
                if digest != row["digest"]:
                    damaged.append(f"{path.name}: {row['source_id']}")
        except (OSError, KeyError, pa.ArrowInvalid) as error:
            damaged.append(f"{path.name}: {error}")
        if progress is not None:
            progress("check", done, len(manifest.shards))
    whole = not damaged and rows_digest(digests) == manifest.fingerprint
    text = f"checksums of {len(digests):,} rows agree with the fingerprint"
    if not whole:
        first = f", the first: {damaged[0]}" if damaged else ""
        text = f"the content changed after it was written; damaged: {len(damaged)}{first}"
    yield check(whole, text, f"delete {root} and build it again")
