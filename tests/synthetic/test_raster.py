import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from handssl.synthetic.raster import rasterise


def slow(
    points: np.ndarray, depth: np.ndarray, faces: np.ndarray, colours: np.ndarray, side: int
) -> np.ndarray:
    """A z-buffer of whole triangles, sample by sample, painting far to near."""
    canvas = np.zeros((side, side, colours.shape[1] + 1))
    for face in sorted(faces.tolist(), key=lambda f: -depth[f].sum()):
        (x0, y0), (x1, y1), (x2, y2) = points[face]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area >= 0:
            continue
        for y in range(side):
            for x in range(side):
                w0 = ((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y)) / area
                w1 = ((x2 - x) * (y0 - y) - (x0 - x) * (y2 - y)) / area
                if min(w0, w1, 1 - w0 - w1) >= 0:
                    mixed = np.array([w0, w1, 1 - w0 - w1]) @ colours[face]
                    canvas[y, x] = [*mixed, 1]
    return canvas


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_rasterising_equals_the_slow_loop(seed: int) -> None:
    generator = np.random.default_rng(seed)
    points = generator.uniform(-4, 16, size=(12, 2)).astype(np.float32)
    depth = generator.uniform(0.5, 1, size=12).astype(np.float32)
    faces = generator.permuted(np.tile(np.arange(12), (9, 1)), axis=1)[:, :3].astype(np.int32)
    colours = generator.uniform(size=(12, 3)).astype(np.float32)
    ours = rasterise(points, depth, faces, colours, height=12, width=12, supersampling=1)
    # A sample exactly on an edge may fall to either side of float32's rounding.
    close = np.isclose(ours, slow(points, depth, faces, colours, 12), atol=2e-3).all(-1)
    assert close.mean() > 0.99


def test_a_closed_seam_has_no_holes() -> None:
    steps = np.arange(0, 31, 1.37, dtype=np.float32)
    x, y = np.meshgrid(steps, steps)
    points = np.stack([x, y], -1).reshape(-1, 2)
    n = len(steps)
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).reshape(-1)
    faces = np.concatenate(
        [
            np.stack([corner, corner + n, corner + 1], 1),
            np.stack([corner + 1, corner + n, corner + n + 1], 1),
        ]
    ).astype(np.int32)
    depth = np.ones(len(points), np.float32)
    colours = np.ones((len(points), 1), np.float32)
    canvas = rasterise(points, depth, faces, colours, height=30, width=30)
    assert (canvas[1:29, 1:29, 1] == 1).all()


def test_coverage_of_a_half_covered_pixel_is_one_half() -> None:
    points = np.array([[-0.5, -0.5], [-0.5, 9.5], [2, -0.5], [2, 9.5]], np.float32)
    faces = np.array([[0, 1, 2], [2, 1, 3]], np.int32)
    colours = np.full((4, 1), 0.5, np.float32)
    depth = np.ones(4, np.float32)
    canvas = rasterise(points, depth, faces, colours, height=4, width=4)
    np.testing.assert_allclose(canvas[1, :, 1], [1, 1, 0.5, 0])
    np.testing.assert_allclose(canvas[1, :, 0], [0.5, 0.5, 0.25, 0])


def test_what_comes_too_near_or_turns_away_is_left_out() -> None:
    points = np.array([[0, 0], [0, 8], [8, 0]], np.float32)
    colours = np.ones((3, 1), np.float32)
    for depth, face in ((0.01, [0, 1, 2]), (1.0, [0, 2, 1])):
        canvas = rasterise(
            points,
            np.full(3, depth, np.float32),
            np.array([face], np.int32),
            colours,
            height=8,
            width=8,
        )
        assert canvas.max() == 0
