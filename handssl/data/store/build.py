"""From a raw data set to a store: in parallel, shard by shard, resumable, in bounded memory."""

import functools
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
from filelock import FileLock

from handssl.atomic import remove_partial
from handssl.data.raw.dataset import Annotation, RawDataset, total_left_out
from handssl.data.store.boxes import Boxes, read_boxes
from handssl.data.store.forecast import Forecast, forecast
from handssl.data.store.manifest import (
    MANIFEST,
    Manifest,
    read_manifest,
    refuse_occupied,
    write_json,
)
from handssl.data.store.options import StoreOptions
from handssl.data.store.parallel import JobRunner, Progress, run_jobs
from handssl.data.store.shard import (
    SCHEMA_VERSION,
    SHARD_ROWS,
    ShardJob,
    read_report,
    rows_digest,
    write_shard,
)
from handssl.errors import DataError, require

PLAN: Final = "building.json"
"""File in the folder of a store that is still being built."""


def build_store(
    sources: RawDataset | Sequence[RawDataset],
    out: str | Path,
    options: StoreOptions | None = None,
    *,
    processes: int | None = None,
    runner: JobRunner | None = None,
    announce: Callable[[Forecast], None] | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Convert raw data sets into one store at `out`; the same call again resumes.

    Only a few chunks of annotations are in memory at a time. The content, and so the
    fingerprint, does not depend on the number of processes or on the machine.

    Args:
        sources: One or several readers (for example InterHand's train and val).
        out: The store's folder; new, or left unfinished by the same build.
        options: Its name, boxes and image size.
        processes: Worker processes; 1 builds in this process. Default: all cores.
        runner: Runs the shards instead of such processes, for example on a cluster.
        announce: Called with the size forecast before anything is written.
        progress: Called with ("shards", done, total) after each shard.

    Raises:
        DataError: `out` holds another store, the disk is too small, no image is usable, or
            (strict readers) an image is unusable.
        ConfigError: No sources.

    Example:
        >>> import tempfile
        >>> from handssl.data import read_freihand
        >>> from handssl.synthetic import generate_freihand
        >>> folder = Path(tempfile.mkdtemp())
        >>> generate_freihand(folder / "raw", poses=10, versions=1, workers=1)
        >>> manifest = build_store(read_freihand(folder / "raw"), folder / "store", processes=1)
        >>> manifest.counts
        {'train': 9, 'val': 1, 'images': 10, 'groups': 10}
    """
    sources = [sources] if isinstance(sources, RawDataset) else list(sources)
    plan = _plan(sources, Path(out), options or StoreOptions())
    runner = runner or functools.partial(run_jobs, processes=processes)
    with _lock(plan.out):
        if not (plan.out / MANIFEST).exists():
            _check_disk(forecast(plan.job, plan.boxes, sources), plan, announce)
        if _reserve(plan):
            return read_manifest(plan.out)
        reports = runner(write_shard, _jobs(plan, sources))
        for done, _ in enumerate(reports, start=1):
            if progress is not None:
                progress("shards", done, plan.shards)
        return _finish(plan, sources)


def forecast_store(
    sources: Sequence[RawDataset], out: str | Path, options: StoreOptions
) -> Forecast:
    """The expected size of a store; writes nothing."""
    plan = _plan(sources, Path(out), options)
    return forecast(plan.job, plan.boxes, sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Everything that a build needs except its readers."""

    out: Path
    job: ShardJob
    source: dict[str, str | int]  # signature of the raw files
    options: dict[str, Any]  # those that change the rows
    boxes: Boxes
    shards: int


def plan_digest(name: str, source: dict[str, str | int], options: dict[str, Any]) -> str:
    """SHA-256 over everything that decides a store's content."""
    text = json.dumps([SCHEMA_VERSION, SHARD_ROWS, name, source, options], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plan(sources: Sequence[RawDataset], out: Path, options: StoreOptions) -> _Plan:
    """Describe a build; writes nothing."""
    require(len(sources) > 0, "sources must name at least one data set, but got sources=[]")
    content = options.content()
    signature = {key: value for each in sources for key, value in each.signature().items()}
    name = options.name or "+".join(dict.fromkeys(each.name for each in sources))
    job = ShardJob(
        folder=out / "shards",
        name=name,
        boxes=options.boxes,
        stored_px=options.stored_px,
        strict=any(each.strict for each in sources),
        plan=plan_digest(name, signature, content),
    )
    return _Plan(
        out=out,
        job=job,
        source=signature,
        options=content,
        boxes={} if options.boxes_file is None else read_boxes(options.boxes_file),
        shards=sum(-(-len(each) // SHARD_ROWS) for each in sources),
    )


def _reserve(plan: _Plan) -> bool:
    """Mark the folder as this build's; True if its store is already complete."""
    out = plan.out
    complete = (out / MANIFEST).exists()
    try:
        if not complete and not (out / PLAN).exists():
            refuse_occupied(out, "store")
            (out / "shards").mkdir(parents=True)
            content = {"plan": plan.job.plan, "source": plan.source, "options": plan.options}
            write_json(out / PLAN, content)
        written = json.loads((out / (MANIFEST if complete else PLAN)).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot build a store in {out} ({error})") from error
    if not isinstance(written, dict) or written.get("plan") != plan.job.plan:
        raise DataError(
            f"{out} holds a {'' if complete else 'half-built '}store of other raw files or "
            "options; delete it or choose another folder"
        )
    return complete


def _jobs(
    plan: _Plan, sources: Sequence[RawDataset]
) -> Iterator[tuple[ShardJob, int, list[Annotation], Boxes]]:
    """Arguments of `write_shard` for every shard; a shard never spans two sources."""
    index = 0
    for source in sources:
        annotations = source.annotations()
        while chunk := list(itertools.islice(annotations, SHARD_ROWS)):
            ids = (annotation.source_id for annotation in chunk)
            yield plan.job, index, chunk, {i: plan.boxes[i] for i in ids if i in plan.boxes}
            index += 1


def _lock(out: Path) -> AbstractContextManager[Any]:
    """Let one process build this store; a second one waits, then opens the finished store."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(out.with_name(f".{out.name}.lock")).acquire()
    except OSError as error:
        raise DataError(f"cannot build a store in {out} ({error})") from error


def _check_disk(
    expected: Forecast, plan: _Plan, announce: Callable[[Forecast], None] | None
) -> None:
    """Refuse a build that does not fit on the disk; shards of an interrupted build count."""
    if announce is not None:
        announce(expected)
    written = sum(path.stat().st_size for path in plan.job.folder.glob("*.parquet"))
    if expected.store_bytes - written > expected.free_bytes:
        raise DataError(
            f"not enough disk space for the store in {plan.out.parent} ({expected}); delete "
            "files, or choose another disk or a smaller stored_px"
        )


def _finish(plan: _Plan, sources: Sequence[RawDataset]) -> Manifest:
    """Sum up the finished shards and write the manifest, which makes the store readable."""
    skipped: list[tuple[str, str]] = []
    shards: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    groups: set[str] = set()
    digests: list[bytes] = []
    largest = 0
    for index in range(plan.shards):
        path = plan.job.path(index)
        report = read_report(path)
        if report is None or report.plan != plan.job.plan:
            raise DataError(f"{path} is missing or damaged; run the same build again")
        columns = pq.read_table(path, columns=["split", "group", "digest"])
        counts.update(columns["split"].to_pylist())
        groups.update(columns["group"].to_pylist())
        digests.extend(columns["digest"].to_pylist())
        skipped.extend(report.skipped)
        largest = max(largest, report.largest_px)
        size = {"rows": report.rows, "bytes": path.stat().st_size}
        shards.append({"file": path.name, **size, "digest": report.digest})
    if not digests:
        first = f"; the first: {skipped[0][1]}" if skipped else ""
        raise DataError(f"none of the {len(skipped)} images can be used{first}")
    manifest = Manifest(
        name=plan.job.name,
        fingerprint=rows_digest(digests),
        boxes=plan.job.boxes,
        stored_px=largest,
        counts={**counts, "images": len(digests), "groups": len(groups)},
        shards=shards,
        skipped=skipped,
        left_out=total_left_out(sources),
        source=plan.source,
        options=plan.options,
        plan=plan.job.plan,
    )
    remove_partial(plan.job.folder)
    write_json(plan.out / MANIFEST, asdict(manifest))
    (plan.out / PLAN).unlink(missing_ok=True)
    return manifest
