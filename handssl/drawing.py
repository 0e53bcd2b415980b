"""Draw skeletons on images, and contact sheets of a store or of its augmented views."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from handssl.augment import Composition, make_views
from handssl.data.camera import project_px
from handssl.data.store.store import Store
from handssl.errors import require
from handssl.skeleton import BONES, FINGERS, JOINT_NAMES, NUM_JOINTS

_CELL: Final = 256
_LINE: Final = 15
_GAP: Final = 8
_SHARP: Final = 3
"""Cells are drawn at this multiple of their size and then reduced, which smooths the lines."""

_CLOSE_UP: Final = 1.3
"""Ratio of the drawn side to the side of the hand's box; stored squares have more context."""

_PAPER: Final = (250, 250, 250)
_INK: Final = (40, 40, 40)
_BOX: Final = (255, 255, 255)
_COLOURS: Final = {
    "thumb": (230, 60, 60),
    "index": (245, 160, 30),
    "middle": (70, 190, 80),
    "ring": (60, 150, 240),
    "pinky": (190, 100, 230),
}
"""One colour a finger, so that a wrong joint order is visible at once."""

_UNITS: Final = {"rotate": "°", "scale": " (margin)", "translate": " of the side"}

Points = NDArray[np.float64]


def contact_sheet(
    store: Store, *, count: int = 24, columns: int = 6, views: str | None = None, seed: int = 0
) -> Image.Image:
    """Draw images spread evenly over a store, with their skeletons.

    With `views`, each row starts with a source image and the hand's box, followed by augmented
    views of it. Each view's matrix maps the skeleton; its parameters are below the view.

    Args:
        store: The store or subset to draw.
        count: Number of images; with views, of cells.
        columns: Cells in a row.
        views: A composition, such as "T+S+Ro".
        seed: Seed of the views.

    Raises:
        ConfigError: A count that cannot be used, or an unknown composition.
    """
    min_columns = 1 if views is None else 2
    require(
        count >= 1 and columns >= min_columns,
        f"count must be >= 1 and columns >= {min_columns}, but got count={count}, "
        f"columns={columns}",
    )
    n_images = count if views is None else max(1, count // columns)
    rows = np.unique(np.linspace(0, len(store) - 1, min(n_images, len(store))).round().astype(int))
    cells: list[Image.Image] = []
    for row in map(int, rows):
        sample = store[row]
        lines = [sample.source_id, f"{store.splits[row]}, {sample.side} hand"]
        points = project_px(sample.joints_m, sample.intrinsics)
        centre, side = store.centre_px[row].astype(float), float(store.side_px[row])
        if views is None:
            pixels, moved = _close_up(sample.image, points, centre, _CLOSE_UP * side)
            cells.append(_cell(pixels, moved, sample.valid, lines))
        else:
            cells.append(_cell(sample.image, points, sample.valid, lines, box=(centre, side)))
            cells += _views(store, row, points, views, number=columns - 1, seed=seed)
    return _arrange(cells, min(columns, len(cells)))


def _close_up(
    image: NDArray[np.uint8], points: Points, centre: Points, side: float
) -> tuple[NDArray[np.uint8], Points]:
    """The square around the hand, moved into the image; the whole image if it is no larger."""
    size = round(side)
    if size >= image.shape[0]:
        return image, points
    corner = np.clip(np.round(centre - (size - 1) / 2), 0, image.shape[0] - size)
    left, top = int(corner[0]), int(corner[1])
    return image[top : top + size, left : left + size], points - corner


def _views(
    store: Store, row: int, points: Points, views: str, *, number: int, seed: int
) -> list[Image.Image]:
    """Views of one image, each with the source's joints mapped by its matrix."""
    composition = Composition.parse(views)
    generator = torch.Generator().manual_seed(seed + row)
    same = np.full(number, row)
    augmented = make_views(
        store.batch(same),
        composition,
        generator,
        size=min(128, store.source_px),
        centre_px=torch.from_numpy(store.centre_px[same]),
        side_px=torch.from_numpy(store.side_px[same]),
    )
    images = (augmented.images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    cells = []
    for index in range(number):
        matrix = augmented.matrix[index].double().numpy()
        # (21, 3) homogeneous pixel coordinates of the view
        moved = np.column_stack([points, np.ones(len(points))]) @ matrix.T
        lines = []
        for name in (n for n in augmented.parameters if n in composition.names):
            values = augmented.parameters[name][index].reshape(-1).tolist()
            numbers = ", ".join(f"{value:.3g}" for value in values)
            lines.append(f"{name} {numbers}{_UNITS.get(name, '')}")
        cells.append(_cell(images[index], moved[:, :2], store.valid[row], lines))
    return cells


def _cell(
    pixels: NDArray[np.uint8],
    points: Points,
    valid: NDArray[np.bool_],
    lines: list[str],
    *,
    box: tuple[Points, float] | None = None,
) -> Image.Image:
    """One image with its skeleton, and lines of text below."""
    scale = _CELL * _SHARP / pixels.shape[0]
    image = Image.fromarray(pixels).resize((_CELL * _SHARP,) * 2, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    if box is not None:
        centre, half = box[0], box[1] / 2
        corners = [_enlarged(centre - half, scale), _enlarged(centre + half, scale)]
        draw.rectangle(corners, outline=_BOX, width=3)
    draw_skeleton(draw, points, valid, scale=scale, width_px=2 * _SHARP)
    cell = Image.new("RGB", (_CELL, _CELL + _LINE * len(lines) + 4), _PAPER)
    cell.paste(image.resize((_CELL, _CELL), Image.Resampling.LANCZOS))
    text = ImageDraw.Draw(cell)
    font = ImageFont.load_default(11)
    for number, line in enumerate(lines):
        cut = line
        while font.getlength(cut) > _CELL - 4:
            # Cut at the start, because names of images differ at the end.
            cut = "…" + cut.lstrip("…")[1:]
        text.text((2, _CELL + 2 + _LINE * number), cut, fill=_INK, font=font)
    return cell


def _enlarged(point: Points, scale: float) -> tuple[float, float]:
    """A pixel coordinate (centres at integers) in an image enlarged by `scale`."""
    u, v = ((point + 0.5) * scale - 0.5).tolist()
    return u, v


def draw_skeleton(
    draw: ImageDraw.ImageDraw,
    points: Points,
    valid: NDArray[np.bool_] | None = None,
    *,
    scale: float = 1.0,
    width_px: int = 1,
) -> None:
    """Draw the bones between valid joints, a colour a finger, and the joints as dots.

    Args:
        draw: Draws on an image enlarged by `scale`.
        points: (21, 2) pixel coordinates in the image before enlarging.
        valid: (21,) joints that have a label; default all.
        scale: See `draw`.
        width_px: Width of a bone and radius of a joint, in pixels of the enlarged image.

    Example:
        >>> image = Image.new("RGB", (64, 64))
        >>> draw_skeleton(ImageDraw.Draw(image), np.linspace(4, 60, 42).reshape(21, 2))
        >>> image.getbbox() is None
        False
    """
    valid = np.ones(NUM_JOINTS, dtype=np.bool_) if valid is None else valid
    for number, (start, end) in enumerate(BONES):
        if valid[start] and valid[end]:
            line = [_enlarged(points[start], scale), _enlarged(points[end], scale)]
            draw.line(line, fill=_COLOURS[FINGERS[number // 4]], width=width_px)
    for joint in np.flatnonzero(valid):
        u, v = _enlarged(points[joint], scale)
        finger = JOINT_NAMES[joint].split("_")[0]
        dot = (u - width_px, v - width_px, u + width_px, v + width_px)
        draw.ellipse(dot, fill=_COLOURS.get(finger, _BOX))


def _arrange(cells: list[Image.Image], columns: int) -> Image.Image:
    """Cells in rows; a row is as high as its highest cell."""
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    heights = [max(cell.height for cell in row) + _GAP for row in rows]
    sheet = Image.new("RGB", (columns * (_CELL + _GAP) + _GAP, sum(heights) + _GAP), _PAPER)
    top = _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, cell in enumerate(row):
            sheet.paste(cell, (_GAP + column * (_CELL + _GAP), top))
        top += height
    return sheet
