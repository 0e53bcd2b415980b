import numpy as np
import pytest
from scipy import stats

from analysis.statistics import holm, rank_draws, signed_rank_p, welch_p


def test_rank_draws_counts_wins_and_rank_intervals_by_hand() -> None:
    draws = np.array([[1.0, 1.0, 3.0, 1.0], [2.0, 2.0, 2.0, 2.0], [3.0, 3.0, 1.0, 3.0]])
    first, second, third = rank_draws(draws)
    assert (first.best, second.best, third.best) == (0.75, 0.0, 0.25)
    assert (first.low, first.high) == (1, 3)
    assert (second.low, second.high) == (2, 2)


def test_ties_share_the_win() -> None:
    assert [rank.best for rank in rank_draws(np.ones((4, 10)))] == [0.25] * 4


def test_probability_of_being_best_equals_the_normal_one() -> None:
    random = np.random.default_rng(0)
    draws = random.normal([[0.0], [1.0]], 1.0, size=(2, 40_000))
    assert rank_draws(draws)[0].best == pytest.approx(0.760, abs=0.01)  # Φ(1/√2)


def test_holm_equals_the_hand_computed_case() -> None:
    # sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, then made monotone
    assert holm([0.04, 0.01, None, 0.03, 0.02]) == [
        pytest.approx(0.06), pytest.approx(0.04), None, pytest.approx(0.06), pytest.approx(0.06),
    ]  # fmt: skip
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_signed_rank_equals_scipy_and_ignores_missing_pairs() -> None:
    random = np.random.default_rng(0)
    a, b = random.random(30), random.random(30) + 0.2
    expected = stats.wilcoxon(a - b).pvalue
    assert signed_rank_p(a, b) == pytest.approx(expected)
    assert signed_rank_p(np.append(a, np.nan), np.append(b, 1.0)) == pytest.approx(expected)


def test_signed_rank_says_nothing_below_six_pairs_and_one_for_equal_values() -> None:
    assert signed_rank_p(np.arange(5.0), np.arange(5.0) + 1) is None
    assert signed_rank_p(np.arange(9.0), np.arange(9.0)) == 1.0


def test_welch_equals_scipy_and_needs_two_seeds_a_side() -> None:
    a, b = [10.0, 10.4, 9.9], [11.0, 12.5]
    assert welch_p(a, b) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert welch_p([10.0], b) is None
    assert welch_p([10.0, 10.0], [11.0, 11.0]) is None
