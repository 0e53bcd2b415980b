"""The metric that ranks: of the study, of the command line, or the absolute median."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.compact import write_compact
from analysis.compilation import compile_study
from analysis.grid import arrange
from analysis.joint_errors import ARRAYS, JointErrors
from analysis.metrics import METRICS, rank_by
from analysis.reading import read_studies, read_study
from analysis.uncertainty import estimate
from handssl.errors import ConfigError
from tests.analysis.conftest import Make, StudyMaker

RA = "ra_median_pje_cm"


def searched_by(study: StudyMaker, name: object) -> Path:
    study.write_study(config={"search": {"metric": {"name": name, "direction": "minimize"}}})
    return study.folder


def opposed(make_study: Make, name: str = "embedded") -> StudyMaker:
    """T is best by the absolute median, S by the root-aligned one."""
    study = make_study(name)
    for repeat in range(2):
        study.add(
            "T", "contrastive", repeat=repeat, median=10.0 + repeat, metrics={RA: 9.0 + repeat}
        )
        study.add(
            "S", "contrastive", repeat=repeat, median=20.0 + repeat, metrics={RA: 5.0 + repeat}
        )
    return study


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        (RA, RA),
        ("pa_mpjpe_cm", "pa_mpjpe_cm"),
        (None, "median_pje_cm"),
        ("uv_median_pct", "median_pje_cm"),  # not in these records
        ("auc_5cm", "median_pje_cm"),
        ("encoder_steps", "median_pje_cm"),
    ],
)
def test_a_study_ranks_by_what_it_searched_by_if_that_is_a_recorded_error(
    make_study: Make, name: object, metric: str
) -> None:
    folder = searched_by(opposed(make_study), name)
    study = read_study(str(folder))
    assert study.metric.name == metric
    assert {record.metric.name for record in study.records} == {metric}


def test_the_best_composition_and_its_sentence_follow_the_metric(make_study: Make) -> None:
    folder = searched_by(opposed(make_study), RA)
    report = compile_study(folder)
    (column,) = report.grid.columns
    best = report.grid.best(column)
    assert best is not None
    assert (best[0], best[1].score) == ("S", 5.5)
    gate, sentence = report.chapters[0].sentences
    assert "the root-aligned median error shows nothing at this fidelity" in gate
    assert "S has the lowest root-aligned median error, 5.50 cm" in sentence
    assert report.table("ranking").columns[2].heading == "RA median PJE (cm) ↓"
    # No number of the paper beside another metric: the figure has one panel.
    (drawing,) = (d for d in report.chapters[0].drawings if d.key.startswith("compositions"))
    assert [axes.get_xlabel() for axes in drawing.figure.axes] == ["RA median PJE (cm)"]
    assert report.table("agreement").rows[0][1].value == 2  # absolute against absolute


def test_an_option_overrides_the_metric_and_is_checked(
    make_study: Make, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = opposed(make_study)
    study.write_study()
    arguments = [str(study.folder), "--out", str(tmp_path / "out"), "--metric"]
    assert main([*arguments, RA]) == 0
    html = (tmp_path / "out" / "report.html").read_text()
    assert f"python -m analysis {study.folder} --metric {RA}" in html
    assert "over seeds only)" in html
    assert "S" in (tmp_path / "out" / "tables" / "table1_best.csv").read_text().splitlines()[1]
    capsys.readouterr()
    for name in ("ra_median", "uv_median_pct"):
        assert main([*arguments, name]) == 2
        error = capsys.readouterr().err
        assert f"metric={name}" in error
        assert RA in error
        assert "uv_mean_pct," not in error  # only what the records have


def test_studies_that_searched_by_different_metrics_are_ranked_by_the_absolute_median(
    make_study: Make,
) -> None:
    first = searched_by(opposed(make_study, "one"), RA)
    second = searched_by(opposed(make_study, "two"), "pa_mpjpe_cm")
    both = read_studies([str(first), str(second)])
    assert [study.metric.name for study in both] == ["median_pje_cm"] * 2
    assert [study.metric.name for study in rank_by(both, RA)] == [RA] * 2
    with pytest.raises(ConfigError, match="metric=pje"):
        rank_by(both, "pje")


def test_a_record_without_the_metric_is_named(make_study: Make) -> None:
    study = opposed(make_study)
    folder = study.add("Ro", "contrastive", median=3.0)
    record = json.loads((folder / "record.json").read_text())
    del record["metrics"][RA]
    (folder / "record.json").write_text(json.dumps(record))
    (problem,) = read_study(str(searched_by(study, RA))).problems
    assert str(problem).endswith(f"is finished and has no metrics.{RA} (not ranked)")


def with_arrays(study: StudyMaker, names: tuple[str, ...]) -> dict[str, Any]:
    """One trial with errors whose medians are its metrics; the arrays of `names`."""
    random = np.random.default_rng(len(study.plan))
    arrays = {name: random.gamma(4.0, 2.0 + i, (40, 21)) for i, name in enumerate(ARRAYS)}
    arrays["ra_error_cm"][3, 4] = np.nan
    of = {m.array: key for key, m in METRICS.items() if m.array}
    medians = {of[name]: float(np.nanmedian(values)) for name, values in arrays.items()}
    folder = study.add("T", "contrastive", repeat=len(study.plan), metrics=medians)
    groups = np.array([f"pose{i // 2:04d}" for i in range(40)])
    kept: dict[str, Any] = {name: arrays[name].astype(np.float32) for name in names}
    np.savez(folder / "errors.npz", **kept, group=groups)
    return arrays


@pytest.mark.parametrize("metric", [key for key, m in METRICS.items() if m.array])
def test_the_pose_bootstrap_resamples_the_errors_of_the_metric(
    make_study: Make, metric: str
) -> None:
    study = make_study()
    arrays = with_arrays(study, ARRAYS)
    grid = arrange([read_study(str(searched_by(study, metric)))])
    (column,) = grid.columns
    draws = estimate(grid).of(column, "T")
    assert draws is not None
    assert draws.sources == "poses"
    # The oracle: poses drawn with replacement, the median taken again.
    values = arrays[METRICS[metric].array].reshape(20, -1)
    random = np.random.default_rng(0)
    expected = [np.nanmedian(values[random.integers(0, 20, 20)]) for _ in range(2000)]
    assert draws.median_cm.mean() == pytest.approx(np.mean(expected), rel=0.01)
    assert draws.median_cm.std() == pytest.approx(np.std(expected), rel=0.1)


def test_an_older_study_has_intervals_over_seeds_alone_by_another_metric(make_study: Make) -> None:
    study = make_study()
    for _ in range(3):
        with_arrays(study, ARRAYS[:1])
    (ranked,) = rank_by([study.read()], RA)
    for source, by in (("seeds", ranked), ("poses and seeds", study.read())):
        grid = arrange([by])
        draws = estimate(grid).of(grid.columns[0], "T")
        assert draws is not None
        assert draws.sources == source
    assert not estimate(arrange([ranked])).problems["embedded"]


def test_the_compact_form_keeps_the_arrays_that_exist(make_study: Make, tmp_path: Path) -> None:
    study = make_study()
    first, second = with_arrays(study, ARRAYS), with_arrays(study, ARRAYS[:1])
    write_compact(study.read(), tmp_path / "compact")
    compact = read_study(str(tmp_path / "compact"))
    files = JointErrors(compact)
    both = [files.all_of(record) for record in compact.records]
    assert [tuple(errors) for errors in both] == [ARRAYS, ARRAYS[:1]]
    for errors, arrays in zip(both, (first, second), strict=True):
        for name, values in errors.items():
            np.testing.assert_allclose(values.error_cm, arrays[name], rtol=1e-3)
    assert np.isnan(both[0]["ra_error_cm"].error_cm[3, 4])
