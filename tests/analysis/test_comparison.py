from dataclasses import replace

import numpy as np
import pytest

from analysis.comparison import Agreement, agreement, compare_columns, rank_columns
from analysis.contribution import contribution
from analysis.findings import agreement_sentences, best_sentences, contribution_sentences
from analysis.grid import Grid
from analysis.notation import PAPER_ROWS
from analysis.published import COMPOSITIONS
from analysis.statistics import Correlation, Interval
from analysis.uncertainty import Uncertainty, estimate
from tests.analysis.conftest import EFFECTS, Make, StudyMaker


def evaluated(study: StudyMaker) -> tuple[Grid, Uncertainty]:
    grid = study.grid()
    return grid, estimate(grid)


def test_ranking_puts_the_planted_order_first_with_intervals_that_cover_it(
    make_study: Make,
) -> None:
    study = make_study(images_val=120)
    study.add_grid(("contrastive",), repeats=3, errors=True)
    grid, uncertainty = evaluated(study)
    ((_, standings),) = rank_columns(grid, uncertainty)
    assert [standing.label for standing in standings[:2]] == ["T+CJ+S", "T+S"]
    shares = [standing.rank.best for standing in standings if standing.rank]
    assert sum(shares) == pytest.approx(1.0)
    assert max(shares) == shares[0]
    for standing in standings:
        assert standing.interval is not None
        assert standing.interval.sources == "poses and seeds"
        assert standing.interval.low < standing.setting.score < standing.interval.high
    last = standings[-1].behind
    assert last is not None
    assert last.interval is not None
    assert last.interval.excludes_zero
    assert last.p_poses is not None
    assert last.p_poses < 0.001


def test_what_one_of_many_comparisons_may_show_by_chance_is_not_claimed(
    make_study: Make,
) -> None:
    # Every row 8% above the best; alone, ± t(8) · 5% · sqrt(2 / 5) = 7.3% excludes zero.
    deviations = 0.05 * np.array([-1.2649, -0.6325, 0.0, 0.6325, 1.2649])
    said = {}
    for name, labels in (("alone", PAPER_ROWS[:1]), ("many", PAPER_ROWS[:14])):
        study = make_study(name)
        for label in ("T+Ro", *labels):
            level = 10.0 if label == "T+Ro" else 10.8
            for repeat, deviation in enumerate(np.exp(deviations)):
                study.add(label, repeat=repeat, median=level * deviation)
        grid, uncertainty = evaluated(study)
        (said[name],) = best_sentences(grid, rank_columns(grid, uncertainty))
    assert "the difference excludes zero." in said["alone"]
    assert f"No significant difference to: {PAPER_ROWS[0]}" in said["many"]


def test_a_row_whose_spread_is_unknown_is_said_to_differ_over_poses_only(
    make_study: Make,
) -> None:
    study = make_study()
    hardness = np.random.default_rng(0).gamma(9.0, 1 / 9, size=(80, 21))
    rows = {"T": (10.0, 0.01), "S": (40.0, 0.3), "T+S": (80.0, 0.0)}
    for label, (level, spread) in rows.items():
        for repeat in range(5 if spread else 1):
            median = level * np.exp(spread * (repeat - 2))
            study.add(label, repeat=repeat, median=median, errors=median * hardness)
    grid, uncertainty = evaluated(study)
    (said,) = best_sentences(grid, rank_columns(grid, uncertainty))
    assert "Different over poses only, so other seeds may change it: T+S." in said
    assert "No significant difference" not in said


def test_without_repeats_or_errors_nothing_is_claimed(make_study: Make) -> None:
    study = make_study()
    study.add_grid(("contrastive",))
    grid, uncertainty = evaluated(study)
    ((_, standings),) = rank_columns(grid, uncertainty)
    assert all(s.interval is None and s.rank is None for s in standings)


def test_columns_are_compared_on_the_same_poses(make_study: Make) -> None:
    study = make_study(images_val=120)
    study.add_grid(errors=True)
    grid, uncertainty = evaluated(study)
    relative, contrastive = grid.columns
    (differences,) = compare_columns(grid, uncertainty, [(relative, contrastive)])
    assert len(differences) == 15
    for difference in differences:
        assert difference.interval is not None
        assert difference.interval.low < difference.value_cm < difference.interval.high
        assert difference.interval.low > 0  # planted: relative is 4 cm worse everywhere
        assert difference.p_seeds is None
        assert difference.interval.sources == "poses"


