from collections.abc import Callable

import numpy as np
import pytest

from analysis.findings import link_sentences, verdict_sentences
from analysis.grid import arrange
from analysis.hypothesis import links, points, verdicts
from analysis.reading import read_studies
from analysis.uncertainty import estimate
from tests.analysis.conftest import StudyMaker

Make = Callable[..., StudyMaker]
RELEASED = {"objective": {"name": "relative", "targets": "released"}}
STANDARDISED = {"objective": {"name": "relative", "targets": "standardised"}}


def planted(study: StudyMaker, *, released: float, standardised: float) -> StudyMaker:
    """Contrastive at 10 cm and both relative forms elsewhere, three seeds each, on 80 images."""
    random = np.random.default_rng(0)
    hardness = random.gamma(9.0, 1 / 9, size=(80, 21))
    for label in ("T", "S"):
        for repeat in range(3):
            for objective, config, level in (
                ("contrastive", None, 10.0),
                ("relative", RELEASED, released),
                ("relative", STANDARDISED, standardised),
            ):
                value = level + (label == "S") + 0.05 * repeat
                study.add(
                    label, objective, repeat=repeat, config=config, median=value,
                    errors=value * hardness,
                )  # fmt: skip
    study.write_study()
    return study


def sentences(study: StudyMaker) -> list[str]:
    grid = arrange(read_studies([str(study.folder)]))
    return verdict_sentences(verdicts(grid, estimate(grid)))


def test_a_verdict_that_the_targets_turn_round_is_said_to_change(make_study: Make) -> None:
    said = sentences(planted(make_study(), released=14.0, standardised=8.0))
    assert any("released targets" in s and "contrastive wins" in s for s in said)
    assert any("standardised targets" in s and "relative wins" in s for s in said)
    assert "changes the verdict" in said[-1]


def test_a_verdict_that_holds_is_said_to_hold(make_study: Make) -> None:
    said = sentences(planted(make_study(), released=14.0, standardised=12.0))
    assert "does not change the verdict: contrastive wins" in said[-1]


def test_a_difference_whose_interval_includes_zero_is_not_claimed(make_study: Make) -> None:
    said = sentences(planted(make_study(), released=14.0, standardised=10.0))
    assert any("cannot be told apart" in s for s in said)
    assert "is open" in said[-1]


def test_one_seed_without_errors_gives_no_winner(make_study: Make) -> None:
    study = make_study()
    study.add("T", "contrastive")
    study.add("T", "relative", config=STANDARDISED)
    study.write_study()
    (said,) = sentences(study)
    assert "wins" not in said
    assert "nobody knows" in said


def test_diagnostics_are_averaged_over_geometric_augmentations(make_study: Make) -> None:
    study = make_study()
    study.add("T", metrics={"equivariance/translate": 0.2, "equivariance/rotate": 0.6,
                            "equivariance/color_jitter": 1.0})  # fmt: skip
    study.write_study()
    (point,) = points(read_studies([str(study.folder)])[0].records, "equivariance")
    assert point.x == pytest.approx(0.4)


def test_a_planted_link_is_reported_and_noise_is_not(make_study: Make) -> None:
    study = make_study()
    random = np.random.default_rng(1)
    for repeat in range(40):
        error = float(random.uniform(8, 20))
        study.add("T", repeat=repeat, median=error, metrics={
            "equivariance/rotate": 1 - error / 25 + 0.05 * float(random.normal()),
            "invariance/rotate": float(random.random()),
        })  # fmt: skip
    study.write_study()
    said = link_sentences(links(read_studies([str(study.folder)])[0].records))
    assert said[0].startswith("More equivariance goes with a lower error over all runs")
    assert any(s.startswith("Invariance says nothing certain") for s in said)
