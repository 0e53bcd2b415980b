import numpy as np
import pytest
from scipy import stats

from analysis.published import COMPOSITIONS
from analysis.statistics import kendall, spearman

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
    labels = [label for objective, label in COMPOSITIONS if objective == "relative"]
    relative = [COMPOSITIONS["relative", label].median_pje_cm for label in labels]
    contrastive = [COMPOSITIONS["contrastive", label].median_pje_cm for label in labels]
    found = spearman(relative, contrastive, np.random.default_rng(0))
    assert found.value == pytest.approx(stats.spearmanr(relative, contrastive).statistic)
    assert found.interval is not None
    assert found.value is not None
    assert found.interval.low < found.value < found.interval.high


def test_a_constant_side_or_two_pairs_have_no_correlation() -> None:
    random = np.random.default_rng(0)
    assert spearman([1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0], random).value is None
    assert kendall([1.0, 2.0], [1.0, 2.0], random).value is None


def test_many_pairs_use_scipy_s_large_sample_p_and_an_interval_that_covers() -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=2000)
    y = 0.5 * x + random.normal(size=2000)
    found = spearman(list(x), list(y), random)
    assert found.p == pytest.approx(stats.spearmanr(x, y).pvalue)
    assert found.interval is not None
    truth = 6 / np.pi * np.arcsin(0.5 / np.sqrt(1.25) / 2)  # ρ of a bivariate normal
    assert found.interval.low < truth < found.interval.high
