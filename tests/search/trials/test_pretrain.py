import dataclasses
from pathlib import Path

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
from tests.search.running import record_and_rows

STUDIED = ("translate", "scale", "color_jitter", "rotate")


def test_a_trial_ends_with_a_record_and_leaves_no_checkpoint(job: Job) -> None:
    reports = list(execute(job, device="cpu"))
    assert [report["epoch"] for report in reports] == [1, 2, 2]
    assert [report["done"] for report in reports] == [False, False, True]
    folder = Path(job.directory)
    files = {path.name for path in folder.iterdir()}
    assert files == {"errors.npz", "metrics.jsonl", "record.json"}
    record = records.read_record(folder / "record.json")
    assert record.status == "finished"
    assert record.hash == job.trial.hash
    name = "ra_median_pje_cm"
    assert record.metrics[name] == reports[-1][name] > 0
    assert [rung.epoch for rung in record.rungs] == [1]
    assert record.rungs[0].metrics.keys() == {OBJECTIVE, name}
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
        assert np.median(file["ra_error_cm"]) == pytest.approx(record.metrics[name])
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
    for (only,) in (record.rungs, record_of(job, "pruned", rows).rungs):
        assert (only.epoch, only.metrics["auc_50cm"]) == (1, rung["auc_50cm"])
        assert only.metrics.keys() == {"auc_50cm", OBJECTIVE}


def test_two_runs_of_a_trial_give_the_same_record(job: Job, tmp_path: Path) -> None:
    again = dataclasses.replace(job, directory=str(tmp_path / "again"))
    list(execute(job, device="cpu"))
    list(execute(again, device="cpu"))
    assert record_and_rows(Path(job.directory)) == record_and_rows(tmp_path / "again")


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
