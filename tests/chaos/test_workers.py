"""Workers die; the driver lives."""

import random
import time
from pathlib import Path

import psutil
import pytest

from handssl import records
from tests.search.running import (
    assert_all_end,
    assert_complete,
    assert_same_outcome,
    await_that,
    children,
    curves,
    named,
    run_grid,
    started,
    trial_workers,
)

pytestmark = pytest.mark.long

TWO_WORKERS = (
    "search.augmentations=[rotate]",
    "cluster.cpus=2",
    "cluster.dashboard=true",
    "trial.workers=2",
)


def train_workers(processes: list[psutil.Process]) -> list[psutil.Process]:
    """The workers of Ray Train; the controller's own processes have other names."""
    return [child for child in processes if named([child], "TrainWorker")]


def test_workers_killed_at_random_change_nothing(
    base: list[str], undisturbed: Path, tmp_path: Path, chance: random.Random
) -> None:
    with started(base, tmp_path, "search.retries=20") as process:
        await_that(process, lambda: list(tmp_path.glob("small/trials/*/checkpoint.pt")))
        kills = 0
        while process.poll() is None and kills < 6:
            workers = trial_workers(process)
            if workers:
                chance.choice(workers).kill()
                kills += 1
            time.sleep(chance.uniform(1.0, 6.0))
        processes = children(process)
        out, errors = process.communicate(timeout=600)
    assert process.returncode == 0, (out, errors)
    assert kills > 0
    assert_all_end(processes)
    assert_complete(tmp_path, trials=6)
    assert_same_outcome(tmp_path, undisturbed)


def losses(results: Path) -> dict[str, list[float]]:
    return {
        trial: [loss for row in rows for loss in row["losses"]]
        for trial, rows in curves(results).items()
    }


def test_a_train_worker_killed_in_mid_epoch_continues_from_the_last_checkpoint(
    base: list[str], tmp_path: Path
) -> None:
    base = [*base, *TWO_WORKERS, "study.epochs=8", "trial.pretrain.size_px=64"]
    base.append("~search.objectives.relative")
    hit, whole = tmp_path / "hit", tmp_path / "whole"
    hit.mkdir()
    whole.mkdir()
    with started(base, hit) as process:
        log = "small/trials/*/metrics.jsonl"

        def rows() -> int:
            return sum(len(path.read_text().splitlines()) for path in hit.glob(log))

        await_that(process, lambda: rows() == 2)
        time.sleep(0.2)  # an epoch takes longer
        two = train_workers(children(process))
        assert len(two) == 2
        two[1].kill()
        at = rows()
        out, errors = process.communicate(timeout=600)
    assert at < 8
    assert process.returncode == 0, (out, errors)
    assert_complete(hit, trials=1)
    done = run_grid(base, whole)
    assert done.returncode == 0, done.stderr
    assert losses(hit) == losses(whole)


def test_a_train_worker_killed_at_every_try_fails_its_trial_and_the_others_go_on(
    base: list[str], tmp_path: Path
) -> None:
    overrides = [*TWO_WORKERS, "search.retries=1", "search.concurrent=1", "study.epochs=20"]
    seen: set[int] = set()
    moment = 0.0
    with started(base, tmp_path, *overrides) as process:

        def at_work() -> list[psutil.Process]:
            """Workers of another try, once it has trained an epoch."""
            saved = [
                path.stat().st_mtime for path in tmp_path.glob("small/trials/*/checkpoint.pt")
            ]
            others = [w for w in train_workers(children(process)) if w.pid not in seen]
            return others if max(saved, default=0.0) > moment else []

        for _ in range(2):
            workers = await_that(process, at_work)
            workers[0].kill()
            seen |= {worker.pid for worker in workers}
            moment = time.time()
        out, errors = process.communicate(timeout=600)
    assert process.returncode == 1, (out, errors)
    assert "1 of 2 trials failed" in out.splitlines()[-1]
    assert_complete(tmp_path, trials=2)
    found = records.read_records(tmp_path / "small").values()
    assert sorted(record.status for record in found) == ["failed", "finished"]
