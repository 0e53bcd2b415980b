import numpy as np
import pytest
from scipy import stats

from analysis.statistics import spearman, spearman_within


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_one_stratum_is_spearman_s_correlation() -> None:
    random = np.random.default_rng(2)
    x, y = random.normal(size=14), random.normal(size=14).round(1)
    found = spearman_within(list(x), list(y), ["a"] * 14, generator())
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic)
    plain = spearman(list(x), list(y), generator())
    assert found.p == pytest.approx(plain.p, abs=0.02)
    assert found.interval is not None
    assert plain.interval is not None
    assert found.interval.low == pytest.approx(plain.interval.low, abs=0.06)


def test_two_strata_by_hand() -> None:
    # Ranks about their means: (-1, 0, 1)/3 and (-1/2, 1/2)/2; second stratum the other way round.
    x, y = [1.0, 2.0, 3.0, 10.0, 20.0], [5.0, 7.0, 6.0, 2.0, 1.0]
    top = (-1 * -1 + 0 * 1 + 1 * 0) / 9 - 2 * (1 / 16)
    norm = 2 / 9 + 2 * (1 / 16)
    found = spearman_within(x, y, ["a", "a", "a", "b", "b"], generator())
    assert found.value == pytest.approx(top / norm)
    assert found.n == 5


def test_a_difference_between_strata_alone_is_no_correlation_within_them() -> None:
    random = np.random.default_rng(4)
    strata = ["a"] * 40 + ["b"] * 40
    shift = np.repeat([0.0, 10.0], 40)
    x, y = random.normal(size=80) + shift, random.normal(size=80) - shift
    pooled = spearman(list(x), list(y), generator())
    within = spearman_within(list(x), list(y), strata, generator())
    assert pooled.value is not None
    assert pooled.value < -0.6
    assert within.p is not None
    assert within.p > 0.05
    assert within.interval is not None
    assert not within.interval.excludes_zero


def test_a_correlation_that_strata_hide_is_found() -> None:
    random = np.random.default_rng(5)
    shift = np.repeat([0.0, 10.0], 30)
    x = random.normal(size=60)
    y = x + 0.3 * random.normal(size=60)
    found = spearman_within(list(x + shift), list(y - shift), [*"a" * 30, *"b" * 30], generator())
    assert found.value is not None
    assert found.value > 0.8
    assert found.p == pytest.approx(1e-4)


def test_p_is_uniform_where_nothing_is_there() -> None:
    random = np.random.default_rng(6)
    strata = [*"a" * 9, *"b" * 9]
    found = [
        spearman_within(list(random.normal(size=18)), list(random.normal(size=18)), strata, random)
        for _ in range(60)
    ]
    assert stats.kstest([one.p for one in found], "uniform").pvalue > 0.01


def test_lone_pairs_and_constant_sides_have_no_correlation() -> None:
    assert spearman_within([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], "abc", generator()).value is None
    assert spearman_within([1.0] * 4, [1.0, 2.0, 3.0, 4.0], "aabb", generator()).value is None


def test_many_pairs_have_scipy_s_p_and_the_interval_of_one_stratum() -> None:
    random = np.random.default_rng(7)
    x = random.normal(size=1500)
    y = 0.06 * x + random.normal(size=1500)
    found = spearman_within(list(x), list(y), ["a"] * 1500, generator())
    theirs = stats.spearmanr(x, y)
    assert found.value == pytest.approx(theirs.statistic)
    assert found.p == pytest.approx(theirs.pvalue, rel=0.05)
    plain = spearman(list(x), list(y), generator()).interval
    assert found.interval is not None
    assert plain is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((plain.low, plain.high))
