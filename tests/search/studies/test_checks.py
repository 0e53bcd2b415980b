import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handssl.data import open_store
from handssl.errors import ConfigError
from handssl.records import StudyDescription
from search.cli import main
from search.config.compose import compose_config
from search.config.metric import SearchMetric
from search.config.schema import Config
from search.config.typed import to_dict
from search.studies.checks import check_first_step, check_metrics, check_same_study, check_writable
from search.studies.grid import run_grid
from search.trials.pretrain import PretrainTrial
from tests.search.disk import remount, small_disk

BASE = ("cluster.cpus=2", "data.poses=30", "study.images=96")


def refused(capsys: pytest.CaptureFixture[str], *overrides: str) -> str:
    """What a refused command says; it must be one line, with exit status 2."""
    assert main("grid", Config, run_grid, "", [*BASE, *overrides]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("refused: ")
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["data=freihand", "data.root={tmp}/nowhere"], "{tmp}/nowhere"),
        (["data=interhand", "data.root={tmp}/nowhere"], "{tmp}/nowhere"),
        (["trial.workers=3", "trial.pretrain.batch_size=48"], "trial.workers=3"),
        (["trial.gpus=1", "cluster.gpus=0"], "trial.gpus=1"),
        (["results={tmp}/a_file"], "results={tmp}/a_file"),
        (["results=/proc/nowhere"], "results=/proc/nowhere"),
        (["+study.imagez=3"], "imagez"),
        (["search.augmentations=[flip]"], "flip"),
        (["trial.pretrain.objective.temperature=0"], "temperature=0"),
        (["trial.pretrain.batch_size=1"], "batch_size must be >= 2, but got batch_size=1"),
        (["trial.pretrain.size_px=225"], "source crops, 224, but got size_px=225"),
        (["trial.pretrain.composition=sobel:relative"], "but got sobel:relative"),
        (["trial.pretrain.magnitudes.rotate.max_deg=181"], "but got max_deg=181"),
        (["trial.pretrain.magnitudes.flip.share=1"], 'augmentation="flip"'),
        (["trial.pretrain.magnitudes={{cutout.max_side_frac: 2}}"], "cutout.max_side_frac"),
        (
            ["search.augmentations=[sobel]", "~search.objectives.contrastive"],
            "must have one of translate, color_jitter, scale, rotate for the relative objective",
        ),
        (
            ["search=tpe", "search.augmentations=[sobel,crop]", "~search.objectives.contrastive"],
            "must have one of translate, color_jitter, scale, rotate for the relative objective",
        ),
        (
            ["search=tpe", "search.space.magnitudes.rotate.max_deg={{low: 10.0, high: 200.0}}"],
            "but got max_deg=200",
        ),
        (["search.second_view=T/S"], "must be the composition of one view"),
        (["search.second_view=sobel:relative"], "but got sobel:relative"),
        (["search.second_view=rotate:relative"], "objective.name must be mixed"),
        (["search.metric.name=acc"], "search.metric.name must be one of mpjpe_cm, median_pje_cm,"),
        (["search.metric.name=invariance/crop"], "but got name=invariance/crop"),
        (["search.second_metric.name=step"], "search.second_metric.name must be one of"),
        (
            ["search.metric.direction=up"],
            "search.metric.direction: input should be 'minimize' or 'maximize', but got "
            "search.metric.direction='up'",
        ),
        (["search.metric.name=auc_5cm"], "give search.metric.direction=maximize"),
        (
            ["search.metric.direction=maximize"],
            "must be minimize for search.metric.name=ra_median",
        ),
        (
            ["search=tpe", "search.metric.name=rankme"],
            "search.early_stopping.name=asha and search.rungs=[], but got name=rankme",
        ),
        (
            ["search.rungs=[1]", "search.metric.name=rankme"],
            "search.early_stopping.name=none and search.rungs=[1], but got name=rankme",
        ),
        (
            ["search=nsga2", "search.second_metric=ra_median_pje_cm"],
            "search.second_metric.name must differ from search.metric.name",
        ),
        (
            ["trial.workers=2", "search.space.batch_size={{choices: [48, 63]}}"],
            "multiple of 2 for trial.workers=2, so that",
        ),
    ],
)
def test_a_bad_command_is_refused_in_one_line_and_writes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, overrides: list[str], expected: str
) -> None:
    (tmp_path / "a_file").write_text("")
    where = [f"results={tmp_path}/results", f"data.store={tmp_path}/store"]
    said = refused(capsys, *where, *(o.format(tmp=tmp_path) for o in overrides))
    assert expected.format(tmp=tmp_path) in said
    assert [path.name for path in tmp_path.iterdir()] == ["a_file"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"size_px": 225}, r"side of the source crops, 224, but got size_px=225"),
        ({"batch_size": 512}, r"at most the \d+ training images, but got 512 x 1"),
    ],
)
def test_trials_that_could_not_take_a_step_are_refused_before_any_starts(
    small: Config, small_trials: list[PretrainTrial], change: dict[str, Any], expected: str
) -> None:
    store = open_store(small.data.store)
    check_first_step(small_trials, store)
    pretrain = dataclasses.replace(small_trials[0].pretrain, **change)
    trial = dataclasses.replace(small_trials[0], pretrain=pretrain)
    with pytest.raises(ConfigError, match=expected):
        check_first_step([trial], store)


