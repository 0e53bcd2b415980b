"""`RawDataset`, the base of every reader; `Annotation`, its labels before pixels are loaded."""

import dataclasses
import hashlib
import io
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from handssl.data.raw.plausibility import label_problem
from handssl.data.sample import HandLabels, HandSample
from handssl.data.splits import Split
from handssl.errors import DataError

PARTIAL: Final = "synthetic.partial.json"
"""File in a raw folder that is still being generated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation(HandLabels):
    """Labels of one image and the path of its file.

    Attributes:
        file: The image.
        name: The image's path relative to the data set, for messages.
        split: "train", "val" or "test".
        mirror: Whether the pixels must be mirrored after loading.
        size_px: (width, height) of the image according to the labels, if they state it.
        box_px: The published box of the hand, x, y, width, height in the unmirrored image.
        problem: Reason why the labels are unusable, if the reader has detected one.
    """

    file: Path
    name: str
    split: Split
    mirror: bool = False
    size_px: tuple[int, int] | None = None
    box_px: tuple[float, float, float, float] | None = None
    problem: str | None = None


class RawDataset(ABC):
    """A raw data set on disk: iterates `HandSample`, and skips and counts unusable samples.

    Args:
        name: Name of the data set.
        strict: Raise `DataError` at the first unusable sample instead of skipping it.
    """

    def __init__(self, *, name: str, strict: bool) -> None:
        self.name = name
        self.strict = strict
        self._skipped: dict[str, str] = {}

    @abstractmethod
    def __len__(self) -> int:
        """Number of annotations, before anything is skipped."""

    @abstractmethod
    def annotations(self, start: int = 0) -> Iterator[Annotation]:
        """All annotations from index `start` on, in a fixed order, without loading pixels."""

    @abstractmethod
    def signature(self) -> dict[str, str | int]:
        """Counts, sizes and checksums that change when the raw files change; cheap to compute."""

    @property
    def left_out(self) -> dict[str, int]:
        """Number of images outside the task by reason, such as two interacting hands."""
        return {}

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """(file, reason) of every unusable sample so far in the iteration."""
        return list(self._skipped.items())

    def __iter__(self) -> Iterator[HandSample]:
        for annotation in self.annotations():
            try:
                sample = load_sample(annotation)
            except DataError as error:
                if self.strict:
                    raise
                self._skipped[annotation.name] = str(error)
                continue
            yield sample


def total_left_out(sources: Iterable[RawDataset]) -> dict[str, int]:
    """`left_out` of several data sets together."""
    total: Counter[str] = Counter()
    for source in sources:
        total.update(source.left_out)
    return dict(total)


def refuse_partial(root: Path) -> None:
    """Refuse a folder whose generation was interrupted.

    Raises:
        DataError: The marker of an unfinished generation exists.
    """
    if (root / PARTIAL).exists():
        raise DataError(
            f"{root} is only partly generated ({PARTIAL} exists); run the same generation again, "
            "which continues where it stopped"
        )


def file_digest(path: Path) -> str:
    """SHA-256 of a file, read in pieces.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}); unpack it again") from error


def read_json(path: Path) -> Any:
    """The content of a label file.

    Raises:
        DataError: The file cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}); unpack it again") from error
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON ({error}); unpack it again") from error


def read_bytes(annotation: Annotation) -> bytes:
    """The image file's bytes.

    Raises:
        DataError: The labels are unusable, or the file cannot be read.
    """
    if annotation.problem:
        raise DataError(f"{annotation.name}: {annotation.problem}")
    try:
        return annotation.file.read_bytes()
    except OSError as error:
        raise DataError(f"{annotation.name}: cannot be read ({error.strerror})") from error


def decode_rgb(content: bytes, name: str) -> Image.Image:
    """Decode a whole image to RGB. The EXIF orientation is ignored: labels refer to raw pixels.

    Raises:
        DataError: Not an image, or cut off.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.convert("RGB")
    # Pillow reports broken files by several of these, depending on the format.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = str(error).split("<", maxsplit=1)[0].strip()
        raise DataError(f"{name}: not a complete image ({reason})") from error


def load_pixels(annotation: Annotation, content: bytes) -> Image.Image:
    """Decode an image, check it against its labels, and mirror a left hand.

    Raises:
        DataError: It cannot be decoded, its size differs from the labels', or the labels are
            impossible.
    """
    image = decode_rgb(content, annotation.name)
    if annotation.size_px is not None and image.size != annotation.size_px:
        raise DataError(
            f"{annotation.name}: image is {image.width}×{image.height}, "
            f"but its labels are for {annotation.size_px[0]}×{annotation.size_px[1]}"
        )
    problem = label_problem(
        annotation.intrinsics, annotation.joints_m, annotation.valid, image.size
    )
    if problem:
        raise DataError(f"{annotation.name}: {problem}")
    if annotation.mirror:
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image


def load_sample(annotation: Annotation) -> HandSample:
    """Load the pixels of one annotation.

    Raises:
        DataError: Its labels or its image are unusable; the message names the file.
    """
    image = load_pixels(annotation, read_bytes(annotation))
    labels = {f.name: getattr(annotation, f.name) for f in dataclasses.fields(HandLabels)}
    return HandSample(image=np.asarray(image), **labels)
