"""What a build is going to make: its options, their digest, and the claim on a folder."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from handssl.data.raw.dataset import RawDataset
from handssl.data.store.boxes import Boxes, BoxKind, check_kind, read_boxes
from handssl.data.store.digest import file_digest
from handssl.data.store.manifest import MANIFEST, read_manifest, write_json
from handssl.data.store.shard import SCHEMA_VERSION, SHARD_ROWS, ShardJob
from handssl.errors import ConfigError, DataError

PLAN: Final = "building.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """Everything that a build needs besides its readers.

    Attributes:
        out: The store's folder.
        job: What all shards share.
        source: Signature of the raw files.
        options: What decides the content besides them.
        boxes: By source id, for boxes=file.
        shards: Number of shards.
    """

    out: Path
    job: ShardJob
    source: dict[str, str | int]
    options: dict[str, Any]
    boxes: Boxes
    shards: int


def build_options(
    *, boxes: BoxKind, boxes_file: str | Path | None, source_px: int
) -> dict[str, Any]:
    """The options that decide a store's content, checked."""
    check_kind(boxes, boxes_file)
    if source_px < 16:
        raise ConfigError(f"source_px must be >= 16, but got source_px={source_px}")
    options: dict[str, Any] = {"boxes": boxes, "source_px": source_px}
    if boxes_file is not None:
        options["boxes_digest"] = file_digest(Path(boxes_file))
    return options


def plan_digest(name: str, source: dict[str, str | int], options: dict[str, Any]) -> str:
    """SHA-256 over everything that decides a store's content."""
    text = json.dumps([SCHEMA_VERSION, SHARD_ROWS, name, source, options], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def plan_build(
    sources: Sequence[RawDataset],
    out: Path,
    *,
    boxes: BoxKind = "joints",
    boxes_file: str | Path | None = None,
    source_px: int = 224,
    name: str | None = None,
) -> BuildPlan:
    """Check the options and describe the build; touches nothing.

    Raises:
        ConfigError: An option that cannot be used.
        DataError: The raw files or the file of boxes cannot be read.
    """
    if not sources:
        raise ConfigError("sources must name at least one data set, but got sources=[]")
    options = build_options(boxes=boxes, boxes_file=boxes_file, source_px=source_px)
    source = {key: value for each in sources for key, value in each.signature().items()}
    name = name or "+".join(dict.fromkeys(each.name for each in sources))
    job = ShardJob(
        folder=out / "shards",
        name=name,
        boxes=boxes,
        source_px=source_px,
        strict=any(each.strict for each in sources),
        plan=plan_digest(name, source, options),
    )
    return BuildPlan(
        out=out,
        job=job,
        source=source,
        options=options,
        boxes={} if boxes_file is None else read_boxes(boxes_file),
        shards=sum(-(-len(source) // SHARD_ROWS) for source in sources),
    )


def claim(plan: BuildPlan) -> bool:
    """Make the folder this build's own; True if its store is already complete.

    Raises:
        DataError: The folder holds something else, or cannot be written to.
    """
    out = plan.out
    if (out / MANIFEST).exists():
        if read_manifest(out).plan != plan.job.plan:
            raise DataError(
                f"{out} holds a store of other raw files or options; delete it or choose another "
                "folder"
            )
        return True
    try:
        if (out / PLAN).exists():
            earlier = json.loads((out / PLAN).read_text(encoding="utf-8"))
            if not isinstance(earlier, dict) or earlier.get("plan") != plan.job.plan:
                raise DataError(
                    f"{out} holds a half-built store of other raw files or options; delete it or "
                    "choose another folder"
                )
            return False
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise DataError(f"{out} exists and is no store; choose a new folder")
        (out / "shards").mkdir(parents=True)
        content = {"plan": plan.job.plan, "source": plan.source, "options": plan.options}
        write_json(out / PLAN, content)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot build a store in {out} ({error})") from error
    return False
