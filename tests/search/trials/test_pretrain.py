import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handssl import records
from handssl.records import OBJECTIVE
from handssl.training import OptimizerConfig
from search.config.metric import SearchMetric
from search.trials.build_record import record_of
from search.trials.execute import execute
from search.trials.pretrain import PretrainTrial
from search.trials.trial import Job

STUDIED = ("translate", "scale", "color_jitter", "rotate")


def without_times(value: Any) -> Any:
    """A record or a report without what may differ between two runs of the same trial."""
    timed = ("timings_s", "images_per_s", "started_at", "finished_at")
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in timed}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return value


def record_and_rows(job: Job) -> tuple[Any, Any]:
    folder = Path(job.directory)
    rows = records.read_jsonl(folder / "metrics.jsonl")
    return without_times(records.read_record(folder / "record.json").to_dict()), without_times(
        rows
    )


def moved(job: Job, folder: Path) -> Job:
    return dataclasses.replace(job, directory=str(folder))


def test_a_trial_ends_with_a_record_and_leaves_no_checkpoint(job: Job) -> None:
    reports = list(execute(job, device="cpu"))
    assert [report["epoch"] for report in reports] == [1, 2, 2]
    assert [report["done"] for report in reports] == [False, False, True]
    folder = Path(job.directory)
    assert {path.name for path in folder.iterdir()} == {
        "errors.npz",
        "metrics.jsonl",
        "record.json",
    }
    record = records.read_record(folder / "record.json")
    assert record.status == "finished"
    assert record.hash == job.trial.hash
    assert record.metrics[OBJECTIVE] == reports[-1][OBJECTIVE] > 0
    assert [rung.epoch for rung in record.rungs] == [1]
    assert record.rungs[0].metrics.keys() == {OBJECTIVE}
    assert record.steps == record.encoder_steps == 10
    parts = dict(record.timings_s)
    total = parts.pop("total")
    assert sum(parts.values()) == pytest.approx(total)
    assert record.study == "small"
    diagnosed = {f"{kind}/{name}" for kind in ("invariance", "equivariance") for name in STUDIED}
    assert diagnosed | {"rankme"} <= record.metrics.keys()
    assert not diagnosed & reports[-1].keys()
    with np.load(folder / "errors.npz") as file:
        assert np.median(file["error_cm"]) == pytest.approx(record.metrics[OBJECTIVE])
        assert len(file["group"]) == len(file["error_cm"])


def test_what_may_stop_a_trial_is_in_every_report_and_at_every_rung(job: Job) -> None:
    metric = SearchMetric(name="auc_50cm", direction="maximize")
    job = dataclasses.replace(job, metric=metric)
    rung, second, last = execute(job, device="cpu")
    assert [report["epoch"] for report in (rung, second, last)] == [1, 2, 2]
    assert [report["rung"] for report in (rung, second, last)] == [True, False, True]
    assert 0 <= rung["auc_50cm"] <= 1
    record = records.read_record(Path(job.directory) / "record.json")
    assert last["auc_50cm"] == record.metrics["auc_50cm"] != record.metrics[OBJECTIVE]
    rows = records.read_jsonl(Path(job.directory) / "metrics.jsonl")
    for held in (record.rungs, record_of(job, "pruned", rows).rungs):
        assert [(own.epoch, own.metrics["auc_50cm"]) for own in held] == [(1, rung["auc_50cm"])]
        assert held[0].metrics.keys() == {"auc_50cm", OBJECTIVE}


def test_two_runs_of_a_trial_give_the_same_record(job: Job, tmp_path: Path) -> None:
    again = moved(job, tmp_path / "again")
    list(execute(job, device="cpu"))
    list(execute(again, device="cpu"))
    assert record_and_rows(job) == record_and_rows(again)


