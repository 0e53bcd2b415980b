"""Checks of raw data sets: the counts of known releases, labels, images."""

from collections import Counter
from collections.abc import Iterator
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
        size = _FREIHAND_SIZE if complete else None
        yield from _examine_samples(source, split, progress, size=size)


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
        yield from _examine_samples(source, part, progress)


def _examine_samples(
    source: RawDataset, part: str, progress: Progress | None, *, size: str | None = None
) -> Iterator[Finding]:
    """Load images spread over the data set, and check them and their labels.

    Unusable images are one finding; `size` is the one that all others must have.
    """
    loaded: list[tuple[int, Annotation, HandSample]] = []
    problems: list[str] = []
    starts = range(0, len(source), max(1, len(source) // _SAMPLE))
    for done, start in enumerate(starts, start=1):
        annotation = next(iter(source.annotations(start)))
        try:
            loaded.append((start, annotation, load_sample(annotation)))
        except DataError as error:
            problems.append(str(error))
        if progress is not None:
            progress("check", done, len(starts))
    if problems:
        text = f"{part}: {len(problems)} of {len(starts)} sampled images are unusable, the first: "
        advice = "unpack again; a build would skip and count such images"
        yield Finding(level="error", text=text + problems[0], advice=advice)
    if not loaded:
        return
    shapes = [sample.image.shape for _, _, sample in loaded]
    sizes = Counter(f"{width}×{height}" for height, width, _ in shapes)
    common = ", ".join(f"{name} ({count})" for name, count in sizes.most_common(4))
    yield check(
        size is None or set(sizes) == {size},
        f"{part}: image sizes {common}",
        f"the release has {size}, and its camera matrices are for that; unpack again",
    )
    labelled = [sample for _, _, sample in loaded if sample.valid.all()]
    if labelled:
        yield from _examine_labels(labelled, part)
    else:
        yield Finding(level="note", text=f"{part}: no sampled image is completely labelled")
    if isinstance(source, FreiHand):
        pairs = [(sample, source.mask_file(n)) for n, _, sample in loaded if sample.valid.all()]
        masks = [(sample, path) for sample, path in pairs if path.exists()]
        # Objects in front of the hand are not in its mask, so not all joints lie on it.
        if masks:
            share = mask_share(masks)
            yield check(
                share > 0.8,
                f"{part}: {100 * share:.1f} % of the joints project onto the hand's mask",
                "images, joints and camera matrices are of different poses, or one is mirrored",
            )
    boxes = [(sample, label.box_px) for _, label, sample in loaded if label.box_px]
    if boxes:
        share = box_share(boxes)
        yield check(
            share > 0.95,
            f"{part}: {100 * share:.1f} % of the joints project into the hand's published box",
            "the camera or joint file is of another release; unpack all three from one",
        )


def _examine_labels(samples: list[HandSample], part: str) -> Iterator[Finding]:
    poses = [sample.joints_m for sample in samples]
    span = span_m(poses)
    yield check(
        _SPANS_M[0] <= span <= _SPANS_M[1],
        f"{part}: a hand spans {100 * span:.1f} cm (median)",
        "labels must be in metres (InterHand: millimetres)",
    )
    problem = order_problem(poses)
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
