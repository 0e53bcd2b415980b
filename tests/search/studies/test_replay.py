import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analysis import read_study
from analysis.compact import write_compact
from handssl import records
from search.config.schema import Config
from search.config.typed import to_dict
from search.studies.replay import main
from search.trials.build_record import record_of
from search.trials.execute import execute
from search.trials.pretrain import PretrainTrial
from search.trials.trial import Job, Outcome

ROOT = Path(__file__).parents[2]


@pytest.fixture
def written(job: Job, small: Config) -> Path:
    """A record of a small trial that has not been run, in a study that describes it."""
    store = json.loads((Path(small.data.store) / "manifest.json").read_text())
    record = record_of(job, "finished", [], outcome=Outcome(metrics={"mpjpe_cm": 1.0}))
    path = Path(job.directory) / "record.json"
    records.write_json(path, record.to_dict() | {"data": {"fingerprint": store["fingerprint"]}})
    study = {"schema": records.SCHEMA, "config": to_dict(small)}
    records.write_json(path.parents[2] / "study.json", study)
    return path


@pytest.fixture
def recorded(job: Job, trial: PretrainTrial, written: Path) -> Path:
    """The same of one that was run, with all images and a magnitude of its own.

    In its configuration are so a null, and a key with a dot.
    """
    data = records.read_record(written).data
    written.unlink()
    pretrain = dataclasses.replace(trial.pretrain, magnitudes={"rotate.max_deg": 30.0})
    images = dataclasses.replace(trial.images, count=None)
    trial = dataclasses.replace(trial, pretrain=pretrain, images=images)
    list(execute(dataclasses.replace(job, trial=trial), device="cpu"))
    change(written, data=data)
    return written


def change(path: Path, **changes: Any) -> None:
    records.write_json(path, records.read_record(path).to_dict() | changes)


def test_a_record_replays_to_the_same_metrics(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(recorded)]) == 0
    assert "the same:" in capsys.readouterr().out


def test_the_compact_form_replays_to_the_same_metrics_and_says_which_do_not(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = records.read_record(recorded)
    other = recorded.parent.with_name("other") / "record.json"
    metrics = {**record.metrics, "mpjpe_cm": (record.metrics["mpjpe_cm"] or 0) + 1e-9}
    changed = record.to_dict() | {
        "trial": "other",
        "hash": "other",
        "seed": record.seed,
        "repeat": 1,
    }
    records.write_json(other, changed | {"metrics": metrics})
    write_compact(read_study(str(recorded.parents[2])), tmp_path / "docs" / "study")
    shutil.rmtree(tmp_path / "trials")
    place = str(tmp_path / "docs" / "study")
    assert main([place, "--sample", "2"]) == 1
    said = capsys.readouterr().out
    assert f"the same: {record.trial}" in said
    assert "not the same: other" in said
    assert "1 of 2 are the same" in said
    assert main([place]) == 2
    assert "must be chosen" in capsys.readouterr().err


@pytest.mark.long
def test_a_published_study_replays_and_is_analysed_without_its_results(
    undisturbed: Path, tmp_path: Path
) -> None:
    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    published, out = f"{tmp_path}/docs/study", f"{tmp_path}/out"
    shutil.copytree(undisturbed / "small", tmp_path / "small")
    command("-m", "analysis", f"{tmp_path}/small", "--compact", published)
    shutil.rmtree(tmp_path / "small")
    said = command("search/replay.py", published, "--sample", "3", "--seed", "1")
    assert "3 of 3 are the same" in said
    assert f"{out}/report.html" in command("-m", "analysis", published, "--out", out)


def test_a_metric_that_does_not_come_out_is_said(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = records.read_record(recorded).metrics
    change(recorded, metrics={**metrics, "mpjpe_cm": (metrics["mpjpe_cm"] or 0) + 1e-9})
    assert main([str(recorded)]) == 1
    said = capsys.readouterr().out
    assert "not the same" in said
    assert said.count("differs") == 1


def test_other_data_is_used_where_that_is_asked_for(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(recorded, data={"fingerprint": "0" * 64})
    assert main([str(recorded)]) == 2
    assert "--other-data" in capsys.readouterr().err
    assert main([str(recorded), "--other-data"]) == 0
    said = capsys.readouterr().out
    assert "not that of the record (fingerprint 000000000000)" in said
    assert "the same" in said


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "failed"}, "finished"),
        ({"data": {"fingerprint": "0" * 64}}, "restore it"),
        ({"transfer": {"mode": "frozen"}}, "run_transfer.py"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    written: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], expected: str
) -> None:
    change(written, **changes)
    assert main([str(written)]) == 2
    assert expected in capsys.readouterr().err


def test_a_missing_record_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in (tmp_path / "record.json", tmp_path / "trials" / "t" / "record.json", tmp_path):
        assert main([str(place)]) == 2
        said = capsys.readouterr().err
        assert str(place) in said
        assert said.count("\n") == 1


def test_data_that_lies_elsewhere_now_is_taken_from_there(
    written: Path, tmp_path: Path, small: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    study = records.read_description(written.parents[2]).to_dict()
    study["config"]["data"] |= {"root": f"{tmp_path}/gone", "store": f"{tmp_path}/gone/store"}
    records.write_json(written.parents[2] / "study.json", study)
    change(written, data={"fingerprint": "0" * 64})
    assert main([str(written), "--root", small.data.root, "--store", small.data.store]) == 2
    assert f"{small.data.store} has" in capsys.readouterr().err
    assert not (tmp_path / "gone").exists()
