import json
from pathlib import Path
from typing import Any

import pytest

from search import records
from search.compose import plain
from search.config import Config
from search.replay import main
from search.trial import TrialJob, run


@pytest.fixture
def recorded(job: TrialJob, small: Config) -> Path:
    """The record of a small trial, in a study that describes its configuration."""
    list(run(job, device="cpu"))
    path = Path(job.directory) / "record.json"
    record = records.read_record(path)
    store = json.loads((Path(small.data.store) / "manifest.json").read_text())
    records.write_json(path, record | {"data": {"fingerprint": store["fingerprint"]}})
    study = {"schema": records.SCHEMA, "config": plain(small)}
    records.write_json(path.parents[2] / "study.json", study)
    return path


def change(path: Path, **changes: Any) -> None:
    records.write_json(path, records.read_record(path) | changes)


def test_a_record_replays_to_the_same_metrics(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(recorded)]) == 0
    assert "the same:" in capsys.readouterr().out


def test_a_metric_that_does_not_come_out_is_said(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = records.read_record(recorded)["metrics"]
    change(recorded, metrics=metrics | {"mpjpe_cm": metrics["mpjpe_cm"] + 1e-9})
    assert main([str(recorded)]) == 1
    said = capsys.readouterr().out
    assert "not the same" in said
    assert said.count("differs") == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "failed"}, "finished"),
        ({"data": {"fingerprint": "0" * 64}}, "restore it"),
        ({"config": {"transfer": {"mode": "frozen"}}}, "run_transfer.py"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    recorded: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], expected: str
) -> None:
    change(recorded, **changes)
    assert main([str(recorded)]) == 2
    assert expected in capsys.readouterr().err


def test_a_missing_record_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "record.json")]) == 2
    assert "record.json" in capsys.readouterr().err
