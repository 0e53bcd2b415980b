"""What intervals cover, by simulation, and which spread between seeds a row has."""

import numpy as np
import pytest

from analysis.uncertainty import (
    DRAWS,
    Contrast,
    Draws,
    common_sources,
    contrast,
    estimate,
    family,
    paired,
    with_seeds,
)
from tests.analysis.conftest import Make

STUDIES = 3000
"""Simulated; a share of 95% then has a standard error of 0.4%."""


def test_no_interval_of_an_error_reaches_zero(make_study: Make) -> None:
    study = make_study()
    for repeat, median in enumerate((10.0, 40.0, 15.0)):
        study.add("T", repeat=repeat, median=median)
    grid = study.grid()
    draws = estimate(grid).of(grid.columns[0], "T")
    assert draws is not None
    # By hand: the mean of 65 / 3 cm times exp(± t(2) · 0.713 / sqrt(3)) of the logarithms.
    widths = np.log([21.667 / draws.interval.low, draws.interval.high / 21.667])
    assert widths == pytest.approx([1.771, 1.771], rel=0.1)
    assert len(np.unique(draws.median_cm)) > DRAWS / 2  # no clip


def test_each_row_has_its_spread_and_a_single_run_takes_the_pooled_one(make_study: Make) -> None:
    study = make_study()
    for repeat, factor in enumerate((0.9, 1.0, 1.1)):
        study.add("T", repeat=repeat, median=10.0 * factor)
        study.add("CJ", repeat=repeat, median=30.0 * factor**2)
    study.add("S", median=20.0)
    grid = study.grid()
    uncertainty = estimate(grid)
    spans = {}
    for label in ("T", "CJ", "S"):
        draws = uncertainty.of(grid.columns[0], label)
        assert draws is not None
        assert draws.sources == "seeds"
        spans[label] = np.log(draws.interval.high / draws.interval.low) / 2
    # t(2) · sd / sqrt(3) of the logarithms, 0.100 and 0.201; t(4) · their root mean square.
    assert spans["T"] == pytest.approx(4.303 * 0.1003 / np.sqrt(3), rel=0.03)
    assert spans["CJ"] == pytest.approx(4.303 * 0.2007 / np.sqrt(3), rel=0.03)
    assert spans["S"] == pytest.approx(2.776 * 0.1587, rel=0.03)


def test_a_single_run_among_unequal_spreads_varies_poses_alone(make_study: Make) -> None:
    study = make_study()
    random = np.random.default_rng(0)
    for label, spread in (("T", 0.01), ("CJ", 1.0)):
        for repeat in range(5):
            median = 10.0 * np.exp(spread * random.standard_normal())
            study.add(label, repeat=repeat, median=median, errors=np.full((20, 21), median))
    study.add("S", median=20.0, errors=random.gamma(9.0, 20 / 9, size=(20, 21)))
    grid = study.grid()
    uncertainty = estimate(grid)
    found = {label: uncertainty.of(grid.columns[0], label) for label in ("T", "CJ", "S")}
    assert {label: draws.sources for label, draws in found.items() if draws} == {
        "T": "poses and seeds", "CJ": "poses and seeds", "S": "poses",
    }  # fmt: skip
    tight = found["T"]
    assert tight is not None
    assert tight.interval.high / tight.interval.low < 1.1  # pooled: 2.5 times


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


def test_a_difference_varies_by_what_both_rows_share() -> None:
    random = np.random.default_rng(0)
    poses = np.linspace(4, 6, DRAWS)
    rows = with_seeds(
        {
            "both": ([5.0, 5.5, 6.0], Draws(mean_cm=5.5, over_poses_cm=poses)),
            "seeds": ([4.0, 4.2, 4.1], None),
            "poses": ([5.0], Draws(mean_cm=5.0, over_poses_cm=poses)),
        },
        random,
    )
    rows["poses"] = Draws(mean_cm=5.0, over_poses_cm=poses)
    assert common_sources(rows.values()) == ""
    both_poses = contrast([(1, rows["both"]), (-1, rows["poses"])])
    assert both_poses is not None
    assert both_poses.sources == "poses"
    assert both_poses.draws_cm == pytest.approx(np.zeros(DRAWS))
    both_seeds = contrast([(1, rows["both"]), (-1, rows["seeds"])])
    assert both_seeds is not None
    assert both_seeds.sources == "seeds"
    assert contrast([(1, rows["seeds"]), (-1, rows["poses"])]) is None
    assert contrast([(1, rows["both"]), (-1, None)]) is None
    assert family([None, both_poses])[0] is None


def covered(truth: float, low: float, high: float) -> bool:
    return low <= truth <= high