@pytest.mark.parametrize("reports", [1, 2])
def test_an_abandoned_trial_continues_to_the_same_record(
    job: Job, tmp_path: Path, reports: int
) -> None:
    cut = moved(job, tmp_path / "cut")
    list(execute(job, device="cpu"))
    abandoned = execute(cut, device="cpu")
    for _ in range(reports):
        next(abandoned)
    del abandoned
    assert (tmp_path / "cut" / "checkpoint.pt").exists()
    assert [report["epoch"] for report in execute(cut, device="cpu")] == [
        *range(reports + 1, 3),
        2,
    ]
    assert record_and_rows(job) == record_and_rows(cut)


@pytest.mark.slow
def test_reports_after_the_last_checkpoint_are_repeated_not_doubled(
    job: Job, tmp_path: Path
) -> None:
    list(execute(job, device="cpu"))
    cut = moved(job, tmp_path / "cut")
    next(execute(cut, device="cpu"))
    log = tmp_path / "cut" / "metrics.jsonl"
    records.append_jsonl(log, {"epoch": 2, "loss": -1.0})
    with log.open("a") as file:
        file.write('{"epoch": 2, "lo')
    list(execute(cut, device="cpu"))
    assert record_and_rows(job) == record_and_rows(cut)


def test_an_epoch_that_was_saved_but_not_reported_is_reported_on_resuming(
    job: Job, tmp_path: Path
) -> None:
    # Killed after the checkpoint of epoch 1, a rung, and before its row.
    list(execute(job, device="cpu"))
    cut = moved(job, tmp_path / "cut")
    next(execute(cut, device="cpu"))
    (tmp_path / "cut" / "metrics.jsonl").unlink()
    resumed = list(execute(cut, device="cpu"))
    assert [report["epoch"] for report in resumed] == [1, 2, 2]
    assert OBJECTIVE in resumed[0]
    assert record_and_rows(job) == record_and_rows(cut)


def test_a_trial_whose_record_is_there_is_not_run_again(job: Job) -> None:
    *_, last = execute(job, device="cpu")
    files = {path: path.stat().st_mtime_ns for path in Path(job.directory).iterdir()}
    assert list(execute(job, device="cpu")) == [last]
    assert {path: path.stat().st_mtime_ns for path in Path(job.directory).iterdir()} == files


def test_the_record_takes_away_what_a_killed_worker_left_half_written(job: Job) -> None:
    folder = Path(job.directory)
    folder.mkdir(parents=True)
    (folder / ".x1y2.partial.checkpoint.pt").write_bytes(b"half")
    list(execute(job, device="cpu"))
    assert not list(folder.glob(".*"))


def test_a_loss_that_is_not_finite_is_the_trials_result(job: Job, trial: PretrainTrial) -> None:
    hot = OptimizerConfig(name="adam", base_lr=1e30, warmup_epochs=0.0)
    pretrain = dataclasses.replace(trial.pretrain, optimizer=hot)
    job = dataclasses.replace(job, trial=dataclasses.replace(trial, pretrain=pretrain))
    last = list(execute(job, device="cpu"))[-1]
    assert last["done"]
    assert last["status"] == "failed"
    record = records.read_record(Path(job.directory) / "record.json")
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.type == "NonFiniteLossError"
    assert "step=" in record.error.message
    assert record.error.details["step"] > 0
    assert record.error.details["last_finite_loss"] > 0
    assert {"encoder.layer1", "objective"} <= record.error.details["parameter_norms"].keys()
    assert "Traceback" in str(record.error.traceback)


def test_a_traceback_as_text_is_taken_apart(job: Job) -> None:
    error = "Traceback (most recent call last):\n  ...\nValueError: no: way\n"
    record = record_of(job, "failed", [], error=error)
    assert record.error == records.Failure(type="ValueError", message="no: way", traceback=error)
    assert record.timings_s["total"] == 0
    json.dumps(record.to_dict())


def test_prose_in_place_of_a_traceback_is_the_message(job: Job) -> None:
    prose = "The actor died.\n\tpid: 7\nThe worker has died. Exit type: SYSTEM_ERROR: no"
    error = record_of(job, "failed", [], error=prose).error
    assert error is not None
    assert error.type == "unknown"
    assert error.message == "The worker has died. Exit type: SYSTEM_ERROR: no"
    assert error.traceback == prose
