"""Search efficiency, importances and transfer runs, each with a planted answer."""

from typing import Any

import numpy as np
import pytest

from analysis import compile_study
from analysis.efficiency import efficiencies
from analysis.reading import read_studies
from analysis.sampling import sampling
from analysis.tables import transfer_tables
from analysis.transfer import TransferKey, measured_rows
from tests.analysis.conftest import Make, StudyMaker


def test_best_so_far_counts_the_steps_of_every_trial(make_study: Make) -> None:
    study = make_study()
    study.add("T", median=12.0)  # 48 steps
    study.add("S", status="pruned")  # 16 steps
    study.add("CJ", median=10.0)
    study.add("Ro", median=11.0)
    (found,) = efficiencies([study.read()])
    assert found.steps == (48, 64, 112, 160)
    assert found.best_cm == (12.0, 12.0, 10.0, 10.0)
    assert found.steps_to_close == 112
    assert found.total_s == pytest.approx(120.0)
    assert found.goodput == pytest.approx(0.9)
    assert found.sampler == "grid"


def test_studies_of_one_fidelity_share_the_target_and_others_do_not(make_study: Make) -> None:
    good, worse, other = make_study("good"), make_study("worse"), make_study("other")
    good.add("T", median=10.0)
    worse.add("T", median=11.0)
    other.add("T", median=11.0)
    good.write_study()
    worse.write_study()
    other.write_study(data={"fingerprint": "another"})
    studies = read_studies([str(study.folder) for study in (good, worse, other)])
    assert [item.steps_to_close for item in efficiencies(studies)] == [48, None, 48]


def sampled(study: StudyMaker, trials: int) -> None:
    random = np.random.default_rng(0)
    for seed in range(trials):
        rate, temperature = 10 ** random.uniform(-5, -2), float(random.uniform(0.05, 1.0))
        composition = ("T", "S", "T+S")[random.integers(3)]
        config: dict[str, Any] = {
            "optimizer": {"name": "adam", "base_lr": float(rate)},
            "objective": {"name": "contrastive", "temperature": temperature},
        }
        median = 10 + 4 * (np.log10(rate) + 3.5) ** 2 + 0.1 * temperature
        study.add(composition, median=float(median), config=config, changes={"seed": seed})
    study.write_study()


def test_the_planted_parameter_matters_most_and_its_optimum_is_found(make_study: Make) -> None:
    study = make_study()
    sampled(study, 250)
    found = sampling(read_studies([str(study.folder)])[0])
    assert found is not None
    names = [parameter.name for parameter, _ in found.importances]
    assert names[0] == "optimizer.base_lr"
    assert found.importances[0][1] > 0.8
    assert {"with T", "with S", "objective.temperature"} <= set(names)
    curve = next(c for c in found.curves if c.parameter.name == "optimizer.base_lr")
    assert curve.parameter.log
    assert np.log10(curve.x[curve.mean_cm.argmin()]) == pytest.approx(-3.5, abs=0.3)


def test_a_grid_or_a_short_study_has_no_importances(make_study: Make) -> None:
    grid, short = make_study("grid"), make_study("short")
    grid.add_grid()
    grid.write_study()
    sampled(short, 10)
    assert sampling(read_studies([str(grid.folder)])[0]) is None
    assert sampling(read_studies([str(short.folder)])[0]) is None


def transfer(study: StudyMaker, mode: str, objective: str, **changes: Any) -> None:
    part = {"pretrain": "FH+IH", "fit": "FH-like", "evaluate": "IH-like", "mode": mode}
    config = {"encoder": {"name": "resnet18"}, "transfer": part}
    study.add("T+CJ+S", objective, config=config, **changes)


def test_transfer_runs_fill_the_rows_of_the_study_and_others_are_added(make_study: Make) -> None:
    study = make_study()
    transfer(study, "supervised", "supervised", median=9.0)
    transfer(study, "frozen", "contrastive", median=15.0)
    transfer(study, "frozen", "contrastive", median=17.0, repeat=1)
    transfer(study, "frozen", "random", median=30.0)
    studies = [study.read()]
    runs = measured_rows(studies)[TransferKey(encoder="resnet", fit="FH", evaluate="IH")]
    assert {run.key for run in runs} == {"supervised", "frozen", "random:frozen"}
    tables = {table.key: table for table in transfer_tables(studies)}
    assert sorted(tables) == [f"table{n}_transfer" for n in (2, 3, 4, 6, 7, 8, 9)]
    rows = [[entry.text for entry in row] for row in tables["table2_transfer"].rows]
    assert rows[0][:5] == ["ResNet-18", "13.50†", "15.50", "9.00†", "11.50"]
    assert rows[1][3:5] == ["16.00 ± 1.41", "47.90"]
    assert rows[2][1] == "not run"
    assert rows[3][0] == "Random initialisation (frozen), ours only"
    assert all(
        "not run" in row[1].text or row[1].text == "–" for row in tables["table9_transfer"].rows
    )


@pytest.mark.slow
def test_studies_that_cannot_be_compared_have_figures_of_their_own(make_study: Make) -> None:
    folders = []
    for name, data in (("one", "ab12"), ("two", "ab12"), ("three", "another")):
        study = make_study(name)
        study.add("T", metrics={"equivariance/rotate": 0.5})
        study.write_study(data={"fingerprint": data})
        folders.append(study.folder)
    parts = {chapter.key: chapter for chapter in compile_study(folders).chapters}
    for key, name in (("search", "efficiency"), ("hypothesis", "diagnostics")):
        assert [drawing.key for drawing in parts[key].drawings] == [name, f"{name}_2"]
    first, second = (drawing.alt for drawing in parts["search"].drawings)
    assert "one (grid)" in first
    assert "two (grid)" in first
    assert "three (grid)" in second
    assert "three" not in first
