"""A transfer study at its smallest, in processes of its own, as a user starts it."""

import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
from rich.console import Console

from handssl import records
from handssl.data import Store
from handssl.errors import ConfigError, DataError
from handssl.records import StudyDescription
from search.cli import main
from search.config.compose import CONFIG_DIR, compose_config
from search.config.transfer import TransferStudyConfig
from search.config.typed import to_dict
from search.observers.optuna_study import OptunaMirror
from search.studies.checks import check_same_study
from search.studies.study import Session
from search.studies.transfer import run_transfer, transfer_study
from tests.search.running import assert_all_end, await_that, children, started
from tests.search.running import run_grid as run

RUN_TRANSFER = Path(__file__).resolve().parents[3] / "search" / "run_transfer.py"
STUDIES = sorted(
    path.stem
    for path in (CONFIG_DIR / "study").glob("*.yaml")
    if "transfer:" in path.read_text() or path.stem == "tables"
)


@pytest.fixture
def command(transfer_overrides: tuple[str, ...], tmp_path: Path) -> list[str]:
    """The command of table 2 without repeats of what takes time."""
    return [
        sys.executable,
        str(RUN_TRANSFER),
        *transfer_overrides,
        "study=table2",
        "study.name=small",
        "transfer.rows.table2.layer_decays=[1.0]",
        f"results={tmp_path}",
        "cluster.cpus=1",
        "cluster.dashboard=false",
    ]


