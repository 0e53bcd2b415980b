import numpy as np
import pytest

from analysis.findings import link_sentences
from analysis.hypothesis import ALL, WITHIN, diagnosed_settings, links
from analysis.reading import read_studies
from tests.analysis.conftest import Make, StudyMaker


def test_diagnostics_are_averaged_over_geometric_augmentations(make_study: Make) -> None:
    study = make_study()
    study.add("T", metrics={"equivariance/translate": 0.2, "equivariance/rotate": 0.6,
                            "equivariance/color_jitter": 1.0})  # fmt: skip
    (point,) = diagnosed_settings([study.read()], "equivariance")
    assert point.x == pytest.approx(0.4)


def test_seeds_of_a_configuration_are_one_point(make_study: Make) -> None:
    study = make_study()
    for repeat, (error, value) in enumerate(((10.0, 0.2), (12.0, 0.4))):
        study.add("T", repeat=repeat, median=error, metrics={"equivariance/rotate": value})
    study.add("T", median=9.0, config={"epochs": 4}, metrics={"equivariance/rotate": 0.9})
    found = diagnosed_settings([study.read()], "equivariance")
    assert [(p.x, p.error_cm) for p in found] == [(pytest.approx(0.3), 11.0), (0.9, 9.0)]


def test_how_far_an_r2_is_below_zero_does_not_count(make_study: Make) -> None:
    study = make_study()
    study.add("T", metrics={"equivariance/translate": -1500.0, "equivariance/rotate": 0.6,
                            "invariance/rotate": -0.2})  # fmt: skip
    studies = [study.read()]
    assert [point.x for point in diagnosed_settings(studies, "equivariance")] == [0.3]
    assert [point.x for point in diagnosed_settings(studies, "invariance")] == [-0.2]


def linked(study: StudyMaker, objectives: dict[str, float], slope: float) -> StudyMaker:
    """Thirty configurations an objective; the error follows equivariance by a slope."""
    random = np.random.default_rng(1)
    for objective, level in objectives.items():
        for index in range(30):
            value = float(random.uniform(0.2, 0.8))
            error = 15 + level + slope * value + 0.3 * float(random.normal())
            noise = float(random.random())
            study.add("T", objective, median=error, config={"epochs": index}, metrics={
                "equivariance/rotate": value - level / 10, "invariance/rotate": noise,
            })  # fmt: skip
    study.write_study()
    return study


def test_a_planted_link_is_reported_and_noise_is_not(make_study: Make) -> None:
    study = linked(make_study(), {"contrastive": 0.0}, slope=-8.0)
    said = link_sentences(links(read_studies([str(study.folder)])))
    assert said[0].startswith("Higher equivariance goes with a lower error under contrastive")
    assert said[1].startswith("Invariance has no significant relation")


def test_a_link_between_objectives_alone_is_told_from_one_within_them(make_study: Make) -> None:
    study = linked(make_study(), {"contrastive": 0.0, "relative": 4.0}, slope=0.0)
    studies = read_studies([str(study.folder)])
    found = {link.scope: link.correlation for link in links(studies)[:4]}
    assert list(found) == [ALL, WITHIN, "contrastive", "relative:standardised"]
    said = link_sentences(links(studies))
    assert "no significant relation to the error within the objectives" in said[0]
    assert said[1].startswith("Higher equivariance goes with a lower error over all")
    assert "not shown within the objectives" in said[1]


def test_studies_of_other_fidelity_are_never_pooled(make_study: Make) -> None:
    one = linked(make_study("one"), {"contrastive": 0.0}, slope=-8.0)
    other = linked(make_study("other"), {"contrastive": 4.0}, slope=-8.0)
    other.write_study(data={"fingerprint": "another"})
    found = links(read_studies([str(one.folder), str(other.folder)]))
    assert ALL not in {link.scope for link in found}
    assert found[0].correlation.n == 60
    assert found[0].correlation.value is not None
    assert found[0].correlation.value < -0.8


def test_a_diagnostic_that_never_varies_says_so(make_study: Make) -> None:
    study = make_study()
    for index in range(5):
        study.add("T", config={"epochs": index}, metrics={"equivariance/rotate": -1.0 - index})
    said = link_sentences(links([study.read()]))
    assert said == ["Equivariance is the same in every configuration."]
