import dataclasses
import threading
import time
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from optuna.trial import TrialState

from handssl.errors import ConfigError
from handssl.records import Record, Rung, Status
from search.config.metric import SearchMetric
from search.config.schema import Config
from search.config.search import SearchConfig
from search.config.typed import to_dict
from search.observers.optuna_study import OptunaMirror, without_password
from search.space.point import Point
from search.space.sample import sample_point
from search.trials.pretrain import PretrainTrial
from search.trials.trial import Trial

SEARCH = SearchConfig(augmentations=("translate", "rotate"))
LARGEST = dataclasses.replace(
    SEARCH, metric=SearchMetric(name="auc_50cm", direction="maximize"), rungs=(1,)
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/optuna.db"


def record_of(trial: Trial, status: Status = "finished", value: float = 3.0) -> Record:
    return Record(
        kind="pretrain",
        trial=trial.id,
        hash=trial.hash,
        seed=trial.seed,
        objective=trial.point.objective,
        composition=trial.point.composition,
        point=to_dict(trial.point),
        status=status,
        stage=trial.stage,
        metrics={"ra_median_pje_cm": value} if status == "finished" else {},
        rungs=(Rung(epoch=1, step=5, metrics={"ra_median_pje_cm": 9.0}),),
        encoder_steps=10,
    )


def synced(url: str, search: SearchConfig, *records: Record) -> list[optuna.trial.FrozenTrial]:
    """What is stored once a session has read these records."""
    view = OptunaMirror(url, "s", search)
    view.sync({record.trial: record for record in records})
    view.close()
    return stored(url)


def states(trials: list[optuna.trial.FrozenTrial]) -> list[str]:
    return [trial.state.name for trial in trials]


def stored(url: str) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="s", storage=url).trials


