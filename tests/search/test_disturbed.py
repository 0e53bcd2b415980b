"""What may happen to a study, in short; the long form is in `tests/chaos`."""

import time
from pathlib import Path

import pytest

from handssl import records
from tests.search.disk import fill, small_disk
from tests.search.running import (
    assert_complete,
    assert_same_outcome,
    await_that,
    run_grid,
    started,
    stored,
    trial_workers,
)

pytestmark = pytest.mark.slow


def failure(record: records.Record) -> records.Failure:
    assert record.error is not None
    return record.error


def test_a_full_disk_stops_the_study_in_one_line_and_it_goes_on_once_there_is_space(
    base: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", megabytes=1500) as disk:
        with started(base, disk) as process:
            await_that(process, lambda: list(disk.glob("small/trials/*/record.json")))
            while process.poll() is None:  # what it deletes is taken from it as well
                fill(disk)
                time.sleep(0.02)
            out, errors = process.communicate(timeout=60)
        assert process.returncode == 1, (out, errors)
        last = out.splitlines()[-1]
        assert last.startswith("stopped by "), (out, errors)
        assert "No space left" in last or "full" in last
        assert "run the same command again" in last
        assert "Traceback" not in out + errors
        found = records.read_records(disk / "small")
        assert {record.status for record in found.values()} == {"finished"}
        assert {path.name for path in (disk / "small").rglob(".*")} <= {".lock"}

        (disk / "ballast").unlink()
        done = run_grid(base, disk)
        assert done.returncode == 0, done.stderr
        assert_complete(disk, trials=6)
        assert_same_outcome(disk, undisturbed)


def test_a_study_on_a_disk_that_is_full_from_the_start_is_refused(
    base: list[str], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        fill(disk)
        done = run_grid(base, disk)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith(f"refused: results={disk} has ")
        assert len(done.stderr.splitlines()) == 1
        assert not (disk / "small").exists()


@pytest.mark.long
def test_trials_that_fail_for_good_are_recorded_and_the_others_go_on(
    base: list[str], tmp_path: Path
) -> None:
    overrides = [
        "search.augmentations=[rotate]",
        "+search.space={optimizer.base_lr: {choices: [1e-4, 1e30]}}",
        "trial.pretrain.optimizer.name=adam",
        "trial.pretrain.optimizer.warmup_epochs=0",
        "search.concurrent=1",
        "search.retries=1",
        "study.epochs=20",
        "trial.pretrain.checkpoint_every=5",
    ]
    killed: set[int] = set()
    with started(base, tmp_path, *overrides) as process:
        for _ in range(2):  # the first try and its only repetition
            await_that(process, lambda: list(tmp_path.glob("small/trials/*/checkpoint.pt")))
            worker = await_that(
                process, lambda: [w for w in trial_workers(process) if w.pid not in killed]
            )[0]
            killed.add(worker.pid)
            worker.kill()
        out, errors = process.communicate(timeout=300)
    assert process.returncode == 1, (out, errors)
    assert "3 of 4 trials failed" in out.splitlines()[-1]
    assert out.splitlines()[-1].endswith("run the same command again to try again")
    assert "Traceback" not in out + errors
    assert_complete(tmp_path, trials=4)
    found = records.read_records(tmp_path / "small")
    lost, *diverged = sorted(
        (record for record in found.values() if record.status == "failed"),
        key=lambda record: failure(record).type == "NonFiniteLossError",
    )
    assert "died" in str(failure(lost).traceback)
    assert {failure(record).type for record in diverged} == {"NonFiniteLossError"}
    assert all("Traceback" in str(failure(record).traceback) for record in diverged)
    assert sorted(trial.state.name for trial in stored(tmp_path)) == ["COMPLETE", *["FAIL"] * 3]

    # What another try may mend is tried again, from its checkpoint; what is a result is not.
    done = run_grid(base, tmp_path, *overrides)
    assert done.returncode == 1, done.stderr
    assert "2 of 4 trials failed" in done.stdout.splitlines()[-1]
    assert "again" not in done.stdout.splitlines()[-1]
    assert_complete(tmp_path, trials=4)
    again = records.read_records(tmp_path / "small")
    assert again[lost.trial].status == "finished"
    assert {t: r for t, r in again.items() if t != lost.trial} == {
        t: r for t, r in found.items() if t != lost.trial
    }
