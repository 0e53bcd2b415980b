"""The doctor's checks of raw data sets: counts of known versions, labels, images."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from handssl.data.anatomy import order_problem, span_m
from handssl.data.finding import Finding
from handssl.data.freihand import read_freihand
from handssl.data.interhand import interhand_splits, read_interhand
from handssl.data.plausibility import project_px
from handssl.data.pool import Progress
from handssl.data.raw import RawDataset, load_sample
from handssl.data.sample import HandSample
from handssl.errors import DataError

__all__ = ["examine_freihand", "examine_interhand"]

_SAMPLE: Final = 200
_FREIHAND_POSES: Final = {"training": 32_560, "evaluation": 3_960}
_INTERHAND_HANDS: Final = {
    "train": {371_800: "v0.0", 687_548: "v1.0"},
    "val": {113_370: "v0.0", 234_183: "v1.0"},
    "test": {197_992: "v0.0", 488_968: "v1.0"},
}
"""Single-hand images (human and machine annotations together), from the data set's home page."""

_SPANS_M: Final = (0.10, 0.26)
"""Wrist to the farthest joint: the median over a data set of grown-up hands, in all poses."""


def examine_freihand(root: Path, progress: Progress | None) -> Iterator[Finding]:
    """Training, and evaluation if it is there."""
    for split in ("training", "evaluation"):
        if split == "evaluation" and not any(root.glob("evaluation*")):
            yield Finding(level="note", what="evaluation: not here; training does not need it")
            continue
        try:
            source = read_freihand(root, split)
        except DataError as error:
            yield Finding(level="error", what=f"{split}: {error}")
            continue
        known = _FREIHAND_POSES[split]
        complete = source.n_poses == known and source.versions == (4 if split == "training" else 1)
        yield Finding(
            level="ok" if complete else "note",
            what=f"{split}: {source.n_poses:,} poses in {source.versions} versions, "
            f"{len(source):,} images"
            + (", as FreiHAND v2" if complete else f" (FreiHAND v2 has {known:,} poses)"),
        )
        yield from _examine_samples(source, split, progress)


def examine_interhand(root: Path, progress: Progress | None) -> Iterator[Finding]:
    """Train, and val if it is there."""
    for split in interhand_splits(root):
        try:
            source = read_interhand(root, split)
        except DataError as error:
            yield Finding(level="error", what=f"{split}: {error}")
            continue
        version = _INTERHAND_HANDS[split].get(len(source))
        left_out = ", ".join(
            f"{count:,} {kind} left out" for kind, count in source.left_out.items()
        )
        yield Finding(
            level="ok" if version else "note",
            what=f"{split}: {len(source):,} single-hand images"
            + (f", as {version} at 5 fps" if version else " (no known release's number)")
            + (f"; {left_out}" if left_out else ""),
        )
        yield from _examine_samples(source, split, progress)


def _examine_samples(
    source: RawDataset, split: str, progress: Progress | None
) -> Iterator[Finding]:
    """Load images spread over the data set and look at pixels and labels."""
    samples: list[HandSample] = []
    problems: list[str] = []
    step = max(1, len(source) // _SAMPLE)
    starts = range(0, len(source), step)
    for done, start in enumerate(starts, start=1):
        for annotation in source.annotations(start):
            try:
                samples.append(load_sample(annotation))
            except DataError as error:
                problems.append(str(error))
            break
        if progress is not None:
            progress("check", done, len(starts))
    if problems:
        yield Finding(
            level="error",
            what=f"{split}: {len(problems)} of {len(starts)} images looked at are unusable, the "
            f"first: {problems[0]}",
            advice="unpack again; a build would skip and count such images",
        )
    if not samples:
        return
    sizes = Counter(f"{s.image.shape[1]}×{s.image.shape[0]}" for s in samples)
    common = ", ".join(f"{size} ({count})" for size, count in sizes.most_common(4))
    yield Finding(level="ok", what=f"{split}: image sizes {common}")
    labelled = [sample for sample in samples if sample.valid.all()]
    if not labelled:
        yield Finding(level="note", what=f"{split}: no completely labelled image looked at")
        return
    yield from _examine_labels(labelled, split)


def _examine_labels(samples: list[HandSample], split: str) -> Iterator[Finding]:
    span = span_m([sample.joints_m for sample in samples])
    fits = _SPANS_M[0] <= span <= _SPANS_M[1]
    yield Finding(
        level="ok" if fits else "error",
        what=f"{split}: a hand spans {100 * span:.1f} cm (median)",
        advice="" if fits else "labels must be in metres (InterHand: millimetres)",
    )
    problem = order_problem([sample.joints_m for sample in samples])
    yield Finding(
        level="error" if problem else "ok",
        what=f"{split}: {problem or 'bone lengths fit the joint order'}",
        advice="the labels list joints in another order" if problem else "",
    )
    inside = total = 0
    for sample in samples:
        u, v = project_px(sample.joints_m, sample.intrinsics).T
        height, width = sample.image.shape[:2]
        inside += int(((u >= -0.5) & (u < width - 0.5) & (v >= -0.5) & (v < height - 0.5)).sum())
        total += len(u)
    share = inside / total
    yield Finding(
        level="ok" if share > 0.9 else "error",
        what=f"{split}: {100 * share:.1f} % of the joints project into their image",
        advice="" if share > 0.9 else "camera matrices do not belong to these joints or images",
    )
