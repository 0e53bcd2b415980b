import numpy as np
import pytest

from analysis.uncertainty import DRAWS, Draws, common_sources, estimate, with_seeds
from tests.analysis.conftest import Make


def test_no_interval_of_an_error_goes_below_zero(make_study: Make) -> None:
    study = make_study()
    for repeat, median in enumerate((10.0, 40.0)):
        study.add("T", repeat=repeat, median=median)
    grid = study.grid()
    draws = estimate(grid).of(grid.columns[0], "T")
    assert draws is not None
    assert draws.median_cm.min() == 0.0


def test_a_run_without_errors_takes_the_spread_of_the_repeated_ones(make_study: Make) -> None:
    study = make_study()
    for repeat, median in enumerate((10.0, 11.0, 12.0)):
        study.add("T", repeat=repeat, median=median)
    study.add("S", median=20.0)
    grid = study.grid()
    uncertainty = estimate(grid)
    draws = uncertainty.of(grid.columns[0], "S")
    assert draws is not None
    assert draws.sources == "seeds"
    assert np.median(draws.median_cm) == pytest.approx(20.0, abs=0.2)
    assert np.percentile(draws.median_cm, 97.5) == pytest.approx(24.3, abs=0.8)  # 20 + 1·t(2)


@pytest.mark.parametrize("content", [b"PK\x03\x04 cut short", b"", b"text"])
def test_a_broken_error_file_is_reported_and_the_rest_goes_on(
    make_study: Make, content: bytes
) -> None:
    study = make_study()
    trial = study.add("T", errors=np.ones((10, 21)))
    study.add("S", errors=np.full((10, 21), 2.0))
    (trial / "errors.npz").write_bytes(content)
    grid = study.grid()
    uncertainty = estimate(grid)
    assert uncertainty.of(grid.columns[0], "T") is None
    assert uncertainty.of(grid.columns[0], "S") is not None
    assert [p.file for p in uncertainty.problems["embedded"]] == ["trials/t00000/errors.npz"]


def test_seeds_shift_the_draws_over_poses_and_are_named_beside_them() -> None:
    shift = np.linspace(-1, 1, DRAWS)
    poses = Draws(median_cm=np.full(DRAWS, 5.0), sources="poses", poses=("a", "b"))
    both, seeds = with_seeds(poses, 4.0, shift), with_seeds(None, 4.0, shift)
    assert both.median_cm == pytest.approx(5.0 + shift)
    assert both.poses == ("a", "b")
    assert seeds.median_cm == pytest.approx(4.0 + shift)
    assert common_sources([both, seeds]) == "seeds"
    assert common_sources([both, poses]) == "poses"
    assert common_sources([both, None]) == common_sources([]) == ""


def test_cells_on_equal_poses_share_their_draws_of_poses(make_study: Make) -> None:
    study = make_study()
    errors = np.random.default_rng(0).gamma(4.0, 1.0, size=(80, 21))
    study.add("T", errors=errors)
    study.add("S", errors=errors + 1.0)
    grid = study.grid()
    first, second = (estimate(grid).of(grid.columns[0], label) for label in ("T", "S"))
    assert first is not None
    assert second is not None
    assert second.median_cm - first.median_cm == pytest.approx(1.0, abs=1e-5)
    assert first.median_cm.std() > 0
