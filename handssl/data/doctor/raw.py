"""The doctor's checks of raw data sets: counts of known versions, labels, images."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handssl.data.doctor.anatomy import order_problem, span_m
from handssl.data.doctor.finding import Finding
from handssl.data.doctor.reprojection import box_share, image_share, mask_share
from handssl.data.raw.dataset import Annotation, RawDataset, load_sample
from handssl.data.raw.freihand import FreiHand, read_freihand
from handssl.data.raw.interhand import interhand_layouts, read_interhand
from handssl.data.sample import HandSample
from handssl.data.store.parallel import Progress
from handssl.errors import DataError

_SAMPLE: Final = 200
_FREIHAND_POSES: Final = {"training": 32_560, "evaluation": 3_960}
_FREIHAND_SIZE: Final = "224×224"
_INTERHAND: Final[dict[tuple[str, str], dict[str, tuple[int, int]]]] = {
    ("train", "all"): {"v0.0": (371_800, 366_802), "v1.0": (687_548, 673_514)},
    ("train", "human_annot"): {"v0.0": (76_445, 208_271), "v1.0": (142_231, 386_251)},
    ("train", "machine_annot"): {"v0.0": (322_675, 174_383), "v1.0": (594_189, 314_848)},
    ("val", "all"): {"v0.0": (113_370, 70_917), "v1.0": (234_183, 145_942)},
    ("val", "machine_annot"): {"v0.0": (113_370, 70_917), "v1.0": (234_183, 145_942)},
    ("test", "all"): {"v0.0": (197_992, 154_905), "v1.0": (488_968, 360_192)},
    ("test", "human_annot"): {"v0.0": (18_399, 48_323), "v1.0": (33_665, 87_908)},
    ("test", "machine_annot"): {"v0.0": (179_593, 106_582), "v1.0": (455_303, 272_284)},
}
"""Single-hand and interacting images at 5 fps by split and annotator, from the data set's home
page (mks0601.github.io/InterHand2.6M; v0.0's beside v1.0's in its edition of 2020)."""

_SPANS_M: Final = (0.10, 0.26)
"""Wrist to the farthest joint: the median over a data set of grown-up hands, in all poses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """A sample that was loaded, and what it was loaded from."""

    number: int
    annotation: Annotation
    sample: HandSample


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
            advice="" if complete else "if it should be all of FreiHAND, unpack it again",
        )
        looked, findings = _look(source, split, progress)
        yield from findings
        yield from _examine_sizes(looked, split, expected=_FREIHAND_SIZE if complete else None)
        yield from _examine_labels(looked, split)
        yield from _examine_masks(source, looked, split)


def examine_interhand(root: Path, progress: Progress | None) -> Iterator[Finding]:
    """Every split and annotator that is there; train in any case."""
    for split, annotator in interhand_layouts(root) or [("train", "all")]:
        part = split if annotator == "all" else f"{split} ({annotator})"
        try:
            source = read_interhand(root, split, annotator)
        except DataError as error:
            yield Finding(level="error", what=f"{part}: {error}")
            continue
        interacting = source.left_out.get("interacting hands", 0)
        known = _INTERHAND.get((split, annotator), {})
        version = next((n for n, c in known.items() if c == (len(source), interacting)), None)
        published = "; ".join(f"{n}: {one:,} and {two:,}" for n, (one, two) in known.items())
        left_out = ", ".join(
            f"{count:,} {kind} left out" for kind, count in source.left_out.items()
        )
        yield Finding(
            level="ok" if version else "note",
            what=f"{part}: {len(source):,} single-hand images"
            + (f"; {left_out}" if left_out else "")
            + (f"; as {version} at 5 fps" if version else "; no known release's numbers"),
            advice=""
            if version
            else f"single and interacting at 5 fps are {published}; a part may be used as it is",
        )
        looked, findings = _look(source, part, progress)
        yield from findings
        yield from _examine_sizes(looked, part, expected=None)
        yield from _examine_labels(looked, part)
        yield from _examine_boxes(looked, part)