def test_an_interval_of_a_row_covers_its_error_in_95_percent() -> None:
    random = np.random.default_rng(1)
    rows, hits = ((5, 0.05), (3, 0.3)), np.zeros(2)  # (seeds, spread of the logarithm)
    for _ in range(STUDIES):
        errors = [10 * np.exp(sd * random.standard_normal(n)) for n, sd in rows]
        draws = with_seeds({i: (e.tolist(), None) for i, e in enumerate(errors)}, random)
        for index, (_, sd) in enumerate(rows):
            span = draws[index].interval
            hits[index] += covered(10 * np.exp(sd**2 / 2), span.low, span.high)
    assert hits / STUDIES == pytest.approx([0.95, 0.95], abs=0.01)


def test_an_interval_of_a_single_run_covers_by_the_pooled_spread() -> None:
    random = np.random.default_rng(2)
    hits, known = 0, 0
    for _ in range(STUDIES):
        rows = {
            i: (10 * np.exp(0.15 * random.standard_normal(n))) for i, n in enumerate((5, 5, 1))
        }
        draws = with_seeds({i: (e.tolist(), None) for i, e in rows.items()}, random)
        known += 2 in draws
        span = draws[2].interval if 2 in draws else None
        hits += bool(span and covered(10.0, span.low, span.high))
    assert known / STUDIES == pytest.approx(0.95, abs=0.015)  # Bartlett refuses 5% of equal ones
    assert hits / known == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("spreads", [(0.1, 0.1), (0.05, 0.2)])
def test_an_interval_of_a_difference_covers_it_in_95_percent(
    spreads: tuple[float, float],
) -> None:
    random = np.random.default_rng(3)
    levels, hits = np.array([14.0, 10.0]), 0
    truth = levels * np.exp(np.square(spreads) / 2)
    for _ in range(STUDIES):
        errors = levels[:, None] * np.exp(
            np.outer(spreads, np.ones(5)) * random.normal(size=(2, 5))
        )
        draws = with_seeds({i: (e.tolist(), None) for i, e in enumerate(errors)}, random)
        (span,) = family([contrast([(1, draws[0]), (-1, draws[1])])])
        hits += span is not None and covered(truth[0] - truth[1], span.low, span.high)
    assert hits / STUDIES == pytest.approx(0.95, abs=0.01)


def test_an_interval_of_paired_differences_covers_in_95_percent_whatever_they_share() -> None:
    random = np.random.default_rng(4)
    hits, widths = 0, []
    for _ in range(STUDIES):
        shared = random.normal(0, 3.0, 5)  # of the labels, the same on both sides
        first, second = (level + shared + random.normal(0, 0.2, 5) for level in (9.0, 9.5))
        (span,) = family([paired(None, (first - second).tolist(), random)])
        assert span is not None
        hits += covered(-0.5, span.low, span.high)
        widths.append(span.high - span.low)
    assert hits / STUDIES == pytest.approx(0.95, abs=0.01)
    assert np.mean(widths) < 1.0
    poses = Contrast(draws_cm=np.zeros(DRAWS), sources="poses")
    assert paired(poses, [1.0, 2.0], random) is poses


@pytest.mark.parametrize("seeds", [5, 2])
def test_one_page_of_null_differences_is_wrong_in_5_percent_at_most(seeds: int) -> None:
    # Eight rows of equal error against the first; other poses and seeds tell them apart.
    random = np.random.default_rng(5)
    counts = random.multinomial(150, np.full(150, 1 / 150), size=1000)
    wrong = pointwise = 0
    studies = 1200
    for _ in range(studies):
        poses = random.normal(0, 4.0, size=(8, 150))
        over_poses = np.tile((counts @ poses.T).T / 150, DRAWS // 1000)
        errors = np.exp(0.1 * random.standard_normal((8, seeds))) * 10
        rows = {}
        for index in range(8):
            values = errors[index] + poses[index].mean()
            draws = Draws(
                mean_cm=float(values.mean()),
                over_poses_cm=over_poses[index] + errors[index].mean(),
            )
            rows[index] = (values.tolist(), draws)
        drawn = with_seeds(rows, random)
        contrasts = [contrast([(1, drawn[i]), (-1, drawn[0])]) for i in range(1, 8)]
        wrong += any(span is not None and span.decides for span in family(contrasts))
        known = np.stack([item.draws_cm for item in contrasts if item])
        low, high = np.percentile(known, (2.5, 97.5), axis=1)
        pointwise += bool(((low > 0) | (high < 0)).any())
    assert wrong / studies <= 0.06
    assert pointwise / studies > 0.12  # each for itself: what is prevented


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
