"""Few labels, with planted answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.compilation import compile_study
from analysis.findings import low_shot_sentences
from analysis.lowshot import LowShot, low_shot
from analysis.tables import low_shot_table, margin_table
from analysis.transfer import TransferKey, evaluated, measured_rows
from tests.analysis.conftest import Make, StudyMaker

FRACTIONS = (0.01, 0.1, 1.0)
LEVEL = {0.01: 30.0, 0.1: 20.0, 1.0: 10.0}
"""Median error from random weights at each share of the labels, cm."""


def add(study: StudyMaker, mode: str, objective: str, gain_cm: float, **changes: Any) -> None:
    """Three seeds at every share, ``gain_cm`` below random weights; seeds 1 cm apart."""
    for fraction in FRACTIONS:
        for repeat in range(3):
            part = {
                "pretrain": "FH+IH", "fit": "FH", "evaluate": ["FH"], "mode": mode,
                "label_fraction": fraction, "layer_decay": 1.0, **changes,
            }  # fmt: skip
            config = {"encoder": {"name": "resnet10t"}, "transfer": part}
            if objective == "supervised":
                config["objective"] = None  # type: ignore[assignment]
            median = LEVEL[fraction] - gain_cm + repeat + 0.01 * repeat * gain_cm
            errors = np.random.default_rng(repeat).normal(median, 0.5, size=(60, 21))
            study.add(
                "T+CJ+S", objective, config=config, median=median, repeat=repeat, errors=errors
            )


def found(study: StudyMaker) -> LowShot:
    return low_shot([study.read()])


def test_a_planted_margin_is_found_seed_by_seed_and_said(make_study: Make) -> None:
    study = make_study()
    add(study, "supervised", "supervised", 0.0)
    add(study, "unfrozen", "contrastive", 4.0)
    own = found(study)
    assert [curve.row for curve in own.curves] == ["supervised", "unfrozen"]
    margins = {margin.fraction: margin for margin in own.margins}
    assert set(margins) == set(FRACTIONS)
    for margin in own.margins:
        assert margin.value_cm == pytest.approx(-3.96)
        assert margin.seeds == 3
        assert margin.interval is not None
        assert margin.interval.sources == "poses and seeds"
        # Seeds lie 1 cm apart, yet the same in both: paired, they do not blur the margin.
        assert -4.6 < margin.interval.low < margin.interval.high < -3.3
    sentences = low_shot_sentences(own.margins)
    assert len(sentences) == 2
    assert "With 1% of the labels of FH" in sentences[0]
    assert "Contrastive (unfrozen) is 3.96 cm below supervised" in sentences[0]
    assert sentences[0].endswith("it beats it.")


def test_a_margin_within_the_spread_of_seeds_is_not_claimed(make_study: Make) -> None:
    study = make_study()
    add(study, "supervised", "supervised", 0.0)
    for repeat, median in enumerate((25.0, 33.0, 36.0)):
        part = {"fit": "FH", "evaluate": "FH", "mode": "unfrozen", "label_fraction": 0.01}
        config = {"encoder": {"name": "resnet10t"}, "transfer": part}
        study.add("T+S", "contrastive", config=config, median=median, repeat=repeat)
        config = {"encoder": {"name": "resnet10t"}, "transfer": {**part, "label_fraction": 1.0}}
        study.add("T+S", "contrastive", config=config, median=median - 20, repeat=repeat)
    sentences = low_shot_sentences(found(study).margins)
    assert len(sentences) == 1
    assert "no significant difference" in sentences[0]


def test_a_margin_varies_by_its_pairs_whatever_other_rows_do(make_study: Make) -> None:
    study = make_study()
    for fraction in (0.1, 1.0):
        part = {"fit": "FH", "evaluate": "FH", "label_fraction": fraction}
        for repeat, shared in enumerate((0.0, 5.0, -3.0, 1.0, 2.0)):
            wild = 10.0 * (-1) ** repeat
            for mode, objective, median in (
                ("supervised", "supervised", 20.0 + shared),
                ("unfrozen", "contrastive", 19.0 + shared + 0.05 * repeat),
                ("unfrozen", "relative", 21.0 + shared + wild),
            ):
                config = {"encoder": {"name": "resnet18"}, "transfer": {**part, "mode": mode}}
                study.add("T+S", objective, config=config, median=median, repeat=repeat)
    margins = [m for m in found(study).margins if m.fraction == 1.0]
    spans = {m.value_cm: m.interval for m in margins if m.interval}
    assert len(spans) == 2
    (tight,) = (span for value, span in spans.items() if value == pytest.approx(-0.9))
    # t(4) · 0.079 / sqrt(5) = 0.098, times at most 2 as one of four margins; pooled: 8 cm.
    assert -0.9 - 0.2 < tight.low < -0.9 - 0.09
    assert -0.9 + 0.09 < tight.high < -0.9 + 0.2


def test_frozen_rows_are_measured_against_the_probe_of_a_random_encoder(make_study: Make) -> None:
    study = make_study()
    add(study, "supervised", "supervised", 9.0)
    add(study, "frozen", "random", 0.0)
    add(study, "frozen", "contrastive", -2.0)
    own = found(study)
    assert {margin.against for margin in own.margins} == {"Random initialisation (frozen)"}
    assert all(margin.value_cm > 0 and margin.decided for margin in own.margins)
    assert "is beaten by it" in low_shot_sentences(own.margins)[0]


def test_what_is_fitted_otherwise_does_not_blur_a_margin(make_study: Make) -> None:
    study = make_study()
    add(study, "supervised", "supervised", 0.0)
    add(study, "unfrozen", "contrastive", 4.0)
    add(study, "frozen", "random", 0.0)
    for repeat, median in enumerate((10.0, 30.0, 80.0)):
        for fraction in FRACTIONS:
            part = {
                "pretrain": "FH+IH", "fit": "FH", "evaluate": ["FH"], "mode": "frozen",
                "label_fraction": fraction, "layer_decay": 1.0,
            }  # fmt: skip
            config = {"encoder": {"name": "resnet10t"}, "transfer": part}
            study.add("T+CJ+S", "relative", config=config, median=median, repeat=repeat)
    margins = {margin.against: margin for margin in found(study).margins}
    trained = margins["Supervised"].interval
    frozen = margins["Random initialisation (frozen)"].interval
    assert trained is not None
    assert frozen is not None
    assert trained.high - trained.low < 2
    assert frozen.high - frozen.low > 50


def test_one_seed_is_no_evidence(make_study: Make) -> None:
    study = make_study()
    for mode, objective, median in (
        ("supervised", "supervised", 9.0),
        ("unfrozen", "contrastive", 5.0),
    ):
        for fraction in FRACTIONS:
            part = {"fit": "FH", "evaluate": "FH", "mode": mode, "label_fraction": fraction}
            config = {"encoder": {"name": "resnet10t"}, "transfer": part}
            study.add("T+S", objective, config=config, median=median)
    own = found(study)
    assert not any(margin.decided for margin in own.margins)
    assert "significance is unknown without" in low_shot_sentences(own.margins)[0]


def test_the_tables_and_the_figure_are_part_of_the_report(
    make_study: Make, tmp_path: Path
) -> None:
    study = make_study()
    add(study, "supervised", "supervised", 0.0)
    add(study, "unfrozen", "contrastive", 4.0)
    own = found(study)
    table = low_shot_table(own)
    assert [entry.text for entry in table.rows[0]] == [
        "Supervised", "31.00 ± 1.00", "21.00 ± 1.00", "11.00 ± 1.00",
    ]  # fmt: skip
    assert all(entry.best for entry in table.rows[1][1:])
    assert [row[2].text for row in margin_table(own).rows] == ["1%", "10%", "100%"]
    report = compile_study(str(study.folder), tmp_path)
    assert {"lowshot.md", "lowshot_margins.csv"} <= {file.name for file in report.files}
    assert any(file.name.startswith("lowshot_") and file.suffix == ".svg" for file in report.files)
    assert "With few labels" in report.html.read_text()


def test_a_run_evaluated_on_several_counts_once_for_each(make_study: Make) -> None:
    study = make_study()
    values = {"IH": {"median_pje_cm": 7.0, "mpjpe_cm": 8.0}, "FH": {"median_pje_cm": 3.0}}
    part = {"fit": "FH", "evaluate": ["IH", "FH"], "mode": "unfrozen"}
    config = {"encoder": {"name": "hrnet_w18_small"}, "transfer": part}
    study.add("T+S", "contrastive", config=config, median=7.0, changes={"evaluations": values})
    again = {**config, "transfer": {**part, "evaluate": ["FH"]}}
    study.add("T+S", "contrastive", config=again, median=5.0, repeat=1)
    studies = [study.read()]
    runs = measured_rows(studies)
    across = runs[TransferKey(encoder="hrnet", fit="FH", evaluate="IH")]
    within = runs[TransferKey(encoder="hrnet", fit="FH", evaluate="FH")]
    assert [run.setting.score for run in across] == [7.0]
    assert [(run.setting.seeds, run.setting.score) for run in within] == [(2, 4.0)]
    files = [own.errors for _, own in evaluated(studies[0].records[0])]
    assert files == ["errors.npz", "errors-FH.npz"]


def test_pretrainings_and_runs_with_few_labels_have_no_row_in_the_study_s_tables(
    make_study: Make,
) -> None:
    study = make_study()
    for part in (
        {"pretrain": "FH+IH", "mode": "pretrain"},
        {"fit": "FH", "evaluate": "IH", "mode": "unfrozen", "label_fraction": 0.1},
    ):
        config = {"encoder": {"name": "resnet18"}, "transfer": part}
        study.add("T+S", "contrastive", config=config)
    assert not measured_rows([study.read()])


def test_layer_decay_and_floors_have_rows_of_their_own(make_study: Make) -> None:
    study = make_study()
    part = {"fit": "FH", "evaluate": "IH", "mode": "unfrozen"}
    config = {"encoder": {"name": "resnet18"}, "transfer": {**part, "layer_decay": 0.7}}
    study.add("T+S", "contrastive", config=config)
    config = {"encoder": {"name": "resnet18"}, "transfer": part, "objective": None}
    study.add("", "imagenet", config=config)
    runs = measured_rows([study.read()])
    titles = {run.title for own in runs.values() for run in own}
    assert titles == {
        "+ Contrastive (unfrozen, layer decay 0.7)",
        "ImageNet weights (unfrozen)",
    }
