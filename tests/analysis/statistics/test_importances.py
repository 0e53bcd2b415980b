import numpy as np
import pytest

from analysis.statistics import fanova, partial_dependence


@pytest.mark.slow
def test_importances_come_close_to_the_exact_shares_of_the_variance() -> None:
    # f = 2 x0 + x1 on the unit cube: variances 4/12 and 1/12, so 80 % and 20 %, x2 nothing
    x = np.random.default_rng(0).random((400, 3))
    shares = fanova(x, 2 * x[:, 0] + x[:, 1], (0, 0, 0), seed=0)
    assert shares == pytest.approx([0.8, 0.2, 0.0], abs=0.04)


def test_categories_have_the_variance_between_them() -> None:
    # Three categories with means 0, 1, 2: variance 2/3; beside it x1 / 2 with variance 1/48
    random = np.random.default_rng(1)
    codes = random.integers(3, size=400)
    x = np.stack([(codes + 0.5) / 3, random.random(400)], axis=1)
    y = codes + x[:, 1] / 2
    expected = np.array([2 / 3, 1 / 48]) / (2 / 3 + 1 / 48)
    assert fanova(x, y, (3, 0), seed=0) == pytest.approx(expected, abs=0.03)


def test_an_interaction_is_no_main_effect() -> None:
    x = np.random.default_rng(2).random((500, 2))
    y = np.sign(x[:, 0] - 0.5) * np.sign(x[:, 1] - 0.5)
    assert fanova(x, y, (0, 0), seed=0) == pytest.approx([0.0, 0.0], abs=0.1)


def test_a_constant_has_no_importance() -> None:
    x = np.random.default_rng(3).random((50, 2))
    assert fanova(x, np.ones(50), (0, 0), seed=0).tolist() == [0, 0]


def test_partial_dependence_recovers_the_shape_of_a_bowl() -> None:
    x = np.random.default_rng(4).random((500, 2))
    y = (x[:, 0] - 0.3) ** 2 + x[:, 1]
    places = np.linspace(0.02, 0.98, 25)
    curve = partial_dependence(x, y, 0, places, seed=0).mean(axis=0)
    assert places[curve.argmin()] == pytest.approx(0.3, abs=0.1)
    expected = (places - 0.3) ** 2 + x[:, 1].mean()
    assert np.abs(curve - expected).max() < 0.08
