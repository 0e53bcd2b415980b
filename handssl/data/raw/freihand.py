"""FreiHAND (v2 layout): right hands, 32,560 poses in four background versions; evaluation."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handssl.data.raw.dataset import Annotation, RawDataset, file_digest, read_json, refuse_partial
from handssl.data.splits import Split, validation_mask
from handssl.errors import ConfigError, DataError
from handssl.skeleton import NUM_JOINTS, SCALE_BONE

_SPLITS: Final = {
    "training": "training",
    "train": "training",
    "evaluation": "evaluation",
    "test": "evaluation",
}
_IMAGE_NAME: Final = re.compile(r"\d{8}\.jpg")
_SCALE_TOLERANCE: Final = 0.05
"""Largest relative deviation of a pose's bone length / `scale` from the median of this ratio."""


class FreiHand(RawDataset):
    """A FreiHAND folder; iterating yields `HandSample`s of whole images.

    Sample i shows pose i mod P in background version i div P. The camera matrix is used as
    published. FreiHAND projects with K and draws the result with pixel centres at integers, which
    is also the convention of this project, so no shift is applied. Its principal point (112 of
    224) is the exact image centre in a corner-based convention, so the true offset is unknown up
    to half a pixel.

    Args:
        root: Folder with `training/rgb`, `training_K.json`, `training_xyz.json`, ... It is only
            read.
        split: "training" ("train") or "evaluation" ("test"). Evaluation labels may be missing:
            joints are NaN and invalid then.
        strict: Raise at the first unusable sample instead of skipping and counting it.

    Raises:
        DataError: A file is missing, or the files do not belong together.
        ConfigError: Unknown split.

    Example:
        >>> import tempfile
        >>> from handssl.synthetic import generate_freihand
        >>> root = Path(tempfile.mkdtemp()) / "raw"
        >>> generate_freihand(root, poses=10, versions=1, workers=1)
        >>> dataset = read_freihand(root)
        >>> len(dataset), next(iter(dataset)).joints_m.shape
        (10, (21, 3))
    """

    def __init__(self, root: str | Path, split: str = "training", *, strict: bool = False) -> None:
        super().__init__(name="freihand", strict=strict)
        self.root = Path(root)
        self.split = _split(split)
        refuse_partial(self.root)
        training = self.split == "training"
        self._images = self.root / self.split / "rgb"
        names = _image_names(self._images)
        self._intrinsics, self._problems = _read_matrices(self._json("K"), (3, 3))
        self.n_poses = len(self._intrinsics)
        if self.n_poses == 0 or not names:
            raise DataError(
                f"{self.root} has {len(names)} images and {self.n_poses} poses for "
                f"{self.split}; unpack FreiHAND's archive here again"
            )
        self._labelled = training or self._json("xyz").exists()
        self._joints = np.full((self.n_poses, NUM_JOINTS, 3), np.nan)
        if self._labelled:
            self._joints, problems = self._of_each_pose("xyz", (NUM_JOINTS, 3))
            self._problems = problems | self._problems
            self._check_scale()
        self.versions = len(names) // self.n_poses
        self.n_images = len(names)
        if len(names) % self.n_poses or (self.versions != 1 and not training):
            missing = next(f"{i:08d}.jpg" for i in range(2**31) if f"{i:08d}.jpg" not in names)
            raise DataError(
                f"{self._images} has {len(names)} images, which is not "
                f"{'a multiple of ' if training else ''}the {self.n_poses} poses of "
                f"{self._json('K').name}; the first missing image is {missing}: unpack it again"
            )
        self._validates = validation_mask(self.n_poses)

    def _json(self, kind: str) -> Path:
        return self.root / f"{self.split}_{kind}.json"

    def _of_each_pose(self, kind: str, shape: tuple[int, ...]) -> "_Matrices":
        """See `_read_matrices`; the file must have as many entries as there are cameras."""
        matrices, problems = _read_matrices(self._json(kind), shape)
        if len(matrices) != self.n_poses:
            raise DataError(
                f"{self._json(kind)} has {len(matrices)} poses, but {self._json('K').name} has "
                f"{self.n_poses}; both must come from the same release: unpack them again"
            )
        return matrices, problems

    def _check_scale(self) -> None:
        """Mark poses whose bone length contradicts the published `scale`."""
        if not self._json("scale").exists():
            return
        scale, _ = self._of_each_pose("scale", ())
        start, end = SCALE_BONE
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.linalg.norm(self._joints[:, end] - self._joints[:, start], axis=1) / scale
        known = np.isfinite(ratio)
        if not known.any():
            return
        off = known & ~(np.abs(ratio / np.median(ratio[known]) - 1) <= _SCALE_TOLERANCE)
        if off.sum() * 2 > known.sum():
            raise DataError(
                f"{self._json('xyz')} and {self._json('scale').name} contradict each other for "
                f"{off.sum()} of {self.n_poses} poses; unpack both from the same release"
            )
        for pose in np.flatnonzero(off):
            self._problems.setdefault(
                int(pose), "its bone length contradicts the published scale; labels are mixed up"
            )

    def __len__(self) -> int:
        return self.n_images

    def annotations(self, start: int = 0) -> Iterator[Annotation]:
        """Labels of all images from index `start` on."""
        for index in range(start, self.n_images):
            pose = index % self.n_poses
            joints = self._joints[pose]
            problem = self._problems.get(pose)
            if self._labelled and problem is None and not np.isfinite(joints).all():
                problem = f"the joints of pose {pose} have NaN or infinite entries"
            split: Split = "test"
            if self.split == "training":
                split = "val" if self._validates[pose] else "train"
            name = f"{self.split}/rgb/{index:08d}.jpg"
            yield Annotation(
                file=self.root / name,
                name=name,
                intrinsics=self._intrinsics[pose],
                joints_m=joints,
                valid=np.full(NUM_JOINTS, self._labelled),
                side="right",
                group=f"{self.split}/{pose:08d}",
                source_id=f"{self.split}/{index:08d}",
                split=split,
                problem=problem,
            )

    def mask_file(self, index: int) -> Path:
        """Path of the hand's mask of a training image; all versions of a pose share it."""
        return self.root / self.split / "mask" / f"{index % self.n_poses:08d}.jpg"

    def signature(self) -> dict[str, str | int]:
        """See `freihand_signature`."""
        return freihand_signature(self.root, self.split)


