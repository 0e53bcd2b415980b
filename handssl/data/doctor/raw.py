"""Checks of raw data sets: the counts of known releases, labels, images."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handssl.data.doctor import Finding, check
from handssl.data.doctor.labels import box_share, image_share, mask_share, order_problem, span_m
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
"""Plausible median distance from the wrist to the farthest joint of adult hands in all poses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """A loaded sample with its annotation and its number in the data set."""

    number: int
    annotation: Annotation
    sample: HandSample


def examine_freihand(root: Path, progress: Progress | None) -> Iterator[Finding]:
    """Check training, and evaluation if it exists."""
    for split in ("training", "evaluation"):
        if split == "evaluation" and not any(root.glob("evaluation*")):
            yield Finding(level="note", text="evaluation: missing, but not needed for training")
            continue
        try:
            source = read_freihand(root, split)
        except DataError as error:
            yield Finding(level="error", text=f"{split}: {error}")
            continue
        known = _FREIHAND_POSES[split]
        complete = source.n_poses == known and source.versions == (4 if split == "training" else 1)
        release = "as FreiHAND v2" if complete else f"FreiHAND v2 has {known:,} poses"
        yield check(
            complete,
            f"{split}: {source.n_poses:,} poses in {source.versions} versions, "
            f"{len(source):,} images ({release})",
            "if it should be all of FreiHAND, unpack it again",
            level="note",
        )
        loaded, findings = _load_some(source, split, progress)
        yield from findings
        yield from _examine_sizes(loaded, split, expected=_FREIHAND_SIZE if complete else None)
        yield from _examine_labels(loaded, split)
        yield from _examine_masks(source, loaded, split)


def examine_interhand(root: Path, progress: Progress | None) -> Iterator[Finding]:
    """Check every split and annotator with annotations, or train if there are none."""
    for split, annotator in interhand_layouts(root) or [("train", "all")]:
        part = split if annotator == "all" else f"{split} ({annotator})"
        try:
            source = read_interhand(root, split, annotator)
        except DataError as error:
            yield Finding(level="error", text=f"{part}: {error}")
            continue
        interacting = source.left_out.get("interacting hands", 0)
        known = _INTERHAND.get((split, annotator), {})
        version = next((n for n, c in known.items() if c == (len(source), interacting)), None)
        published = "; ".join(f"{n}: {one:,} and {two:,}" for n, (one, two) in known.items())
        left_out = "".join(f"; {n:,} {kind} left out" for kind, n in source.left_out.items())
        release = f"as {version} at 5 fps" if version else "not the numbers of a known release"
        yield check(
            version is not None,
            f"{part}: {len(source):,} single-hand images{left_out}; {release}",
            f"single and interacting at 5 fps are {published}; a part of them can be used too",
            level="note",
        )
        loaded, findings = _load_some(source, part, progress)
        yield from findings
        yield from _examine_sizes(loaded, part, expected=None)
        yield from _examine_labels(loaded, part)
        yield from _examine_boxes(loaded, part)


def _load_some(
    source: RawDataset, part: str, progress: Progress | None
) -> tuple[list[_Loaded], list[Finding]]:
    """Load images spread over the data set; unusable ones become a finding."""
    loaded: list[_Loaded] = []
    problems: list[str] = []
    starts = range(0, len(source), max(1, len(source) // _SAMPLE))
    for done, start in enumerate(starts, start=1):
        annotation = next(iter(source.annotations(start)))
        try:
            sample = load_sample(annotation)
            loaded.append(_Loaded(number=start, annotation=annotation, sample=sample))
        except DataError as error:
            problems.append(str(error))
        if progress is not None:
            progress("check", done, len(starts))
    if not problems:
        return loaded, []
    text = f"{part}: {len(problems)} of {len(starts)} sampled images are unusable, the first: "
    advice = "unpack again; a build would skip and count such images"
    return loaded, [Finding(level="error", text=text + problems[0], advice=advice)]


def _examine_sizes(loaded: list[_Loaded], part: str, expected: str | None) -> Iterator[Finding]:
    if not loaded:
        return
    shapes = [one.sample.image.shape for one in loaded]
    sizes = Counter(f"{width}×{height}" for height, width, _ in shapes)
    common = ", ".join(f"{size} ({count})" for size, count in sizes.most_common(4))
    yield check(
        expected is None or set(sizes) == {expected},
        f"{part}: image sizes {common}",
        f"the release has {expected}, and its camera matrices are for that; unpack again",
    )


def _examine_labels(loaded: list[_Loaded], part: str) -> Iterator[Finding]:
    samples = [one.sample for one in loaded if one.sample.valid.all()]
    if not samples:
        if loaded:
            yield Finding(level="note", text=f"{part}: no sampled image is completely labelled")
        return
    span = span_m([sample.joints_m for sample in samples])
    yield check(
        _SPANS_M[0] <= span <= _SPANS_M[1],
        f"{part}: a hand spans {100 * span:.1f} cm (median)",
        "labels must be in metres (InterHand: millimetres)",
    )
    problem = order_problem([sample.joints_m for sample in samples])
    yield check(
        problem is None,
        f"{part}: {problem or 'bone lengths fit the joint order'}",
        "the labels list joints in another order",
    )
    share = image_share(samples)
    yield check(
        share > 0.9,
        f"{part}: {100 * share:.1f} % of the joints project into their image",
        "camera matrices do not belong to these joints or images",
    )


def _examine_masks(source: FreiHand, loaded: list[_Loaded], part: str) -> Iterator[Finding]:
    """Reprojection: joints of FreiHAND lie on the published mask of the hand."""
    pairs = [
        (one.sample, path)
        for one in loaded
        if (path := source.mask_file(one.number)).exists() and one.sample.valid.all()
    ]
    if not pairs:
        return
    # Objects in front of the hand are not in its mask, so not all joints lie on it.
    share = mask_share(pairs)
    yield check(
        share > 0.8,
        f"{part}: {100 * share:.1f} % of the joints project onto the hand's mask",
        "images, joints and camera matrices are of different poses, or one is mirrored",
    )


def _examine_boxes(loaded: list[_Loaded], part: str) -> Iterator[Finding]:
    """Reprojection: joints of InterHand2.6M lie in the published box of the hand."""
    pairs = [(one.sample, one.annotation.box_px) for one in loaded if one.annotation.box_px]
    if not pairs:
        return
    share = box_share(pairs)
    yield check(
        share > 0.95,
        f"{part}: {100 * share:.1f} % of the joints project into the hand's published box",
        "the camera or joint file is of another release; unpack all three from one",
    )