def test_a_read_only_results_folder_is_refused_to_anyone_even_root(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        remount(disk, "ro")
        said = refused(capsys, f"results={disk}/results", f"data.store={tmp_path}/store")
        assert f"results={disk}/results" in said
        assert "Read-only file system" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="permission bits do not bind root")
def test_a_results_folder_without_permission_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tmp_path.chmod(0o500)
    try:
        said = refused(capsys, f"results={tmp_path}/results", "data.store=nowhere")
        assert "Permission denied" in said
    finally:
        tmp_path.chmod(0o700)


def test_a_half_unpacked_freihand_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    root = tmp_path / "freihand"
    (root / "training" / "rgb").mkdir(parents=True)
    said = refused(capsys, "data=freihand", f"data.root={root}", f"results={tmp_path}/results")
    assert "training_K.json" in said
    assert not (tmp_path / "results").exists()


def test_a_folder_that_does_not_exist_yet_is_not_made_by_looking(tmp_path: Path) -> None:
    check_writable(f"{tmp_path}/a/b")
    assert list(tmp_path.iterdir()) == []


def _study(config: Config, fingerprint: str = "f") -> StudyDescription:
    return StudyDescription(config=to_dict(config), data={"fingerprint": fingerprint})


def _write(folder: Path, study: StudyDescription) -> None:
    (folder / "study.json").write_text(json.dumps(study.to_dict()))


def test_a_study_may_grow_but_not_change_under_its_records(tmp_path: Path) -> None:
    config = compose_config()
    _write(tmp_path, _study(config))
    check_same_study(tmp_path, _study(compose_config(["search.repeats=3"])))
    with pytest.raises(ConfigError, match=r"study\.epochs=2, but now got study\.epochs=9"):
        check_same_study(tmp_path, _study(compose_config(["study.epochs=9"])))
    with pytest.raises(ConfigError, match="data set changed"):
        check_same_study(tmp_path, _study(config, "g"))


def test_a_study_keeps_the_metric_that_it_was_begun_with(tmp_path: Path) -> None:
    largest = compose_config(["search.metric={name: auc_50cm, direction: maximize}"])
    config = compose_config()
    path = tmp_path / "study.json"
    _write(tmp_path, _study(config))
    expected = r"search\.metric\.name=ra_median_pje_cm, but now got search\.metric\.name=auc_50cm"
    with pytest.raises(ConfigError, match=expected):
        check_same_study(tmp_path, _study(largest))
    # One from before the keys were there went by the paper's metric.
    before = json.loads(path.read_text())
    for key in ("metric", "second_metric"):
        del before["config"]["search"][key]
    path.write_text(json.dumps(before))
    check_same_study(tmp_path, _study(compose_config(["search.metric=median_pje_cm"])))
    expected = r"name=median_pje_cm, but now .*; .*give search\.metric\.name=median_pje_cm"
    with pytest.raises(ConfigError, match=expected):
        check_same_study(tmp_path, _study(config))


def test_a_study_that_goes_by_a_diagnostic_keeps_how_it_is_taken(tmp_path: Path) -> None:
    by_rank = "search.metric={name: rankme, direction: maximize}"
    _write(tmp_path, _study(compose_config([by_rank])))
    check_same_study(tmp_path, _study(compose_config([by_rank, "search.repeats=3"])))
    fewer = "trial.diagnostics.images=64"
    with pytest.raises(ConfigError, match=r"trial\.diagnostics\.images=192, but now got"):
        check_same_study(tmp_path, _study(compose_config([by_rank, fewer])))
    # It decides nothing where it only goes into the records.
    _write(tmp_path, _study(compose_config()))
    check_same_study(tmp_path, _study(compose_config([fewer])))


def test_a_diagnostic_that_the_records_will_not_hold_is_refused(small: Config) -> None:
    metric = SearchMetric(name="equivariance/rotate", direction="maximize")
    config = dataclasses.replace(small, search=dataclasses.replace(small.search, metric=metric))
    store = open_store(small.data.store)
    check_metrics(config.search, config.trial.diagnostics, store)
    few = store.select(np.flatnonzero(store.splits == "val")[:5])
    with pytest.raises(ConfigError, match=r"name=equivariance/rotate.* 5 validation images"):
        check_metrics(config.search, config.trial.diagnostics, few)