read_freihand = FreiHand


def freihand_signature(root: str | Path, split: str = "training") -> dict[str, str | int]:
    """Number and sampled sizes of the images, and checksums of the label files, in about 1 s.

    Raises:
        DataError: The images or a label file are missing.
    """
    folder, split = Path(root), _split(split)
    images = sorted(_image_names(folder / split / "rgb"))
    sampled = images[:: max(1, len(images) // 64)]
    labels = [folder / f"{split}_{kind}.json" for kind in ("K", "xyz", "scale")]
    return {
        f"{split}/images": len(images),
        f"{split}/sampled_bytes": sum(
            (folder / split / "rgb" / i).stat().st_size for i in sampled
        ),
        **{path.name: file_digest(path) for path in labels if path.exists()},
    }


def _split(split: str) -> str:
    if split not in _SPLITS:
        raise ConfigError(f"split must be one of {sorted(_SPLITS)}, but got split={split!r}")
    return _SPLITS[split]


def _image_names(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if _IMAGE_NAME.fullmatch(entry.name)}
    except OSError as error:
        raise DataError(
            f"cannot list {folder} ({error.strerror}); root must be an unpacked FreiHAND folder, "
            "with training/rgb and training_K.json in it"
        ) from error


_Matrices = tuple[NDArray[np.float64], dict[int, str]]


def _read_matrices(path: Path, shape: tuple[int, ...]) -> _Matrices:
    """All matrices of a JSON list; an entry of another shape becomes NaN and a problem."""
    content = read_json(path)
    if not isinstance(content, list):
        raise DataError(f"{path} must be a list with one entry per pose; unpack it again")
    rows: list[NDArray[np.float64]] = []
    problems: dict[int, str] = {}
    for value in content:
        try:
            row = np.asarray(value, dtype=np.float64)
            if row.size == 1 and shape == ():
                row = row.reshape(())
            if row.shape != shape:
                raise ValueError(f"shape {row.shape} instead of {shape}")
        except (TypeError, ValueError) as error:
            problems[len(rows)] = f"entry {len(rows)} of {path.name} is unusable: {error}"
            row = np.full(shape, np.nan)
        rows.append(row)
    return np.array(rows).reshape(-1, *shape), problems
