"""InterHand2.6M's label files joined on disk: streamed once into SQLite, then read in order."""

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import ijson
import numpy as np
from numpy.typing import NDArray

from handssl.errors import DataError

_JOINTS: Final = 42
_SINGLE: Final = ("left", "right")
_TABLES: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE image (
    id INTEGER PRIMARY KEY, file TEXT, width INTEGER, height INTEGER,
    capture TEXT, camera TEXT, frame TEXT);
CREATE TABLE hand (image INTEGER, side TEXT, valid BLOB, box BLOB);
CREATE TABLE pose (
    capture TEXT, frame TEXT, world BLOB, valid BLOB,
    PRIMARY KEY (capture, frame)) WITHOUT ROWID;
"""
_QUERY: Final = """
SELECT hand.rowid, hand.image, side, hand.valid, box, world, pose.valid,
       file, width, height, image.capture, camera, image.frame
FROM hand LEFT JOIN image ON image.id = hand.image
LEFT JOIN pose ON pose.capture = image.capture AND pose.frame = image.frame
WHERE hand.rowid > ? ORDER BY hand.rowid
"""


Image = tuple[str, int, int, str, str, str]
"""File name, width, height, capture, camera, frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandRow:
    """One single-hand annotation joined with its image and pose; None if a file lacks it.

    Attributes:
        image_id: Id of the image.
        side: "left" or "right".
        image: Its file and origin.
        world_mm: (42, 3) joints in the world, millimetres.
        valid: (42,) valid in both label files.
        box_px: The hand's published box: x, y, width, height.
    """

    image_id: int
    side: str
    image: Image | None
    world_mm: NDArray[np.float64] | None
    valid: NDArray[np.bool_]
    box_px: tuple[float, float, float, float] | None


class InterHandIndex:
    """The joined labels of one split, in a temporary file that is deleted with this object.

    Args:
        data: `..._data.json`: images and annotations.
        joint_3d: `..._joint_3d.json`: poses by capture and frame.

    Attributes:
        left_out: Number of annotations of interacting hands, by hand type.
        rows: Number of single-hand annotations.
    """

    def __init__(self, data: Path, joint_3d: Path) -> None:
        # An empty name is a temporary file, which SQLite deletes when it is closed. joblib reads
        # annotations from its own threads, one at a time.
        self._database = sqlite3.connect("", check_same_thread=False)
        weakref.finalize(self, self._database.close)
        self._database.executescript(_TABLES)
        self.left_out: dict[str, int] = {}
        self._read_data(data)
        self._read_poses(joint_3d)
        self._database.commit()
        self.rows = int(self._database.execute("SELECT count(*) FROM hand").fetchone()[0])

    def _read_data(self, path: Path) -> None:
        for key, add in (("images", self._add_image), ("annotations", self._add_annotation)):
            number = -1
            with _json_file(path) as file:
                for number, entry in enumerate(ijson.items(file, f"{key}.item", use_float=True)):
                    try:
                        add(entry)
                    except (KeyError, TypeError, ValueError, OverflowError) as error:
                        raise DataError(
                            f"{path}: {key} entry {number} is unusable ({error!r}); unpack it "
                            "again"
                        ) from error
            if number < 0:
                raise DataError(
                    f"{path} must have entries in the list {key!r}; it may be another of "
                    "InterHand's files under this name"
                )

    def _add_image(self, entry: Any) -> None:
        size = int(entry["width"]), int(entry["height"])
        shot = (str(entry[name]) for name in ("capture", "camera", "frame_idx"))
        row = (int(entry["id"]), str(entry["file_name"]), *size, *shot)
        self._database.execute("INSERT OR REPLACE INTO image VALUES (?,?,?,?,?,?,?)", row)

    def _add_annotation(self, entry: Any) -> None:
        hand_type = str(entry["hand_type"])
        if hand_type not in _SINGLE:
            self.left_out[hand_type] = self.left_out.get(hand_type, 0) + 1
            return
        flags, box = _flags(entry["joint_valid"]), _box(entry.get("bbox"))
        row = (int(entry["image_id"]), hand_type, flags, box)
        self._database.execute("INSERT INTO hand VALUES (?,?,?,?)", row)

    def _read_poses(self, path: Path) -> None:
        misnamed = DataError(
            f"{path} must map captures to frames to poses; it may be another of InterHand's files "
            "under this name"
        )
        capture = None
        with _json_file(path) as file:
            for capture, frames in ijson.kvitems(file, "", use_float=True):
                if not isinstance(frames, dict):
                    raise misnamed
                for frame, pose in frames.items():
                    if not isinstance(pose, dict):
                        raise misnamed
                    world, valid = _world(pose.get("world_coord")), _flags(pose.get("joint_valid"))
                    row = (str(capture), str(frame), world, valid)
                    self._database.execute("INSERT OR REPLACE INTO pose VALUES (?,?,?,?)", row)
        if capture is None:
            raise misnamed

    def captures(self) -> list[tuple[str, str]]:
        """(capture, frame) of every pose with a single-hand annotation, sorted."""
        query = (
            "SELECT DISTINCT capture, frame FROM hand JOIN image ON image.id = hand.image "
            "ORDER BY capture, frame"
        )
        return [(str(capture), str(frame)) for capture, frame in self._database.execute(query)]

    def rows_from(self, start: int) -> Iterator[HandRow]:
        """Single-hand annotations from position `start` on, in the file's order."""
        for row in self._database.execute(_QUERY, (start,)):
            _, image_id, side, flags, box, world, pose_flags, *image = row
            yield HandRow(
                image_id=image_id,
                side=side,
                image=None if image[0] is None else cast("Image", tuple(image)),
                world_mm=None if world is None else np.frombuffer(world).reshape(_JOINTS, 3),
                valid=_mask(flags) & _mask(pose_flags),
                box_px=None if box is None else tuple(np.frombuffer(box).tolist()),
            )


@contextmanager
def _json_file(path: Path) -> Iterator[BinaryIO]:
    """Open a JSON file, and turn errors of reading and parsing into `DataError`."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataError(
            f"cannot read {path} ({error.strerror}); unpack the data set again"
        ) from error
    except ijson.JSONError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} is not valid JSON ({reason}); unpack it again") from error


def _numbers(value: Any) -> NDArray[np.float64]:
    """A JSON value as an array; an empty one if it is not one of numbers."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return np.empty(0)


def _flags(value: Any) -> bytes | None:
    """42 flags, written as [[1], [0], ...] or [1, 0, ...]; None for any other shape."""
    flags = _numbers(value).ravel()
    return (flags > 0).tobytes() if flags.size == _JOINTS else None


def _box(value: Any) -> bytes | None:
    """Four numbers, or None; only the doctor uses the box, so a broken one is no error."""
    box = _numbers(value)
    return box.tobytes() if box.shape == (4,) and np.isfinite(box).all() else None


def _mask(flags: bytes | None) -> NDArray[np.bool_]:
    if flags is None:
        return np.zeros(_JOINTS, dtype=np.bool_)
    return np.frombuffer(flags, dtype=np.bool_)


def _world(value: Any) -> bytes | None:
    world = _numbers(value)
    return world.tobytes() if world.shape == (_JOINTS, 3) else None
