"""The one way to a store: open it if it is there and fits, else build or finish it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from handssl.data.raw.datasets import dataset_of
from handssl.data.store.boxes import BoxKind
from handssl.data.store.build import build_store
from handssl.data.store.forecast import Forecast
from handssl.data.store.manifest import MANIFEST, read_manifest
from handssl.data.store.parallel import JobRunner, Progress
from handssl.data.store.plan import build_options, plan_digest
from handssl.data.store.store import Store, open_store
from handssl.errors import DataError


def open_or_build_store(
    raw_root: str | Path,
    out: str | Path,
    *,
    dataset: str = "freihand",
    name: str | None = None,
    splits: Sequence[str] | None = None,
    annotator: str = "all",
    boxes: BoxKind = "joints",
    boxes_file: str | Path | None = None,
    stored_px: int = 224,
    source_px: int | None = None,
    cache_dir: str | Path | None = None,
    strict: bool = False,
    processes: int | None = None,
    runner: JobRunner | None = None,
    announce: Callable[[Forecast], None] | None = None,
    progress: Progress | None = None,
) -> Store:
    """Open the store at `out`, building or finishing it first if need be, with pixels decoded.

    Args:
        raw_root: The raw data set; may be gone once the store is complete.
        out: The store's folder.
        dataset: "freihand" or "interhand": the raw folder's format.
        name: The store's name; default the data set's.
        splits: Raw splits to convert; default FreiHAND's training, InterHand's train and val.
        annotator: InterHand's annotation subset in its v0 layout.
        boxes: Kind of box; see `handssl.data.boxes`.
        boxes_file: For boxes="file".
        stored_px: Largest side of a stored image.
        source_px: Side of the decoded images; default the stored one, at most 224.
        cache_dir: Where decoded pixels lie; default beside the store.
        strict: Refuse unusable samples, also those that an existing store had skipped.
        processes: Worker processes; default all cores.
        runner: Builds the shards instead of such processes, say on a cluster.
        announce: Called with the size forecast before anything is written.
        progress: Called with (stage, done, total), stage "shards" or "decode".

    Raises:
        DataError: `out` holds something else, or was built from other raw files or options (the
            raw data changed under it), or the raw data cannot be used.
    """
    out = Path(out)
    kind = dataset_of(dataset)
    if not (out / MANIFEST).exists():
        build_store(
            kind.read_all(raw_root, splits, annotator=annotator, strict=strict),
            out,
            boxes=boxes,
            boxes_file=boxes_file,
            source_px=stored_px,
            name=name,
            processes=processes,
            runner=runner,
            announce=announce,
            progress=progress,
        )
    manifest = read_manifest(out)
    options = build_options(boxes=boxes, boxes_file=boxes_file, source_px=stored_px)
    if manifest.options != options:
        raise DataError(
            f"{out} was built with {manifest.options}, but now got {options}; "
            "use the earlier options or another folder"
        )
    if Path(raw_root).exists():
        source = {
            key: value
            for split in splits or kind.present_splits(raw_root, annotator)
            for key, value in kind.signature(raw_root, split, annotator=annotator).items()
        }
        if manifest.plan != plan_digest(manifest.name, source, options):
            changed = sorted(
                key
                for key in source.keys() | manifest.source.keys()
                if source.get(key) != manifest.source.get(key)
            )
            raise DataError(
                f"{out} was not built from {raw_root} as it is now (different: "
                f"{', '.join(changed) or 'the format'}); restore the raw files, or build into "
                "another folder"
            )
    if strict and manifest.skipped:
        file, reason = manifest.skipped[0]
        raise DataError(
            f"strict, but {out} had to skip {len(manifest.skipped)} images, the first: {reason}"
            if file in reason
            else f"strict, but {out} had to skip {len(manifest.skipped)} images, the first: "
            f"{file}: {reason}"
        )
    store = open_store(out, source_px=source_px, cache_dir=cache_dir)
    return store.prepare(processes=processes, progress=progress)
