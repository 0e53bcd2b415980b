import numpy as np
import pytest
from PIL import Image, ImageDraw

from handssl.data import Store, open_or_build_store
from handssl.drawing import contact_sheet, draw_skeleton
from handssl.errors import ConfigError
from handssl.synthetic import generate_freihand


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("drawing")
    generate_freihand(folder / "raw", poses=12, versions=2, workers=1)
    return open_or_build_store(folder / "raw", folder / "store", source_px=64, processes=1)


def test_a_sheet_has_the_requested_cells(store: Store) -> None:
    sheet = contact_sheet(store, count=6, columns=3)
    assert sheet.width == 3 * 264 + 8
    assert 2 * 264 < sheet.height < 2 * 320
    assert contact_sheet(store, count=100, columns=30).width == 24 * 264 + 8


def test_views_are_drawn_beside_their_source(store: Store) -> None:
    sheet = contact_sheet(store, count=8, columns=4, views="T+S+Ro", seed=1)
    assert sheet.width == 4 * 264 + 8
    same = contact_sheet(store, count=8, columns=4, views="T+S+Ro", seed=1)
    np.testing.assert_array_equal(np.asarray(sheet), np.asarray(same))
    other = contact_sheet(store, count=8, columns=4, views="T+S+Ro", seed=2)
    assert (np.asarray(sheet) != np.asarray(other)).any()


def test_joints_are_drawn_on_their_pixels_and_invalid_ones_are_not() -> None:
    image = Image.new("RGB", (41, 41))
    points = np.full((21, 2), 20.0)
    points[4] = [5, 30]
    valid = np.zeros(21, dtype=bool)
    valid[4] = True
    draw_skeleton(ImageDraw.Draw(image), points, valid)
    drawn = np.argwhere(np.asarray(image).any(axis=2))
    np.testing.assert_allclose(drawn.mean(0), [30, 5])


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"count": 0}, "count=0"),
        ({"columns": 0}, "columns=0"),
        ({"views": "T", "columns": 1}, "columns=1"),
    ],
)
def test_counts_that_cannot_be_used_are_named(
    store: Store, options: dict[str, object], word: str
) -> None:
    with pytest.raises(ConfigError, match=word):
        contact_sheet(store, **options)  # type: ignore[arg-type]
