import numpy as np
import pytest
from scipy import stats

from analysis.published import COMPOSITIONS
from analysis.statistics import kendall, spearman, spearman_within

PAIRS = {"spearman": (spearman, stats.spearmanr), "kendall": (kendall, stats.kendalltau)}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("ties", [False, True])
def test_correlation_equals_scipy(name: str, ties: bool) -> None:
    ours, theirs = PAIRS[name]
    random = np.random.default_rng(3)
    for _ in range(20):
        x, y = random.random(12), random.random(12)
        if ties:
            x, y = np.round(x * 4), np.round(y * 4)
        found = ours(list(x), list(y), random)
        assert found.value == pytest.approx(theirs(x, y).statistic)


@pytest.mark.parametrize("name", PAIRS)
def test_p_value_of_few_pairs_is_scipy_s_exact_permutation_test(name: str) -> None:
    ours, theirs = PAIRS[name]
    x, y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2.0, 1.0, 4.0, 3.0, 6.0, 5.0]
    exact = stats.permutation_test(
        (x,), lambda permuted: theirs(permuted, y).statistic, permutation_type="pairings",
        n_resamples=np.inf, vectorized=False,
    )  # fmt: skip
    assert ours(x, y, np.random.default_rng(0)).p == pytest.approx(exact.pvalue)


def test_p_value_of_fifteen_pairs_is_close_to_kendall_s_exact_one() -> None:
    random = np.random.default_rng(1)
    x = np.arange(15.0)
    y = x + random.normal(0, 6, size=15)
    found = kendall(list(x), list(y), random)
    assert found.p == pytest.approx(stats.kendalltau(x, y, method="exact").pvalue, abs=0.01)


def test_the_two_published_rankings_agree_as_scipy_says() -> None:
    relative, contrastive = (
        [row.median_pje_cm for row in COMPOSITIONS[name].values()]
        for name in ("relative", "contrastive")
    )
    found = spearman(relative, contrastive, np.random.default_rng(0))
    assert found.value == pytest.approx(stats.spearmanr(relative, contrastive).statistic)
    assert found.interval is not None
    assert found.value is not None
    assert found.interval.low < found.value < found.interval.high


def test_a_constant_side_or_two_pairs_have_no_correlation() -> None:
    random = np.random.default_rng(0)
    assert spearman([1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0], random).value is None
    assert kendall([1.0, 2.0], [1.0, 2.0], random).value is None


def test_many_pairs_have_scipy_s_p() -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=1000)
    y = 0.05 * x + random.normal(size=1000)
    found = spearman(list(x), list(y), random)
    assert found.p == pytest.approx(stats.spearmanr(x, y).pvalue, abs=0.015)


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