def _look(
    source: RawDataset, part: str, progress: Progress | None
) -> tuple[list[_Looked], list[Finding]]:
    """Load images spread over the data set; says which cannot be."""
    looked: list[_Looked] = []
    problems: list[str] = []
    starts = range(0, len(source), max(1, len(source) // _SAMPLE))
    for done, start in enumerate(starts, start=1):
        annotation = next(iter(source.annotations(start)))
        try:
            sample = load_sample(annotation)
            looked.append(_Looked(number=start, annotation=annotation, sample=sample))
        except DataError as error:
            problems.append(str(error))
        if progress is not None:
            progress("check", done, len(starts))
    if not problems:
        return looked, []
    what = f"{part}: {len(problems)} of {len(starts)} images looked at are unusable, the first: "
    advice = "unpack again; a build would skip and count such images"
    return looked, [Finding(level="error", what=what + problems[0], advice=advice)]


def _examine_sizes(looked: list[_Looked], part: str, expected: str | None) -> Iterator[Finding]:
    if not looked:
        return
    shapes = [one.sample.image.shape for one in looked]
    sizes = Counter(f"{width}×{height}" for height, width, _ in shapes)
    common = ", ".join(f"{size} ({count})" for size, count in sizes.most_common(4))
    fits = expected is None or set(sizes) == {expected}
    yield Finding(
        level="ok" if fits else "error",
        what=f"{part}: image sizes {common}",
        advice=""
        if fits
        else f"the release's are {expected}, and its camera matrices are for that; unpack again",
    )


def _examine_labels(looked: list[_Looked], part: str) -> Iterator[Finding]:
    samples = [one.sample for one in looked if one.sample.valid.all()]
    if not samples:
        if looked:
            yield Finding(level="note", what=f"{part}: no completely labelled image looked at")
        return
    span = span_m([sample.joints_m for sample in samples])
    fits = _SPANS_M[0] <= span <= _SPANS_M[1]
    yield Finding(
        level="ok" if fits else "error",
        what=f"{part}: a hand spans {100 * span:.1f} cm (median)",
        advice="" if fits else "labels must be in metres (InterHand: millimetres)",
    )
    problem = order_problem([sample.joints_m for sample in samples])
    yield Finding(
        level="error" if problem else "ok",
        what=f"{part}: {problem or 'bone lengths fit the joint order'}",
        advice="the labels list joints in another order" if problem else "",
    )
    share = image_share(samples)
    yield Finding(
        level="ok" if share > 0.9 else "error",
        what=f"{part}: {100 * share:.1f} % of the joints project into their image",
        advice="" if share > 0.9 else "camera matrices do not belong to these joints or images",
    )


def _examine_masks(source: FreiHand, looked: list[_Looked], part: str) -> Iterator[Finding]:
    """Reprojection: joints of FreiHAND lie on the published mask of the hand."""
    pairs = [
        (one.sample, path)
        for one in looked
        if (path := source.mask_file(one.number)).exists() and one.sample.valid.all()
    ]
    if not pairs:
        return
    # Objects before the hand are no part of its mask, so not all joints lie on it.
    share = mask_share(pairs)
    yield Finding(
        level="ok" if share > 0.8 else "error",
        what=f"{part}: {100 * share:.1f} % of the joints project onto the hand's mask",
        advice=""
        if share > 0.8
        else "images, joints and camera matrices are not of the same poses, or one is mirrored",
    )


def _examine_boxes(looked: list[_Looked], part: str) -> Iterator[Finding]:
    """Reprojection: joints of InterHand2.6M lie in the published box of the hand."""
    pairs = [(one.sample, one.annotation.box_px) for one in looked if one.annotation.box_px]
    if not pairs:
        return
    share = box_share(pairs)
    yield Finding(
        level="ok" if share > 0.95 else "error",
        what=f"{part}: {100 * share:.1f} % of the joints project into the hand's published box",
        advice=""
        if share > 0.95
        else "the camera or joint file is not of this release; unpack all three from one",
    )
