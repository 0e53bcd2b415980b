"""The whole main job at its smallest fidelity, in processes of its own, as a user starts it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from handssl import records
from tests.search.running import (
    assert_all_end,
    assert_complete,
    assert_same_outcome,
    await_that,
    children,
    interrupt,
    run_grid,
    started,
    table,
    trial_workers,
)


def test_a_study_leaves_records_tables_tensorboard_and_an_optuna_study(undisturbed: Path) -> None:
    folder = undisturbed / "small"
    found = records.read_records(folder)
    assert len(found) == 6
    assert {record.status for record in found.values()} == {"finished"}
    assert [row["trial"] for row in table(undisturbed)] == sorted(found)
    plan = records.read_description(folder).plan
    assert {row["trial"] for row in plan} == set(found)
    study = optuna.load_study(study_name="small", storage=f"sqlite:///{folder}/optuna.db")
    assert sorted(t.user_attrs["trial"] for t in study.trials) == sorted(found)
    assert all(t.state.name == "COMPLETE" for t in study.trials)
    for trial in found:
        events = EventAccumulator(str(folder / "tensorboard" / trial)).Reload()
        assert [e.step for e in events.Scalars("pretrain/loss")] == [5, 10]
        # Four images at 32 px, and a pair of views below each.
        [views] = events.Images("views")
        assert (views.width, views.height) == (4 * 32, 3 * 32)
        assert (folder / "tensorboard" / trial / "hparams").is_dir()
    assert not (folder / "ray").exists()
    assert not list(folder.rglob("checkpoint.pt"))


def test_running_it_again_runs_nothing(base: list[str], undisturbed: Path) -> None:
    before = {p: p.read_bytes() for p in (undisturbed / "small" / "trials").rglob("record.json")}
    done = run_grid(base, undisturbed)
    assert done.returncode == 0, done.stderr
    assert "6 trials, 6 already finished" in done.stdout
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.slow
def test_a_study_killed_in_the_middle_ends_with_the_same_table(
    base: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    trials = tmp_path / "small" / "trials"
    with started(base, tmp_path) as process:
        await_that(
            process,
            lambda: list(trials.glob("*/record.json")) and list(trials.glob("*/checkpoint.pt")),
        )
        processes = children(process)
        process.kill()
    assert_all_end(processes)
    finished = len(list(trials.glob("*/record.json")))
    assert finished < 6

    done = run_grid(base, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{finished} already finished" in done.stdout
    assert_complete(tmp_path, trials=6)
    assert_same_outcome(tmp_path, undisturbed)


@pytest.mark.slow
def test_ctrl_c_ends_in_order_twice_at_once_and_both_can_be_continued(
    base: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    with started(base, tmp_path) as process:
        await_that(process, lambda: list(tmp_path.glob("small/trials/*/record.json")))
        interrupt(process)
        out, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "run the same command again to continue" in out
    assert not (tmp_path / "small" / "ray").exists()
    assert 1 <= len(table(tmp_path)) < 6
    assert len(table(tmp_path)) == len(records.read_records(tmp_path / "small"))

    with started(base, tmp_path) as process:
        await_that(process, lambda: list(tmp_path.glob("small/ray")))
        processes = children(process)
        interrupt(process)
        time.sleep(0.1)
        while process.poll() is None:  # Python may lose one, inside a destructor
            interrupt(process)
            time.sleep(2)
        out, errors = process.communicate(timeout=60)
    # One that comes while Python winds down ends it by the signal, which shells call 130 too.
    assert process.returncode in (130, -signal.SIGINT), (out, errors)
    assert "run the same command again to continue" in out + errors
    assert "Traceback" not in out + errors
    assert_all_end(processes)

    done = run_grid(base, tmp_path)
    assert done.returncode == 0, done.stderr
    assert_complete(tmp_path, trials=6)
    assert_same_outcome(tmp_path, undisturbed)


@pytest.mark.slow
def test_a_trial_whose_worker_is_killed_continues_to_the_same_record(
    base: list[str], tmp_path: Path
) -> None:
    # Many epochs: there is time to kill the worker between the first checkpoint and the record.
    long = [*base, "search.augmentations=[rotate]", "search.concurrent=1", "study.epochs=40"]
    (tmp_path / "killed").mkdir()
    (tmp_path / "not").mkdir()
    with started(long, tmp_path / "killed") as process:
        checkpoints = (tmp_path / "killed").glob
        await_that(process, lambda: list(checkpoints("small/trials/*/checkpoint.pt")))
        await_that(process, lambda: trial_workers(process))[0].kill()
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    done = run_grid(long, tmp_path / "not")
    assert done.returncode == 0, done.stderr
    assert len(table(tmp_path / "killed")) == 2
    assert table(tmp_path / "killed") == table(tmp_path / "not")


@pytest.mark.slow
def test_two_workers_under_ray_train_give_the_loss_curve_of_one_actor(
    base: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    overrides = [
        "search.augmentations=[rotate]",
        "cluster.cpus=2",
        "cluster.dashboard=true",
        "trial.workers=2",
    ]
    done = run_grid(base, tmp_path, *overrides)
    assert done.returncode == 0, done.stderr
    both = records.read_records(tmp_path / "small")
    assert len(both) == 2
    for trial, record in both.items():
        assert record.status == "finished"
        curve, single = (
            [
                loss
                for row in records.read_jsonl(results / "small/trials" / trial / "metrics.jsonl")
                for loss in row["losses"]
            ]
            for results in (tmp_path, undisturbed)
        )
        # The same to rounding at first; from then on every step multiplies the rounding.
        assert curve[0] == pytest.approx(single[0], rel=1e-5)
        assert curve[1] == pytest.approx(single[1], rel=1e-3)
        assert curve == pytest.approx(single, rel=1e-2)


@pytest.mark.slow
def test_a_diverging_trial_fails_with_its_circumstances_while_asymmetric_others_go_on(
    base: list[str], tmp_path: Path
) -> None:
    hot = "{name: adam, base_lr: 1e30, warmup_epochs: 0}"
    done = run_grid(
        base,
        tmp_path,
        "search.augmentations=[rotate]",
        "search.second_view=translate",
        f"+search.objectives.hot={{name: contrastive, pretrain: {{optimizer: {hot}}}}}",
    )
    assert done.returncode == 1, done.stderr
    assert "1 of 3 trials failed" in done.stdout
    by_label = {r.objective: r for r in records.read_records(tmp_path / "small").values()}
    assert {label: record.status for label, record in by_label.items()} == {
        "relative": "finished",
        "contrastive": "finished",
        "hot": "failed",
    }
    error = by_label["hot"].error
    assert error is not None
    assert error.type == "NonFiniteLossError"
    assert error.details["step"] > 0
    assert error.details["last_finite_loss"] > 0
    assert "encoder.layer1" in error.details["parameter_norms"]
    assert {record.composition for record in by_label.values()} == {"Ro/T"}
    folder = tmp_path / "small" / "trials" / by_label["relative"].trial
    terms = records.read_jsonl(folder / "metrics.jsonl")[-1]["terms"]
    # One view is turned, the other shifted: each is told from the other's neutral parameters.
    assert {"error/rotate_deg", "error/translate_frac"} <= terms.keys()


SAMPLED = (
    "search=tpe",
    "search.trials=5",
    "study.epochs=3",
    "search.early_stopping.reduction=2",
    "search.second_stage.top_k=1",
)
"""A search that stops early and runs the best again."""


@pytest.mark.slow
def test_a_sampled_search_stops_early_and_runs_the_best_again(
    base: list[str], tmp_path: Path
) -> None:
    overrides = [*SAMPLED, "search.second_stage.seeds=2"]
    done = run_grid(base, tmp_path, *overrides)
    assert done.returncode == 0, done.stderr
    found = records.read_records(tmp_path / "small")
    first = [record for record in found.values() if record.stage == 1]
    second = [record for record in found.values() if record.stage == 2]
    assert len(first) == 5
    assert len(second) == 2
    for record in first:
        rungs = [rung.epoch for rung in record.rungs]
        assert record.status in ("finished", "pruned")
        assert rungs == ([1, 2] if record.status == "finished" else [1, 2][: record.epochs])
    best = min(
        (r for r in first if r.status == "finished"),
        key=lambda r: r.metrics["ra_median_pje_cm"] or 0.0,
    )
    for record in second:
        assert record.status == "finished"
        assert dict(record.point) | {"repeat": 0} == dict(best.point) | {"repeat": 0}
    stored = optuna.load_study(
        study_name="small", storage=f"sqlite:///{tmp_path}/small/optuna.db"
    ).trials
    states = {"finished": "COMPLETE", "pruned": "PRUNED"}
    assert {t.user_attrs["trial"]: t.state.name for t in stored if "trial" in t.user_attrs} == {
        trial: states[record.status] for trial, record in found.items()
    }

    again = run_grid(base, tmp_path, *overrides)
    assert again.returncode == 0, again.stderr
    assert records.read_records(tmp_path / "small") == found


@pytest.mark.long
def test_a_search_that_maximises_runs_the_largest_again_and_keeps_its_metric(
    base: list[str], tmp_path: Path
) -> None:
    overrides = [*SAMPLED, "search.second_stage.seeds=1"]
    largest = "search.metric={name: auc_50cm, direction: maximize}"
    done = run_grid(base, tmp_path, *overrides, largest)
    assert done.returncode == 0, done.stderr
    found = records.read_records(tmp_path / "small")
    first = [record for record in found.values() if record.stage == 1]
    (second,) = [record for record in found.values() if record.stage == 2]
    assert all("auc_50cm" in rung.metrics for record in first for rung in record.rungs)
    best = max(
        (r for r in first if r.status == "finished"), key=lambda r: r.metrics["auc_50cm"] or 0.0
    )
    assert dict(second.point) | {"repeat": 0} == dict(best.point) | {"repeat": 0}
    told = optuna.load_study(study_name="small", storage=f"sqlite:///{tmp_path}/small/optuna.db")
    assert told.direction.name == "MAXIMIZE"
    for trial in told.trials:
        record = found[trial.user_attrs["trial"]]
        if record.status == "finished":
            assert trial.value == record.metrics["auc_50cm"]
        rungs = {rung.epoch: rung.metrics["auc_50cm"] for rung in record.rungs}
        assert trial.intermediate_values == rungs
    events = EventAccumulator(str(tmp_path / "small" / "tensorboard" / best.trial)).Reload()
    assert [e.value for e in events.Scalars("probe/auc_50cm")] == pytest.approx(
        [rung.metrics["auc_50cm"] for rung in best.rungs]
    )

    other = run_grid(base, tmp_path, *overrides)
    assert other.returncode == 2
    assert "search.metric.name=auc_50cm, but now got search.metric.name=ra_median" in other.stderr


def test_the_analysis_reads_what_the_search_wrote(undisturbed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "analysis", str(undisturbed / "small")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (undisturbed / "small" / "analysis" / "report.html").stat().st_size > 10_000
