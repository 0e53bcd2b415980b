import pytest
import torch

from handssl.evaluation.ridge import PENALTIES, fit_ridge, fit_robust, standardise


def linear_data(
    n: int, d: int, k: int, *, noise: float, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=generator) * 3 + 1
    weight = torch.randn(d, k, generator=generator)
    return x, x @ weight - 2 + noise * torch.randn(n, k, generator=generator)


def last_tenth(n: int) -> torch.Tensor:
    return torch.arange(n) >= n - max(1, n // 10)


@pytest.mark.parametrize(("n", "d"), [(60, 7), (30, 70)])
def test_the_solution_solves_the_penalised_normal_equations(n: int, d: int) -> None:
    x, y = linear_data(n, d, 3, noise=1.0)
    ridge = fit_ridge(x, y, last_tenth(n), penalties=(0.3,))
    x, y = x.double(), y.double()
    z = (x - x.mean(0)) / x.std(0, correction=0)
    weight = torch.linalg.solve(z.mT @ z / n + 0.3 * torch.eye(d), z.mT @ (y - y.mean(0)) / n)
    assert torch.allclose(ridge(x), z @ weight + y.mean(0), atol=1e-10)


def test_a_linear_law_is_recovered() -> None:
    x, y = linear_data(300, 10, 4, noise=0.0)
    ridge = fit_ridge(x, y, last_tenth(300))
    assert (ridge(x) - y).abs().max() < 1e-4
    assert torch.equal(ridge.penalty, torch.full((4,), PENALTIES[0], dtype=torch.float64))


def test_noise_chooses_a_larger_penalty_for_its_own_output_only() -> None:
    x, y = linear_data(120, 80, 2, noise=0.0)
    y[:, 1] = torch.randn(120, generator=torch.Generator().manual_seed(5))
    penalty = fit_ridge(x, y, last_tenth(120)).penalty
    assert penalty[0] < 1e-3
    assert penalty[1] > 1e-1


def test_more_features_than_rows_and_features_without_spread_are_fine() -> None:
    x, y = linear_data(20, 50, 3, noise=0.1)
    x[:, 7] = 4.0
    ridge = fit_ridge(x, y, last_tenth(20))
    assert ridge(x).isfinite().all()
    assert (ridge.weight[7] == 0).all()


def test_collapsed_features_predict_the_mean() -> None:
    x = torch.full((30, 5), 0.7) + 1e-9 * torch.randn(30, 5)
    y = torch.randn(30, 2)
    assert torch.allclose(fit_ridge(x, y, last_tenth(30))(x), y.double().mean(0).expand(30, 2))


def test_standardised_rows_have_zero_mean_and_unit_spread() -> None:
    x = linear_data(50, 6, 1, noise=0.0)[0].double()
    z, mean, scale = standardise(x)
    assert torch.equal(z, (x - mean) * scale)
    assert z.mean(0).abs().max() < 1e-12
    assert z.std(0, correction=0) == pytest.approx([1.0] * 6)


def data(n: int = 200, d: int = 8) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, d, generator=generator).double() * 3 + 1
    weight = torch.randn(d, 3, generator=generator).double()
    noise = 0.1 * torch.randn(n, 3, generator=generator)
    return x, x @ weight - 2 + noise, torch.arange(n) >= n - 20


def slow_l1(
    x: torch.Tensor, y: torch.Tensor, penalty: float, level: float, sweeps: int = 300
) -> torch.Tensor:
    """One output's map on standardised features: a dense solve for every set of weights."""
    z = (x - x.mean(0)) / x.std(0, correction=0)
    design = torch.cat([z, torch.ones(len(z), 1).double()], dim=1)
    slopes = torch.eye(design.shape[1]).double() * penalty / level
    slopes[-1, -1] = 0
    solution = torch.zeros(design.shape[1]).double()
    weight = torch.ones(len(z)).double()
    for _ in range(sweeps):
        weighted = design * weight[:, None]
        solution = torch.linalg.solve(
            design.mT @ weighted / len(z) + slopes, weighted.mT @ y / len(z)
        )
        weight = 1 / (y - design @ solution).abs().clamp_min(1e-3 * level)
    return design @ solution


def test_predictions_equal_the_slow_reweighting() -> None:
    x, y, held_out = data()
    y[::7, 0] += 30
    robust, ridge = fit_robust(x, y, held_out), fit_ridge(x, y, held_out)
    for output in range(3):
        level = float((ridge(x) - y)[:, output].abs().mean())
        expected = slow_l1(x, y[:, output], float(ridge.penalty[output]), level)
        loss = (robust(x)[:, output] - y[:, output]).abs().mean()
        assert loss <= (expected - y[:, output]).abs().mean() * 1.002
        assert (robust(x)[:, output] - expected).abs().max() < 0.05


def test_gross_outliers_do_not_move_it() -> None:
    x, y, held_out = data()
    clean = y.clone()
    y[::10] += 50
    away = [(fit(x, y, held_out)(x) - clean).abs().mean() for fit in (fit_robust, fit_ridge)]
    assert away[0] < 0.12
    assert away[1] > 3


def test_without_information_it_predicts_the_median() -> None:
    y = torch.tensor([0.0, 0, 1, 1, 1, 1, 90, 200, 300])[:, None].double()
    x = torch.full((9, 4), 0.7)
    prediction = fit_robust(x, y, torch.arange(9) >= 7)(x)
    assert (prediction - 1).abs().max() < 1


def test_more_features_than_rows_stay_finite() -> None:
    x, y, held_out = data(n=30, d=60)
    assert fit_robust(x, y, held_out)(x).isfinite().all()


def test_outputs_that_are_fitted_exactly_stay_finite() -> None:
    x, y, held_out = data()
    y[:, 1] = 0
    y[:, 2] = x[:, 0]
    assert (fit_robust(x, y, held_out)(x) - y)[:, 1:].abs().max() < 1e-4