def test_agreement_of_the_published_numbers_with_themselves_is_perfect(make_study: Make) -> None:
    study = make_study()
    for label in PAPER_ROWS:
        study.add(label, median=COMPOSITIONS["contrastive"][label].median_pje_cm)
    grid, _ = evaluated(study)
    found = agreement(grid, grid.columns[0])
    assert found is not None
    assert found.spearman.value == pytest.approx(1.0)
    assert found.kendall.value == pytest.approx(1.0)
    assert found.spearman.p == pytest.approx(1e-4)
    other = replace(grid.columns[0], variant="equivariant")
    assert agreement(grid, other) is None


def test_shapley_values_are_the_planted_effects(make_study: Make) -> None:
    study = make_study()
    study.add_grid(("contrastive",))
    grid, uncertainty = evaluated(study)
    found = contribution(grid, uncertainty, grid.columns[0])
    assert found is not None
    mean = sum(EFFECTS.values()) / 4 - 0.5 / 4
    # T and S share their planted -0.5 equally; the values are centred
    truth = {"T": -2.25, "CJ": -1.0, "S": -3.25, "Ro": 1.5}
    assert {s.name: s.value_cm for s in found.shapley} == pytest.approx(
        {name: value - mean for name, value in truth.items()}
    )
    pairs = {share.name: share.value_cm for share in found.pairs}
    assert pairs.pop("T × S") == pytest.approx(-0.5)
    assert list(pairs.values()) == pytest.approx([0.0] * 5)
    assert sum(share.published_cm or 0 for share in found.shapley) == pytest.approx(0.0)


def test_an_incomplete_factorial_has_no_shapley_values(make_study: Make) -> None:
    study = make_study()
    for label in PAPER_ROWS[1:]:
        study.add(label)
    grid, uncertainty = evaluated(study)
    assert contribution(grid, uncertainty, grid.columns[0]) is None


@pytest.mark.parametrize(("repeats", "covers"), [(1, "poses"), (3, "poses and seeds")])
def test_what_stands_out_by_one_seed_is_said_of_these_encoders_alone(
    make_study: Make, repeats: int, covers: str
) -> None:
    study = make_study(images_val=120)
    study.add_grid(("contrastive",), repeats=repeats, errors=True)
    grid, uncertainty = evaluated(study)
    found = contribution(grid, uncertainty, grid.columns[0])
    assert found is not None
    assert {s.interval.sources for s in found.shapley if s.interval} == {covers}
    (said,) = contribution_sentences([found])
    assert "T (" in said
    assert "S (" in said
    assert said.endswith("spread between seeds is unknown.") == (repeats == 1)


def test_the_best_is_said_to_be_lucky_where_it_was_chosen_among_many(make_study: Make) -> None:
    study = make_study()
    for index in range(3):
        study.add("T", median=10.0 + index, config={"epochs": index})
    study.add("S", median=9.0)
    study.add("S", median=9.0, repeat=1)
    study.add("CJ", median=8.0)
    grid, uncertainty = evaluated(study)
    (said,) = best_sentences(grid, rank_columns(grid, uncertainty))
    assert "S has the lowest median error of the repeated ones, 9.00 cm" in said

    other = make_study("other")
    for index in range(3):
        other.add("T", median=10.0 + index, config={"epochs": index})
    grid, uncertainty = evaluated(other)
    (said,) = best_sentences(grid, rank_columns(grid, uncertainty))
    assert "from one seed; the best of 3 configurations (selection bias)" in said


@pytest.mark.parametrize(
    ("n", "low", "p", "words"),
    [
        (5, None, 0.01, "too few"),
        (15, 0.2, 0.01, "agrees with the published contrastive ranking"),
        (15, -0.1, 0.01, "no significant agreement"),  # the interval includes zero
        (15, 0.2, 0.2, "no significant agreement"),
    ],
)
def test_agreement_is_claimed_only_with_p_and_interval(
    make_study: Make, n: int, low: float | None, p: float, words: str
) -> None:
    study = make_study()
    study.add("T")
    grid, _ = evaluated(study)
    span = None if low is None else Interval(low=low, high=0.9)
    found = Correlation(value=0.6, p=p, interval=span, n=n)
    item = Agreement(column=grid.columns[0], spearman=found, kendall=found, ours={}, published={})
    (said,) = agreement_sentences([item])
    assert words in said