@pytest.mark.long
def test_a_study_killed_in_the_middle_ends_with_every_row_and_runs_nothing_twice(
    command: list[str], tmp_path: Path
) -> None:
    trials = tmp_path / "small" / "trials"
    with started(command, tmp_path) as process:
        await_that(process, lambda: list(trials.glob("pretrain_*/record.json")))
        family = children(process)
        process.kill()
    assert_all_end(family)
    before = {path: path.read_bytes() for path in trials.glob("*/record.json")}
    done = run(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "complete: 5 trials" in done.stdout
    assert {path: path.read_bytes() for path in before} == before
    found = records.read_records(tmp_path / "small")
    assert {record.status for record in found.values()} == {"finished"}
    plan = records.read_description(tmp_path / "small").plan
    assert {row["trial"] for row in plan} == set(found)
    modes = sorted(record.transfer["mode"] for record in found.values())
    assert modes == ["frozen", "frozen", "pretrain", "supervised", "unfrozen"]
    study = optuna.load_study(study_name="small", storage=f"sqlite:///{tmp_path}/small/optuna.db")
    complete = [t for t in study.trials if t.state.name == "COMPLETE"]
    assert sorted(t.user_attrs["trial"] for t in complete) == sorted(found)
    assert not (tmp_path / "small" / "ray").exists()
    again = run(command, tmp_path)
    assert again.returncode == 0, again.stderr
    assert "5 trials, 5 already finished" in again.stdout
    lost = next(trials.glob("pretrain_*/encoder.safetensors"))
    lost.unlink()
    unneeded = run(command, tmp_path)
    assert "5 trials, 5 already finished" in unneeded.stdout
    next(trials.glob("contrastive_unfrozen_*/record.json")).unlink()
    mended = run(command, tmp_path)
    assert mended.returncode == 0, mended.stderr
    assert "5 trials, 3 already finished" in mended.stdout
    assert lost.exists()


@pytest.mark.slow
def test_rows_whose_pretraining_fails_are_left_undone_and_said_to_be(
    command: list[str], tmp_path: Path
) -> None:
    done = run([*command, "trial.pretrain.optimizer.base_lr=1e30"], tmp_path)
    assert done.returncode == 1, done.stderr
    assert "2 trials were not run" in done.stdout
    found = records.read_records(tmp_path / "small")
    assert sorted(record.status for record in found.values()) == ["failed", "finished", "finished"]


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_of_rows_is_planned_as_it_stands(
    name: str,
    transfer_overrides: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A plan takes a step of every kind of pretraining and of every kind of training."""
    monkeypatch.setattr("search.studies.plan._CALIBRATION_S", 0.1)
    overrides = [*transfer_overrides, f"study={name}", f"results={tmp_path}", "plan=true"]
    assert main("transfer", TransferStudyConfig, run_transfer, "", overrides) == 0
    said = capsys.readouterr().out
    assert "to run" in said
    assert not list(tmp_path.iterdir())


def test_the_studies_are_those_that_the_tests_know() -> None:
    assert STUDIES == ["domains", "lowshot", "table2", "table3", "table4", "tables"]


def refusal(overrides: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main("transfer", TransferStudyConfig, run_transfer, "", overrides) == 2
    said = capsys.readouterr().err
    assert said.startswith("refused: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("transfer.evaluate_on=test", "split must be one that has rows"),
        ("trial.pretrain.batch_size=4096", "batch_size x accumulation must be at most"),
        ("trial.pretrain.size_px=512", "size_px must be at most"),
        ("trial.gpus=99", "trial.gpus"),
        ("study=synthetic", "transfer.rows must name at least one group"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_starts(
    override: str,
    expected: str,
    transfer_overrides: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    overrides = [*transfer_overrides, f"results={tmp_path}", "study=table2", override]
    if override.startswith("study="):
        overrides = [*transfer_overrides, f"results={tmp_path}", override]
    assert expected in refusal(overrides, capsys)
    assert not list(tmp_path.iterdir())


def test_a_split_without_labels_is_refused(
    transfer_overrides: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Store, "valid", property(lambda self: np.zeros((len(self), 21), dtype=bool))
    )
    config = compose_config(
        [*transfer_overrides, f"results={tmp_path}", "study=table2"],
        "transfer",
        TransferStudyConfig,
    )
    with pytest.raises(DataError, match="must have labelled joints"):
        run_transfer(config, console=Console(quiet=True))


def test_a_study_does_not_change_its_training_under_one_name(
    transfer_overrides: tuple[str, ...], tmp_path: Path
) -> None:
    def study(*overrides: str) -> StudyDescription:
        config = compose_config([*transfer_overrides, *overrides], "transfer", TransferStudyConfig)
        return StudyDescription(data={"fingerprint": "f"}, config=to_dict(config))

    records.write_json(tmp_path / "study.json", study("study=table2").to_dict())
    check_same_study(tmp_path, study("study=tables"))
    with pytest.raises(ConfigError, match=r"transfer\.finetune\.epochs=2, but now got"):
        check_same_study(tmp_path, study("study=table2", "transfer.finetune.epochs=3"))


def test_a_fit_follows_its_encoder_and_a_lost_encoder_is_pretrained_once_more(
    transfer_overrides: tuple[str, ...], tmp_path: Path
) -> None:
    config = compose_config(
        [*transfer_overrides, f"results={tmp_path}", "study=table2", "study.name=small"],
        "transfer",
        TransferStudyConfig,
    )
    study = transfer_study(config, Console(quiet=True))
    pretraining = study.planned[0]
    dependent = [trial for trial in study.planned if trial.pretraining == pretraining.id]
    first, second = study.stages
    optuna = OptunaMirror("sqlite:///:memory:", "small", study.search)
    session = Session(records={}, optuna=optuna, adopted=[])
    assert [trial.id for trial in first.trials(session)] == [
        trial.id for trial in study.planned if trial.pretraining is None
    ]
    assert list(second.trials(session)) == []
    assert study.outdated({}) == {pretraining.id}
    encoder = tmp_path / "small" / "trials" / pretraining.id / "encoder.safetensors"
    encoder.parent.mkdir(parents=True)
    encoder.touch()
    assert list(second.trials(session)) == dependent
    assert study.outdated({}) == set()
    assert study.remaining({}) == len(study.planned)
    optuna.close()
