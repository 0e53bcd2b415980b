"""Open a store if it exists and matches its raw data; else build or finish it."""

from collections.abc import Callable
from pathlib import Path

from handssl.data.raw.datasets import RawFolder
from handssl.data.store.build import build_store, plan_digest
from handssl.data.store.forecast import Forecast
from handssl.data.store.manifest import MANIFEST, Manifest, read_manifest
from handssl.data.store.open import open_store
from handssl.data.store.options import StoreOptions
from handssl.data.store.parallel import JobRunner, Progress
from handssl.data.store.store import Store
from handssl.errors import DataError


def open_or_build_store(
    raw: RawFolder | str | Path,
    out: str | Path,
    options: StoreOptions | None = None,
    *,
    source_px: int | None = None,
    cache_dir: str | Path | None = None,
    processes: int | None = None,
    runner: JobRunner | None = None,
    announce: Callable[[Forecast], None] | None = None,
    progress: Progress | None = None,
) -> Store:
    """Open the store at `out` with decoded pixels; build or finish it first if necessary.

    Args:
        raw: The raw data set, or the path of one in FreiHAND's format. It may be deleted once the
            store is complete.
        out: The store's folder.
        options: Its name, boxes and image size.
        source_px: Side of the decoded images; default the stored one, at most 224.
        cache_dir: Folder of the decoded pixels; default inside the store.
        processes: Worker processes; default all cores.
        runner: Builds the shards instead of such processes, for example on a cluster.
        announce: Called with the size forecast before anything is written.
        progress: Called with (stage, done, total), stage "shards" or "decode".

    Raises:
        DataError: `out` holds something else, or was built from other raw files or options (the
            raw data changed later), or the raw data cannot be used.

    Example:
        >>> import tempfile
        >>> from handssl.synthetic import generate_freihand
        >>> folder = Path(tempfile.mkdtemp())
        >>> generate_freihand(folder / "raw", poses=10, versions=1, workers=1)
        >>> store = open_or_build_store(folder / "raw", folder / "s", source_px=64, processes=1)
        >>> len(store), store.source_px
        (10, 64)
    """
    raw = raw if isinstance(raw, RawFolder) else RawFolder(root=raw)
    out, options = Path(out), options or StoreOptions()
    if not (out / MANIFEST).exists():
        build_store(
            raw.readers(),
            out,
            options,
            processes=processes,
            runner=runner,
            announce=announce,
            progress=progress,
        )
    _check_matches(out, read_manifest(out), raw, options)
    store = open_store(out, source_px=source_px, cache_dir=cache_dir)
    return store.prepare(processes=processes, progress=progress)


def _check_matches(out: Path, manifest: Manifest, raw: RawFolder, options: StoreOptions) -> None:
    """Refuse a store of other options or raw files, and skipped images if raw is strict."""
    content = options.content()
    if manifest.options != content:
        raise DataError(
            f"{out} was built with {manifest.options}, but now got {content}; "
            "use the earlier options or another folder"
        )
    if Path(raw.root).exists():
        source = raw.signature()
        if manifest.plan != plan_digest(manifest.name, source, content):
            changed = sorted(
                key
                for key in source.keys() | manifest.source.keys()
                if source.get(key) != manifest.source.get(key)
            )
            raise DataError(
                f"{out} was not built from the present files of {raw.root} (different: "
                f"{', '.join(changed) or 'the format'}); restore the raw files, or build into "
                "another folder"
            )
    if raw.strict and manifest.skipped:
        file, reason = manifest.skipped[0]
        first = reason if file in reason else f"{file}: {reason}"
        raise DataError(
            f"strict, but {out} skipped {len(manifest.skipped)} images, the first: {first}"
        )
