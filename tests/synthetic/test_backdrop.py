import numpy as np
import pytest

from handssl.synthetic.backdrop import draw_backdrop, draw_green_screen


@pytest.mark.parametrize("draw", [draw_backdrop, draw_green_screen])
def test_backdrops_are_images_that_vary_and_repeat_with_their_seed(draw: object) -> None:
    assert callable(draw)
    first = draw(np.random.default_rng(1), 64)
    again = draw(np.random.default_rng(1), 64)
    other = draw(np.random.default_rng(2), 64)
    assert first.shape == (64, 64, 3)
    assert first.min() >= 0
    assert first.max() <= 1
    np.testing.assert_array_equal(first, again)
    assert abs(first - other).mean() > 0.01


def test_green_screens_are_mostly_green() -> None:
    for seed in range(20):
        red, green, blue = draw_green_screen(np.random.default_rng(seed), 64).mean((0, 1))
        assert green > red
        assert green > blue
