"""InterHand2.6M (v0 and v1.0 layouts): single hands seen by many cameras, left ones mirrored."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handssl.data.camera import mirror_intrinsics, mirror_joints
from handssl.data.raw.dataset import Annotation, RawDataset, file_digest, read_json, refuse_partial
from handssl.data.raw.interhand_index import HandRow, InterHandIndex
from handssl.data.splits import Split, validation_mask
from handssl.errors import ConfigError, DataError
from handssl.skeleton import INTERHAND_TO_FREIHAND, NUM_JOINTS

_SPLITS: Final[dict[str, Split]] = {"train": "train", "val": "val", "test": "test"}
_ANNOTATORS: Final = ("all", "human_annot", "machine_annot")
_KINDS: Final = ("data", "camera", "joint_3d")


class InterHand(RawDataset):
    """An InterHand2.6M folder; iterating yields `HandSample`s of whole images.

    World joints (mm) become camera joints (m) as (world − campos)·camrotᵀ / 1000, in FreiHAND's
    order. Only single hands are read; interacting hands are left out and counted. Left hands are
    mirrored: image, camera and joints. The camera matrix is used as published, pixel centres at
    integers. The joined labels are a temporary file, deleted with the reader.

    Args:
        root: Folder with `annotations/` and `images/`. It is only read.
        split: "train", "val" or "test". If the folder has no val, a tenth of train's captures
            (of its poses, if it has one capture) is the validation split (D19).
        annotator: "all", "human_annot" or "machine_annot": the folder of the v0 layout. The v1.0
            layout has one folder per split instead and serves "all" only.
        strict: Raise at the first unusable sample instead of skipping and counting it.

    Raises:
        DataError: A file is missing, or the files do not belong together.
        ConfigError: Unknown split or annotator.

    Example:
        >>> import tempfile
        >>> from handssl.synthetic import generate_interhand
        >>> root = Path(tempfile.mkdtemp()) / "raw"
        >>> generate_interhand(root, poses=10, cameras=1, workers=1)
        >>> dataset = read_interhand(root, "train")
        >>> len(dataset), next(iter(dataset)).joints_m.shape
        (4, (21, 3))
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        annotator: str = "all",
        *,
        strict: bool = False,
    ) -> None:
        if split not in _SPLITS:
            raise ConfigError(f"split must be one of {sorted(_SPLITS)}, but got split={split!r}")
        super().__init__(name="interhand", strict=strict)
        self.root = Path(root)
        self.split = split
        self.annotator = annotator
        refuse_partial(self.root)
        folder = _annotation_folder(self.root, split, annotator)
        images = self.root / "images" / split
        if not images.is_dir():
            raise DataError(f"{images} is not a folder; root must hold InterHand2.6M's images")
        self._cameras = _read_cameras(_file(folder, split, "camera"))
        self._index = InterHandIndex(
            _file(folder, split, "data"), _file(folder, split, "joint_3d")
        )
        self._validates: set[tuple[str, ...]] = set()
        if split == "train" and "val" not in interhand_splits(root, annotator):
            self._validates = _held_out(self._index.captures())

    def __len__(self) -> int:
        return self._index.rows

    @property
    def left_out(self) -> dict[str, int]:
        """Number of annotations of interacting hands, by hand type."""
        return {f"{kind} hands": count for kind, count in self._index.left_out.items()}

    def signature(self) -> dict[str, str | int]:
        """See `interhand_signature`."""
        return interhand_signature(self.root, self.split, annotator=self.annotator)

    def annotations(self, start: int = 0) -> Iterator[Annotation]:
        """Labels of all single-hand images from index `start` on, in the file's order."""
        for row in self._index.rows_from(start):
            yield self._annotation(row)

    def _annotation(self, row: HandRow) -> Annotation:
        problem = None
        intrinsics = np.full((3, 3), np.nan)
        joints = np.full((NUM_JOINTS, 3), np.nan)
        file, width, height, capture, camera, frame = row.image or ("", 0, 0, "", "", "")
        hand = np.array(INTERHAND_TO_FREIHAND) + (0 if row.side == "right" else NUM_JOINTS)
        valid = row.valid[hand]
        if row.image is None:
            problem = f"image {row.image_id} of an annotation is not among the images"
        elif (capture, camera) not in self._cameras:
            problem = f"camera {camera} of capture {capture} is not in the camera file"
        elif row.world_mm is None:
            problem = f"frame {frame} of capture {capture} has no usable pose in the joint file"
        else:
            intrinsics, position_mm, rotation = self._cameras[capture, camera]
            joints = (row.world_mm[hand] - position_mm) @ rotation.T / 1000.0
            # A joint with a coordinate that is not finite counts as unlabelled.
            valid = valid & np.isfinite(joints).all(axis=1)
            joints[~valid] = np.nan
            if not valid.any():
                problem = f"no valid joint of the {row.side} hand"
        mirror = row.side == "left"
        name = f"{self.split}/{file or f'image id {row.image_id}'}"
        return Annotation(
            file=self.root / "images" / self.split / file,
            name=name,
            intrinsics=mirror_intrinsics(intrinsics, width) if mirror else intrinsics,
            joints_m=mirror_joints(joints) if mirror else joints,
            valid=valid,
            side="left" if mirror else "right",
            group=f"{self.split}/capture{capture}/frame{frame}",
            source_id=name,
            split=self._split_of(capture, frame),
            mirror=mirror,
            size_px=(width, height),
            box_px=row.box_px,
            problem=problem,
        )

    def _split_of(self, capture: str, frame: str) -> Split:
        if (capture,) in self._validates or (capture, frame) in self._validates:
            return "val"
        return _SPLITS[self.split]


