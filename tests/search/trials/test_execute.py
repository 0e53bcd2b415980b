import dataclasses
from pathlib import Path

import pytest

from handssl import records
from handssl.records import OBJECTIVE
from search.trials.execute import execute
from search.trials.trial import Job
from tests.search.running import record_and_rows


@pytest.fixture
def cut(job: Job, tmp_path: Path) -> Job:
    """The same trial in another folder; the first has its record already."""
    list(execute(job, device="cpu"))
    return dataclasses.replace(job, directory=str(tmp_path / "cut"))


@pytest.mark.parametrize("reports", [1, 2])
def test_an_abandoned_trial_continues_to_the_same_record(
    job: Job, cut: Job, tmp_path: Path, reports: int
) -> None:
    abandoned = execute(cut, device="cpu")
    for _ in range(reports):
        next(abandoned)
    del abandoned
    assert (tmp_path / "cut" / "checkpoint.pt").exists()
    epochs = [report["epoch"] for report in execute(cut, device="cpu")]
    assert epochs == [*range(reports + 1, 3), 2]
    assert record_and_rows(Path(job.directory)) == record_and_rows(tmp_path / "cut")


@pytest.mark.slow
def test_reports_after_the_last_checkpoint_are_repeated_not_doubled(
    job: Job, cut: Job, tmp_path: Path
) -> None:
    next(execute(cut, device="cpu"))
    log = tmp_path / "cut" / "metrics.jsonl"
    records.append_jsonl(log, {"epoch": 2, "loss": -1.0})
    with log.open("a") as file:
        file.write('{"epoch": 2, "lo')
    list(execute(cut, device="cpu"))
    assert record_and_rows(Path(job.directory)) == record_and_rows(tmp_path / "cut")


def test_an_epoch_that_was_saved_but_not_reported_is_reported_on_resuming(
    job: Job, cut: Job, tmp_path: Path
) -> None:
    # Killed after the checkpoint of epoch 1, a rung, and before its row.
    next(execute(cut, device="cpu"))
    (tmp_path / "cut" / "metrics.jsonl").unlink()
    resumed = list(execute(cut, device="cpu"))
    assert [report["epoch"] for report in resumed] == [1, 2, 2]
    assert OBJECTIVE in resumed[0]
    assert record_and_rows(Path(job.directory)) == record_and_rows(tmp_path / "cut")


def test_a_trial_whose_record_is_there_is_not_run_again(job: Job) -> None:
    *_, last = execute(job, device="cpu")
    times = [path.stat().st_mtime_ns for path in sorted(Path(job.directory).iterdir())]
    assert list(execute(job, device="cpu")) == [last]
    assert [path.stat().st_mtime_ns for path in sorted(Path(job.directory).iterdir())] == times
