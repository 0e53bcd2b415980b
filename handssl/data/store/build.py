"""From a raw data set to a store: in parallel, shard by shard, resumable, in bounded memory."""

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from filelock import FileLock

from handssl.data.raw.dataset import Annotation, RawDataset
from handssl.data.store.boxes import Boxes, BoxKind
from handssl.data.store.forecast import Forecast, forecast, written_bytes
from handssl.data.store.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from handssl.data.store.parallel import JobRunner, Progress, run_jobs
from handssl.data.store.plan import PLAN, BuildPlan, claim, plan_build
from handssl.data.store.shard import SHARD_ROWS, ShardJob, read_report, rows_digest, write_shard
from handssl.errors import DataError


def build_store(
    sources: RawDataset | Sequence[RawDataset],
    out: str | Path,
    *,
    boxes: BoxKind = "joints",
    boxes_file: str | Path | None = None,
    source_px: int = 224,
    name: str | None = None,
    processes: int | None = None,
    runner: JobRunner | None = None,
    announce: Callable[[Forecast], None] | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Convert raw data sets into one store at `out`; run again, it continues where it stopped.

    Only a few chunks of annotations are in memory at a time. The content, and with it the
    fingerprint, does not depend on the number of processes or on where they run.

    Args:
        sources: What to convert: one or several readers (say InterHand's train and val).
        out: The store's folder; new, or one that the same build left unfinished.
        boxes: "joints" (from labels, as the study), "centre" (label-free) or "file".
        boxes_file: JSON of boxes by source id, for boxes="file".
        source_px: Largest side of a stored image, pixels.
        name: The store's name; default the readers'.
        processes: Worker processes; 1 builds in this process. Default: all cores.
        runner: Runs the shards instead of such processes, say on a cluster.
        announce: Called with the size forecast before anything is written.
        progress: Called with ("shards", done, total) after each shard.

    Raises:
        DataError: `out` holds another store, there is no room, nothing usable was found, or
            (strict readers) a sample is unusable.
        ConfigError: An option that cannot be used.
    """
    sources = [sources] if isinstance(sources, RawDataset) else list(sources)
    plan = plan_build(
        sources, Path(out), boxes=boxes, boxes_file=boxes_file, source_px=source_px, name=name
    )
    runner = runner or functools.partial(run_jobs, processes=processes)
    with _locked(plan.out):
        if not (plan.out / MANIFEST).exists():
            _check_room(forecast(plan, sources), plan, announce)
        if claim(plan):
            return read_manifest(plan.out)
        reports = runner(write_shard, shard_jobs(plan, sources))
        for done, _ in enumerate(reports, start=1):
            if progress is not None:
                progress("shards", done, plan.shards)
        return finish_build(plan, sources)


def shard_jobs(
    plan: BuildPlan, sources: Sequence[RawDataset]
) -> Iterator[tuple[ShardJob, int, list[Annotation], Boxes]]:
    """Arguments of `write_shard` for every shard; a shard never spans two sources."""
    index = 0
    for source in sources:
        annotations = source.annotations()
        while chunk := list(itertools.islice(annotations, SHARD_ROWS)):
            ids = (annotation.source_id for annotation in chunk)
            own = {key: plan.boxes[key] for key in ids if key in plan.boxes}
            yield plan.job, index, chunk, own
            index += 1


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Only one process builds this store; a second one waits, then finds it finished."""
    lock = FileLock(out.with_name(f".{out.name}.lock"))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise DataError(f"cannot build a store in {out} ({error})") from error
    try:
        yield
    finally:
        lock.release()


def _check_room(
    expected: Forecast, plan: BuildPlan, announce: Callable[[Forecast], None] | None
) -> None:
    if announce is not None:
        announce(expected)
    missing = expected.store_bytes - written_bytes(plan.job.folder)
    if missing > expected.free_bytes:
        raise DataError(
            f"no room for the store in {plan.out.parent} ({expected}); free some, or choose "
            "another disk or a smaller source_px"
        )


def finish_build(plan: BuildPlan, sources: Sequence[RawDataset]) -> Manifest:
    """Sum up the finished shards and write the manifest, which makes the store readable.

    Raises:
        DataError: A shard is missing, or no row could be used.
    """
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
        size = path.stat().st_size
        shards.append(
            {"file": path.name, "rows": report.rows, "bytes": size, "digest": report.digest}
        )
    if not digests:
        first = f"; the first: {skipped[0][1]}" if skipped else ""
        raise DataError(f"none of the {len(skipped)} images can be used{first}")
    left_out: Counter[str] = Counter()
    for source in sources:
        left_out.update(source.left_out)
    manifest = Manifest(
        name=plan.job.name,
        fingerprint=rows_digest(digests),
        boxes=plan.job.boxes,
        stored_px=largest,
        counts={**counts, "images": len(digests), "groups": len(groups)},
        shards=shards,
        skipped=skipped,
        left_out=dict(left_out),
        source=dict(plan.source),
        options=dict(plan.options),
        plan=plan.job.plan,
    )
    for left_behind in plan.job.folder.glob("*.part"):  # by a process that was killed
        left_behind.unlink(missing_ok=True)
    write_manifest(plan.out, manifest)
    for half in plan.job.folder.glob("*.part"):  # of processes that were killed
        half.unlink(missing_ok=True)
    (plan.out / PLAN).unlink(missing_ok=True)
    return manifest
