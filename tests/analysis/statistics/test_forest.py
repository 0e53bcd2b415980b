import numpy as np
import pytest

from analysis.statistics import fit_forest


def test_importances_come_close_to_the_exact_shares_of_the_variance() -> None:
    # f = 2 x0 + x1 on the unit cube: variances 4/12 and 1/12, so 80 % and 20 %, x2 nothing
    random = np.random.default_rng(0)
    x = random.random((1500, 3))
    forest = fit_forest(x, 2 * x[:, 0] + x[:, 1], random, trees=24)
    assert forest.importances() == pytest.approx([0.8, 0.2, 0.0], abs=0.03)


def test_an_interaction_is_no_main_effect() -> None:
    random = np.random.default_rng(1)
    x = random.random((1500, 2))
    y = np.sign(x[:, 0] - 0.5) * np.sign(x[:, 1] - 0.5)
    assert fit_forest(x, y, random, trees=24).importances() == pytest.approx([0.0, 0.0], abs=0.05)


def test_partial_dependence_recovers_the_shape_of_a_bowl() -> None:
    random = np.random.default_rng(2)
    x = random.random((800, 2))
    y = (x[:, 0] - 0.3) ** 2 + x[:, 1]
    places = np.linspace(0, 1, 41)
    curve = fit_forest(x, y, random, trees=32).dependence(0, places).mean(axis=0)
    assert places[curve.argmin()] == pytest.approx(0.3, abs=0.1)
    expected = (places - 0.3) ** 2 + 0.5
    assert np.abs(curve - expected).max() < 0.08


def test_marginals_of_a_tree_average_to_its_mean_at_every_feature() -> None:
    random = np.random.default_rng(3)
    x = random.random((200, 3))
    forest = fit_forest(x, random.random(200), random, trees=1)
    fine = (np.arange(20_000) + 0.5) / 20_000
    means = [forest.dependence(feature, fine).mean() for feature in range(3)]
    assert means == pytest.approx([means[0]] * 3, abs=1e-3)


def test_a_constant_has_no_importance() -> None:
    random = np.random.default_rng(4)
    assert fit_forest(random.random((50, 2)), np.ones(50), random).importances().tolist() == [0, 0]
