import io
from pathlib import Path

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from handssl.data.camera import mirror_intrinsics, mirror_joints, project_px, resize_intrinsics
from handssl.data.raw.dataset import Annotation
from handssl.data.store.boxes import MARGIN, Box, box_of
from handssl.data.store.crop import CONTEXT, store_square


def _blob(width: int, height: int, u: float, v: float) -> Image.Image:
    """A Gaussian spot whose centre of mass can be measured."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    spot = 255 * np.exp(-((x - u) ** 2 + (y - v) ** 2) / 50)
    return Image.fromarray(np.repeat(spot[..., None], 3, axis=2).round().astype(np.uint8))


def _centre_of(image: Image.Image) -> tuple[float, float]:
    weight = np.asarray(image).astype(float)[..., 0]
    weight[weight < 10] = 0
    y, x = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return float((x * weight).sum() / weight.sum()), float((y * weight).sum() / weight.sum())


@settings(max_examples=25, deadline=None)
@given(u=st.floats(60, 260), v=st.floats(60, 180), side=st.floats(80, 160))
def test_a_point_in_space_stays_on_its_pixel_through_cutting_and_reducing(
    u: float, v: float, side: float
) -> None:
    intrinsics = np.array([[500.0, 0, 160], [0, 500.0, 120], [0, 0, 1]])
    point = np.array([[(u - 160) / 500 * 0.8, (v - 120) / 500 * 0.8, 0.8]])
    box = Box(centre_px=(u + 10, v - 5), side_px=side)
    crop = store_square(_blob(320, 240, u, v), b"", intrinsics, box, stored_px=96, changed=False)
    expected = project_px(point, crop.intrinsics)[0]
    seen = _centre_of(Image.open(io.BytesIO(crop.jpeg)))
    np.testing.assert_allclose(seen, expected, atol=0.15)
    ratio = crop.box.side_px / crop.size_px
    np.testing.assert_allclose(ratio, 1 / CONTEXT, rtol=0.02)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    focal_share=st.floats(0.8, 3),
    width=st.integers(48, 600),
    height=st.integers(48, 600),
    stored_px=st.integers(32, 256),
    labelled=st.integers(1, 21),
    mirror=st.booleans(),
)
def test_joints_project_into_the_crop(
    *,
    seed: int,
    focal_share: float,
    width: int,
    height: int,
    stored_px: int,
    labelled: int,
    mirror: bool,
) -> None:
    """Any hand before any camera, mirrored or not: inside its box, and that inside the square."""
    generator = np.random.default_rng(seed)
    focal = focal_share * max(width, height)
    intrinsics = np.array(
        [[focal, 0, width / 2], [0, 1.01 * focal, height / 2], [0, 0, 1]], dtype=float
    )
    joints = generator.uniform(-0.09, 0.09, (21, 3))
    joints[:, 2] += generator.uniform(0.3, 1.2)
    valid = np.zeros(21, dtype=np.bool_)
    valid[generator.permutation(21)[: max(2, labelled)]] = True
    # The centre of the hand somewhere in the image; it may well reach over the border.
    aim = generator.uniform(0.1, 0.9, 2) * [width, height] - [width / 2, height / 2]
    joints[:, :2] += aim / focal * joints[:, 2].mean()
    if mirror:
        intrinsics, joints = mirror_intrinsics(intrinsics, width), mirror_joints(joints)
    annotation = Annotation(
        file=Path("a.jpg"),
        name="a.jpg",
        intrinsics=intrinsics,
        joints_m=np.where(valid[:, None], joints, np.nan),
        valid=valid,
        side="left" if mirror else "right",
        group="a",
        source_id="a",
        split="train",
        mirror=mirror,
    )
    image = Image.new("RGB", (width, height))
    points = project_px(joints[valid], intrinsics)
    assume(np.linalg.norm(points - points.mean(axis=0), axis=1).max() > 1)  # else it is refused
    box = box_of(annotation, image.size, "joints", {})
    crop = store_square(image, b"", intrinsics, box, stored_px=stored_px, changed=True)
    points = project_px(joints[valid], crop.intrinsics)
    offset = np.linalg.norm(points - crop.box.centre_px, axis=1)
    np.testing.assert_allclose(offset.max(), crop.box.side_px / (2 * MARGIN), rtol=1e-6)
    if crop.size_px < min(width, height) or width != height:  # otherwise the image is kept whole
        assert (points > -0.5).all()
        assert (points < crop.size_px - 0.5).all()
    assert Image.open(io.BytesIO(crop.jpeg)).size == (crop.size_px, crop.size_px)
    assert crop.size_px <= stored_px


def test_a_square_image_that_fits_is_kept_byte_for_byte() -> None:
    buffer = io.BytesIO()
    _blob(64, 64, 30, 30).save(buffer, "JPEG")
    box = Box(centre_px=(30.0, 30.0), side_px=40.0)
    intrinsics = np.eye(3)
    image = Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
    crop = store_square(image, buffer.getvalue(), intrinsics, box, stored_px=64, changed=False)
    assert crop.jpeg == buffer.getvalue()
    assert crop.box == box
    assert crop.size_px == 64


def test_context_holds_every_corner_of_the_widest_view() -> None:
    side = 1.0
    stored = CONTEXT * side
    half_view = side * 1.5 / 1.25 / 2
    shift = 15 / 224 * stored
    # Rotated by 45°, the view's corner lies on the axis; its shift does too, at most by √2.
    farthest = np.sqrt(2) * half_view + np.sqrt(2) * shift
    assert farthest <= stored / 2 * 1.001


def test_resizing_keeps_corners_of_the_image_at_its_corners() -> None:
    intrinsics = np.array([[480.0, 0, 111.5], [0, 480.0, 111.5], [0, 0, 1]])
    resized = resize_intrinsics(intrinsics, 0.5)
    # The middle of 224 pixels stays the middle of 112.
    np.testing.assert_allclose(resized[:2, 2], 55.5)
    np.testing.assert_allclose(resized[[0, 1], [0, 1]], 240)
