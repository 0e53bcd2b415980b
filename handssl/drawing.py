"""Contact sheets: images with their skeletons, or one image a row with its views."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from handssl.data.raw.plausibility import project_px
from handssl.data.store.store import Store
from handssl.errors import ConfigError
from handssl.skeleton import BONES, FINGERS, JOINT_NAMES

_CELL: Final = 256
_LINE: Final = 15
_GAP: Final = 8
_SHARP: Final = 3
"""Cells are drawn this much larger and reduced, which smooths the lines."""

_CLOSE_UP: Final = 1.3
"""Shown side over the side of the hand's box; stored squares have more around it than that."""

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
"""One colour a finger, so that a wrong joint order is seen at a glance."""

_UNITS: Final = {"rotate": "°", "scale": " (margin)", "translate": " of the side"}

Points = NDArray[np.float64]


def contact_sheet(
    store: Store,
    *,
    count: int = 24,
    columns: int = 6,
    views: str | None = None,
    seed: int = 0,
) -> Image.Image:
    """Draw images spread evenly over a store, with their skeletons.

    With `views`, each row starts with a source image and the hand's box, and continues with
    augmented views of it, the skeleton mapped by each view's own matrix, its parameters below.

    Args:
        store: What to show.
        count: Number of images; with views, of cells.
        columns: Cells in a row.
        views: A composition, such as "T+S+Ro".
        seed: Of the views.

    Raises:
        ConfigError: A count that cannot be used, or no such composition.
    """
    least = 1 if views is None else 2
    if count < 1 or columns < least:
        raise ConfigError(
            f"count must be >= 1 and columns >= {least}, but got count={count}, columns={columns}"
        )
    shown = count if views is None else max(1, count // columns)
    rows = np.unique(np.linspace(0, len(store) - 1, min(shown, len(store))).round().astype(int))
    cells: list[Image.Image] = []
    for row in rows:
        sample = store[int(row)]
        words = [sample.source_id, f"{store.splits[row]}, {sample.side} hand"]
        points = project_px(sample.joints_m, sample.intrinsics)
        centre, side = store.centre_px[row].astype(float), float(store.side_px[row])
        if views is None:
            pixels, moved = _close_up(sample.image, points, centre, _CLOSE_UP * side)
            cells.append(_cell(pixels, moved, sample.valid, words))
        else:
            cells.append(_cell(sample.image, points, sample.valid, words, box=(centre, side)))
            cells += _views(store, int(row), points, views, number=columns - 1, seed=seed)
    return _arrange(cells, min(columns, len(cells)))


def _close_up(
    image: NDArray[np.uint8], points: Points, centre: Points, side: float
) -> tuple[NDArray[np.uint8], Points]:
    """The square about the hand, moved into the image; all of it where that is no larger."""
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
    # Here: a plain contact sheet needs no torch.
    import torch  # noqa: PLC0415

    from handssl.augment import Composition, make_views  # noqa: PLC0415

    composition = Composition.parse(views)
    generator = torch.Generator().manual_seed(seed + row)
    same = np.full(number, row)
    made = make_views(
        store.batch(same),
        composition,
        generator,
        size=min(128, store.source_px),
        centre_px=torch.from_numpy(store.centre_px[same]),
        side_px=torch.from_numpy(store.side_px[same]),
    )
    images = (made.images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    cells = []
    for index in range(number):
        matrix = made.matrix[index].double().numpy()
        moved = np.column_stack([points, np.ones(len(points))]) @ matrix.T
        words = [
            f"{name} {_numbers(values[index].reshape(-1).tolist())}{_UNITS.get(name, '')}"
            for name, values in made.parameters.items()
            if name in composition.names
        ]
        cells.append(_cell(images[index], moved[:, :2], store.valid[row], words))
    return cells


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


def _cell(
    pixels: NDArray[np.uint8],
    points: Points,
    valid: NDArray[np.bool_],
    words: list[str],
    *,
    box: tuple[Points, float] | None = None,
) -> Image.Image:
    """One image with its skeleton, and words below."""
    scale = _CELL * _SHARP / pixels.shape[0]
    image = Image.fromarray(pixels).resize((_CELL * _SHARP,) * 2, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    if box is not None:
        (u, v), half = box[0], box[1] / 2
        corners = [(u - half, v - half), (u + half, v + half)]
        draw.rectangle([_enlarged(corner, scale) for corner in corners], outline=_BOX, width=3)
    draw_skeleton(draw, points, valid, scale=scale)
    cell = Image.new("RGB", (_CELL, _CELL + _LINE * len(words) + 4), _PAPER)
    cell.paste(image.resize((_CELL, _CELL), Image.Resampling.LANCZOS))
    text = ImageDraw.Draw(cell)
    font = ImageFont.load_default(11)
    for number, full in enumerate(words):
        word = full
        while font.getlength(word) > _CELL - 4:
            # The end of a name tells images apart.
            word = "…" + word.lstrip("…")[1:]
        text.text((2, _CELL + 2 + _LINE * number), word, fill=_INK, font=font)
    return cell


def _enlarged(
    point: Sequence[float] | Points | tuple[float, float], scale: float
) -> tuple[float, float]:
    """A pixel coordinate (centres at integers) in an image enlarged by `scale`."""
    return ((float(point[0]) + 0.5) * scale - 0.5, (float(point[1]) + 0.5) * scale - 0.5)


def draw_skeleton(
    draw: ImageDraw.ImageDraw, points: Points, valid: NDArray[np.bool_], *, scale: float = 1.0
) -> None:
    """Draw the bones between valid joints, a colour a finger, and the joints as dots.

    Args:
        draw: On an image enlarged by `scale`.
        points: (21, 2) pixel coordinates in the image before enlarging.
        valid: (21,) joints that have a label.
        scale: See above.
    """
    thick = max(1, round(2 * _SHARP * (scale > 1)))
    for number, (start, end) in enumerate(BONES):
        if valid[start] and valid[end]:
            ends = [_enlarged(points[start], scale), _enlarged(points[end], scale)]
            draw.line(ends, fill=_COLOURS[FINGERS[number // 4]], width=thick)
    for joint in np.flatnonzero(valid):
        u, v = _enlarged(points[joint], scale)
        finger = JOINT_NAMES[joint].split("_")[0]
        draw.ellipse((u - thick, v - thick, u + thick, v + thick), fill=_COLOURS.get(finger, _BOX))


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