read_interhand = InterHand


def interhand_splits(root: str | Path, annotator: str = "all") -> tuple[str, ...]:
    """("train", "val") if the folder has annotations of val, else ("train",)."""
    return ("train", "val") if _has_annotations(Path(root), "val", annotator) else ("train",)


def interhand_layouts(root: str | Path) -> list[tuple[str, str]]:
    """Every (split, annotator) with annotations in the folder, for `read_interhand`.

    "all" comes first; v0's human and machine annotations of a split follow if they exist.
    """
    return [
        (split, annotator)
        for split in _SPLITS
        for annotator in _ANNOTATORS
        if _has_annotations(Path(root), split, annotator)
    ]


def interhand_signature(
    root: str | Path, split: str = "train", *, annotator: str = "all"
) -> dict[str, str | int]:
    """Number of entries in the image folder's two upper levels, and the label files' checksums.

    Raises:
        DataError: A label file or the image folder is missing.
    """
    folder = _annotation_folder(Path(root), split, annotator)
    images = Path(root) / "images" / split
    try:
        children = list(images.iterdir())
        entries = len(children) + sum(
            sum(1 for _ in child.iterdir()) for child in children if child.is_dir()
        )
    except OSError as error:
        raise DataError(
            f"cannot list {images} ({error.strerror}); root must hold InterHand2.6M's images"
        ) from error
    paths = [_file(folder, split, kind) for kind in _KINDS]
    return {f"{split}/entries": entries, **{path.name: file_digest(path) for path in paths}}


def _held_out(poses: list[tuple[str, str]]) -> set[tuple[str, ...]]:
    """A tenth of the captures, or of the poses if there is only one capture."""
    units: list[tuple[str, ...]] = [(name,) for name in sorted({capture for capture, _ in poses})]
    if len(units) == 1:
        units = list(poses)
    mask = validation_mask(len(units)) if units else ()
    return {unit for unit, validates in zip(units, mask, strict=True) if validates}


def _file(folder: Path, split: str, kind: str) -> Path:
    return folder / f"InterHand2.6M_{split}_{kind}.json"


def _candidates(root: Path, split: str, annotator: str) -> list[Path]:
    """The folders where the annotations may be."""
    if annotator not in _ANNOTATORS:
        raise ConfigError(
            f"annotator must be one of {list(_ANNOTATORS)}, but got annotator={annotator!r}"
        )
    annotations = root / "annotations"
    names = (split, "all", ".") if annotator == "all" else (annotator,)
    return [annotations / name for name in names]


def _has_annotations(root: Path, split: str, annotator: str) -> bool:
    return any(_file(f, split, "data").exists() for f in _candidates(root, split, annotator))


def _annotation_folder(root: Path, split: str, annotator: str) -> Path:
    candidates = _candidates(root, split, annotator)
    folder = next((each for each in candidates if _file(each, split, "data").exists()), None)
    if folder is None:
        paths = ", ".join(str(_file(each, split, "data")) for each in candidates)
        raise DataError(
            f"none of {paths} exists; root must be an unpacked InterHand2.6M folder, with "
            "annotations/ and images/ in it"
        )
    for path in (_file(folder, split, kind) for kind in _KINDS):
        if not path.is_file():
            raise DataError(f"{path} is missing; unpack InterHand2.6M's annotations again")
    return folder


_Camera = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _read_cameras(path: Path) -> dict[tuple[str, str], _Camera]:
    """(K px, position mm, rotation) of every complete camera, by (capture, camera)."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(f"{path} must map captures to cameras; unpack it again")
    cameras: dict[tuple[str, str], _Camera] = {}
    names = {"campos", "camrot", "focal", "princpt"}
    for capture, entry in content.items():
        if not isinstance(entry, dict) or not names <= entry.keys():
            raise DataError(
                f"{path}: capture {capture} must have campos, camrot, focal and princpt; it may "
                "be another of InterHand's files under this name"
            )
        for camera in entry["campos"]:
            try:
                focal = np.asarray(entry["focal"][camera], dtype=np.float64)
                centre = np.asarray(entry["princpt"][camera], dtype=np.float64)
                position = np.asarray(entry["campos"][camera], dtype=np.float64).reshape(3)
                rotation = np.asarray(entry["camrot"][camera], dtype=np.float64).reshape(3, 3)
                intrinsics = np.eye(3)
                intrinsics[[0, 1], [0, 1]] = focal
                intrinsics[:2, 2] = centre
            except (KeyError, TypeError, ValueError):
                continue
            if np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
                cameras[str(capture), str(camera)] = (intrinsics, position, rotation)
    return cameras
