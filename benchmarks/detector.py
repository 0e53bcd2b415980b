"""What an independent hand detector makes of a raw folder: found, landmark error, both.

MediaPipe is no dependency of the project; it has an environment of its own, outside:

    python3.11 -m venv DETECTOR
    DETECTOR/bin/pip install "mediapipe==0.10.21" "numpy<2" "pyarrow<20" pillow filelock rich
    handssl data build synthetic --root RAW --out STORE --poses 150 --seed 11 --uniform-views 0
    PYTHONPATH=. DETECTOR/bin/python benchmarks/detector.py RAW

The error of an image is the mean distance of the 21 landmarks from the projected joints, as a
share of the longer side of these joints' box; means are over the images in which a hand was found.
Intervals are 95 % bootstrap intervals over poses, since images of one pose are not independent.
"""

import argparse
import contextlib
import importlib
import importlib.metadata
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# This folder is a script's, not an installed package's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from handssl.data import HandSample, RawDataset, read_freihand, read_interhand
from handssl.data.raw.dataset import load_sample
from handssl.data.raw.plausibility import project_px

MAX_ERROR = 0.10
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One image.

    Attributes:
        pose: What it shows; images of one pose are resampled together.
        kind: The part of the data set that it is counted under.
        error: Mean landmark error as a share of the hand's box; NaN where nothing was found.
    """

    pose: str
    kind: str
    error: float


def landmark_error(landmarks_px: NDArray[np.float64], joints_px: NDArray[np.float64]) -> float:
    """Mean distance of (21, 2) landmarks from joints over the longer side of the joints' box."""
    box = np.ptp(joints_px, axis=0).max()
    return float(np.linalg.norm(landmarks_px - joints_px, axis=1).mean() / box)


def summary(verdicts: list[Verdict]) -> dict[str, tuple[float, float, float]]:
    """Share found, mean and median error of what was found, share with both; with intervals."""
    errors = np.array([verdict.error for verdict in verdicts])
    _, poses = np.unique([verdict.pose for verdict in verdicts], return_inverse=True)
    members = [np.flatnonzero(poses == pose) for pose in range(poses.max() + 1)]

    def figures(rows: NDArray[np.int64]) -> tuple[float, float, float, float]:
        chosen = errors[rows]
        found = chosen[np.isfinite(chosen)]
        if not len(found):
            return 0.0, np.nan, np.nan, 0.0
        both = (found < MAX_ERROR).sum() / len(chosen)
        return len(found) / len(chosen), float(found.mean()), float(np.median(found)), float(both)

    generator = np.random.default_rng(0)
    drawn = [
        figures(
            np.concatenate(
                [members[p] for p in generator.integers(len(members), size=len(members))]
            )
        )
        for _ in range(_RESAMPLES)
    ]
    low, high = np.nanquantile(np.array(drawn), [0.025, 0.975], axis=0)
    whole = figures(np.arange(len(errors)))
    names = ("found", "mean", "median", "both")
    return {
        name: (whole[number], float(low[number]), float(high[number]))
        for number, name in enumerate(names)
    }


def _images(root: Path, count: int) -> Iterator[tuple[HandSample, str]]:
    """Images spread over all splits, each with the part of the data set that it counts under."""
    sources: list[RawDataset]
    if (root / "training").is_dir():
        training = read_freihand(root)
        sources, n_green = [training], training.n_poses
    else:
        sources, n_green = [read_interhand(root, split) for split in ("train", "val", "test")], 0
    total = sum(len(source) for source in sources)
    chosen = set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist())
    annotations = itertools.chain.from_iterable(source.annotations() for source in sources)
    for number, annotation in enumerate(annotations):
        if number in chosen:
            sample = load_sample(annotation)
            studio = f"{sample.side} hands"
            kind = "green screen" if number < n_green else "composited" if n_green else studio
            yield sample, kind


def _detect(root: Path, count: int, mediapipe: Any) -> list[Verdict]:
    hands = mediapipe.solutions.hands.Hands(
        static_image_mode=True,
        max_num_hands=1,
        min_detection_confidence=0.5,
        model_complexity=1,
    )
    verdicts = []
    with contextlib.closing(hands):
        for sample, kind in _images(root, count):
            image, points = sample.image, project_px(sample.joints_m, sample.intrinsics)
            if sample.side == "left":  # the reader mirrors what the detector is to see as it is
                image, points = image[:, ::-1], points * [-1, 1] + [image.shape[1] - 1, 0]
            found = hands.process(np.ascontiguousarray(image)).multi_hand_landmarks
            error = np.nan
            if found:
                height, width = image.shape[:2]
                # Its coordinates are continuous, from 0 at the image's left border.
                shares = np.array([[mark.x, mark.y] for mark in found[0].landmark])
                error = landmark_error(shares * [width, height] - 0.5, points)
            verdicts.append(Verdict(pose=sample.group, kind=kind, error=error))
    return verdicts


def main() -> int:
    """Look at a folder's images and print a row of a table for each part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="a FreiHAND or InterHand2.6M folder")
    parser.add_argument("--count", type=int, default=600, help="images, spread over the folder")
    arguments = parser.parse_args()
    try:
        mediapipe = importlib.import_module("mediapipe")
    except ImportError as error:
        print(f"skipped: no detector in this environment ({error}); see --help")
        return 0
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in ("mediapipe", "numpy"))
    verdicts = _detect(arguments.root, arguments.count, mediapipe)
    print(f"{arguments.root.name}: {versions}, {len({v.pose for v in verdicts})} poses")
    kinds = sorted({verdict.kind for verdict in verdicts})
    for kind in ["all", *kinds] if len(kinds) > 1 else kinds:
        own = [verdict for verdict in verdicts if kind in ("all", verdict.kind)]
        figures = summary(own)
        percent = [
            f"{100 * mid:.1f} % ({100 * low:.1f}–{100 * high:.1f})"
            for mid, low, high in figures.values()
        ]
        print(f"| {kind} | {len(own)} | " + " | ".join(percent) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
