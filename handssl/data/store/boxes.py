"""The square around the hand: from joints (as in the paper), from the image, or from a file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from handssl.data.camera import project_px
from handssl.data.raw.dataset import Annotation
from handssl.errors import DataError

Boxes = dict[str, tuple[float, float, float, float]]
"""x, y, width, height by source id."""

BoxKind = Literal["joints", "centre", "file"]
BOX_KINDS: Final[tuple[BoxKind, ...]] = ("joints", "centre", "file")

MARGIN: Final = 1.25
"""Ratio of half the box's side to the largest distance of a joint from the centre.

This is the crop of the paper's code."""

_CENTRE_SHARE: Final = 0.67
"""Ratio of the label-free box's side to the image's shorter side: the hands of FreiHAND and
InterHand2.6M fill about half of it, times the margin (D17)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A square in pixels of an image, pixel centres at integers."""

    centre_px: tuple[float, float]
    side_px: float

    def resized(self, factor: float) -> "Box":
        """The same square in an image resized by `factor`."""
        u, v = ((centre + 0.5) * factor - 0.5 for centre in self.centre_px)
        return Box(centre_px=(u, v), side_px=self.side_px * factor)


def box_of(annotation: Annotation, size_px: tuple[int, int], kind: BoxKind, boxes: Boxes) -> Box:
    """The square around the hand in the (mirrored) image.

    - joints: centre = mean of the valid projected joints, half side = 1.25 × their largest
      distance from it (the paper's code; uses labels, so pretraining on it is not label-free).
    - centre: centred in the image, two thirds of its shorter side; uses no label.
    - file: a detector's x, y, width, height in the unmirrored image, continuous coordinates with
      the first pixel from 0 to 1 (as COCO's); centre kept, side = 1.25 × the longer of both.

    Raises:
        DataError: No valid joint, or no box in the file, for this sample.
    """
    width, height = size_px
    if kind == "centre":
        side = _CENTRE_SHARE * min(size_px)
        return Box(centre_px=((width - 1) / 2, (height - 1) / 2), side_px=side)
    if kind == "file":
        box = boxes.get(annotation.source_id)
        if box is None:
            raise DataError(f"{annotation.name}: no box for {annotation.source_id!r} in the file")
        x, y, box_width, box_height = box
        u = x + box_width / 2 - 0.5
        u = width - 1 - u if annotation.mirror else u
        side = MARGIN * max(box_width, box_height)
        return Box(centre_px=(u, y + box_height / 2 - 0.5), side_px=side)
    if not annotation.valid.any():
        raise DataError(
            f"{annotation.name}: no labelled joint to put a box around; "
            "unlabelled images need boxes=centre or boxes=file"
        )
    points = project_px(annotation.joints_m[annotation.valid], annotation.intrinsics)
    centre = points.mean(axis=0)
    side = 2 * MARGIN * float(np.linalg.norm(points - centre, axis=1).max())
    if not 1 <= side <= 8 * max(size_px):
        raise DataError(f"{annotation.name}: the joints span {side:.3g} px; labels are wrong")
    return Box(centre_px=(float(centre[0]), float(centre[1])), side_px=side)


def read_boxes(path: str | Path) -> Boxes:
    """Read {source id: [x, y, width, height]} from a JSON file.

    Raises:
        DataError: The file is missing, not JSON, or an entry is not four numbers with a size.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read boxes from {path} ({error})") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} must map source ids to [x, y, width, height]")
    boxes: Boxes = {}
    for source_id, value in content.items():
        try:
            x, y, width, height = (float(number) for number in value)
        except (TypeError, ValueError) as error:
            raise DataError(f"{path}: box of {source_id!r} is not 4 numbers: {value!r}") from error
        if not (np.isfinite([x, y, width, height]).all() and width > 0 and height > 0):
            raise DataError(f"{path}: box of {source_id!r} must have a size, but got {value!r}")
        boxes[source_id] = (x, y, width, height)
    return boxes