def test_a_trial_is_seen_running_then_as_its_record_says(
    url: str, small_trials: list[PretrainTrial]
) -> None:
    view = OptunaMirror(url, "s", SEARCH)
    names: dict[Status, str] = {"finished": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    for trial, (status, state) in zip(small_trials, names.items(), strict=False):
        view.mark_running(trial)
        assert stored(url)[-1].state is TrialState.RUNNING
        view.report(trial, 1, 9.0)
        view.finish(record_of(trial, status))
        assert stored(url)[-1].state.name == state
        assert stored(url)[-1].intermediate_values == {1: 9.0}
    first = stored(url)[0]
    assert first.value == 3.0
    assert first.params == {
        "objective": small_trials[0].point.objective,
        "translate": "T" in small_trials[0].point.composition,
    }
    assert first.user_attrs["trial"] == small_trials[0].id


def test_what_a_killed_driver_left_running_is_adopted_or_told(
    url: str, small_trials: list[PretrainTrial]
) -> None:
    unfinished, recorded, never_seen = small_trials[:3]
    killed = OptunaMirror(url, "s", SEARCH)
    for trial in (unfinished, recorded):
        killed.mark_running(trial)
    killed.report(unfinished, 1, 9.0)
    killed.ask()  # killed between asking and beginning

    view = OptunaMirror(url, "s", SEARCH)
    records = {t.id: record_of(t) for t in (recorded, never_seen)}
    assert view.sync(records) == [unfinished.point]
    view.mark_running(unfinished)
    view.report(unfinished, 1, 9.0)
    view.finish(record_of(unfinished))
    assert view.sync(records | {unfinished.id: record_of(unfinished)}) == []

    assert {trial.user_attrs.get("trial"): trial.state for trial in stored(url)} == {
        unfinished.id: TrialState.COMPLETE,
        recorded.id: TrialState.COMPLETE,
        never_seen.id: TrialState.COMPLETE,
        None: TrialState.FAIL,
    }
    assert len(stored(url)) == 4


def test_a_lost_database_is_rebuilt_from_the_records(
    url: str, small_trials: list[PretrainTrial]
) -> None:
    statuses: tuple[Status, ...] = ("finished", "pruned", "failed")
    trials = synced(url, SEARCH, *map(record_of, small_trials, statuses))
    assert states(trials) == ["COMPLETE", "PRUNED", "FAIL"]
    assert all(trial.intermediate_values == {1: 9.0} for trial in trials)


def test_a_result_whose_record_was_deleted_is_forgotten(
    url: str, small_trials: list[PretrainTrial]
) -> None:
    deleted, kept = map(record_of, small_trials[:2])
    assert len(synced(url, SEARCH, deleted, kept)) == 2
    assert [trial.user_attrs["trial"] for trial in synced(url, SEARCH, kept)] == [kept.trial]


def test_a_trial_that_failed_and_was_tried_again_shows_as_it_ended(
    url: str, small_trials: list[PretrainTrial]
) -> None:
    synced(url, SEARCH, record_of(small_trials[0], "failed"))
    assert states(synced(url, SEARCH, record_of(small_trials[0]))) == ["FAIL", "COMPLETE"]


def test_only_points_of_the_first_stage_are_adopted_as_choices(
    url: str, small: Config, small_trials: list[PretrainTrial]
) -> None:
    again = dataclasses.replace(small_trials[0], stage=2)
    killed = OptunaMirror(url, "s", SEARCH)
    killed.mark_running(small_trials[1])
    killed.mark_running(again)
    assert OptunaMirror(url, "s", SEARCH).sync({}) == [small_trials[1].point]


def test_a_sampler_that_starts_again_does_not_repeat_its_first_choices(url: str) -> None:
    random = SearchConfig(kind="random", augmentations=SEARCH.augmentations)

    def points(count: int) -> list[Point]:
        view = OptunaMirror(url, "s", random, seed=7)
        return [sample_point(view.ask(), random) for _ in range(count)]

    assert points(8) != points(8)


def test_a_password_is_not_shown() -> None:
    shown = without_password("postgresql://ann:secret@db/studies")
    assert "secret" not in shown
    assert "ann" in shown
    assert without_password("no url") == "no url"


def test_a_search_space_with_other_choices_is_rebuilt_not_refused(
    url: str, small_trials: list[PretrainTrial]
) -> None:
    records = [record_of(t) for t in small_trials if t.point.objective == "relative"]
    few = dataclasses.replace(SEARCH, objectives={"relative": {"name": "relative"}})
    assert "objective" in synced(url, few, *records)[0].distributions
    assert states(synced(url, SEARCH, *records)) == ["COMPLETE"] * len(records)


def test_two_objectives_are_the_error_and_the_encoder_steps(
    url: str, small_trials: list[PretrainTrial]
) -> None:
    view = OptunaMirror(url, "s", SearchConfig(kind="nsga2", augmentations=SEARCH.augmentations))
    view.mark_running(small_trials[0])
    view.report(small_trials[0], 1, 9.0)
    view.finish(record_of(small_trials[0]))
    assert stored(url)[0].values == [3.0, 10.0]
    directions = optuna.load_study(study_name="s", storage=url).directions
    assert [direction.name for direction in directions] == ["MINIMIZE", "MINIMIZE"]


def of_auc(trial: Trial, value: float | None, status: Status = "finished") -> Record:
    """A record with an AUC of its own, and an error that would rank it the other way."""
    record = record_of(trial, status)
    auc = {"auc_50cm": value} if status == "finished" else {}
    rung = Rung(epoch=1, step=5, metrics={"ra_median_pje_cm": 9.0, "auc_50cm": 0.25})
    return dataclasses.replace(record, metrics={**record.metrics, **auc}, rungs=(rung,))


def test_what_is_to_be_large_is_maximised(url: str, small_trials: list[PretrainTrial]) -> None:
    view = OptunaMirror(url, "s", LARGEST)
    for trial, value in zip(small_trials, (0.25, 0.75, 0.5), strict=False):
        view.mark_running(trial)
        view.finish(of_auc(trial, value))
    study = optuna.load_study(study_name="s", storage=url)
    assert study.direction.name == "MAXIMIZE"
    assert study.best_trial.user_attrs["trial"] == small_trials[1].id
    assert study.best_value == 0.75


def test_a_database_rebuilt_from_the_records_has_what_is_searched_by(
    url: str, small_trials: list[PretrainTrial]
) -> None:
    finished, pruned = of_auc(small_trials[0], 0.5), of_auc(small_trials[1], None, "pruned")
    trials = synced(url, LARGEST, finished, pruned)
    assert [trial.intermediate_values for trial in trials] == [{1: 0.25}] * 2
    assert trials[0].value == 0.5


def test_a_database_with_other_directions_is_built_anew(
    url: str, small_trials: list[PretrainTrial]
) -> None:
    records = [of_auc(trial, 0.5) for trial in small_trials[:2]]
    assert [trial.values for trial in synced(url, SEARCH, *records)] == [[3.0]] * 2
    assert [trial.values for trial in synced(url, LARGEST, *records)] == [[0.5]] * 2
    assert optuna.load_study(study_name="s", storage=url).direction.name == "MAXIMIZE"


def test_a_number_that_was_not_finite_counts_as_the_worst(
    url: str, small_trials: list[PretrainTrial]
) -> None:
    [trial] = synced(url, LARGEST, of_auc(small_trials[0], None))
    assert trial.values == [-float("inf")]


def test_the_second_of_two_metrics_is_as_configured(
    url: str, small_trials: list[PretrainTrial]
) -> None:
    both = dataclasses.replace(SEARCH, kind="nsga2", second_metric=LARGEST.metric)
    view = OptunaMirror(url, "s", both)
    view.mark_running(small_trials[0])
    view.finish(of_auc(small_trials[0], 0.5))
    study = optuna.load_study(study_name="s", storage=url)
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert study.trials[0].values == [3.0, 0.5]


def test_a_database_that_cannot_be_reached_is_named() -> None:
    with pytest.raises(ConfigError, match=r"search\.storage.*nowhere"):
        OptunaMirror("sqlite:////nowhere/at/all.db", "s", SEARCH)


def test_a_database_locked_by_another_process_is_waited_for(
    url: str, small_trials: list[PretrainTrial]
) -> None:
    view = OptunaMirror(url, "s", SEARCH)
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        waiting = threading.Thread(target=view.mark_running, args=(small_trials[0],))
        waiting.start()
        time.sleep(1.0)
        assert waiting.is_alive()
        connection.rollback()
    waiting.join(timeout=30)
    engine.dispose()
    assert [trial.state for trial in stored(url)] == [TrialState.RUNNING]
