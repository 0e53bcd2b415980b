import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest

from handssl import records
from handssl.errors import ConfigError
from handssl.records import Record
from search.config.compose import compose_config
from search.config.metric import SearchMetric
from search.config.schema import Config
from search.observers.optuna_study import OptunaMirror
from search.space.point import Point
from search.studies.grid import resolver_of
from search.studies.sampled import sampled_trials, warm_start
from search.studies.second_stage import best_points, max_trials, selected_points
from search.studies.study import Session
from search.trials.pretrain import PretrainTrial
from search.trials.trial import Trial
from tests.search.observers.test_optuna_study import record_of as record_of_status


def config_of(*overrides: str) -> Config:
    return compose_config(["search.kind=tpe", "search.trials=12", *overrides])


def record_of(trial: Trial, value: float, **changes: Any) -> Record:
    return dataclasses.replace(record_of_status(trial, value=value), **changes)


def trials_of(
    config: Config, view: OptunaMirror, finished: dict[str, Record], adopted: Sequence[Point]
) -> Iterator[PretrainTrial]:
    session = Session(records=finished, optuna=view, adopted=adopted)
    return sampled_trials(config.search, resolver_of(config, "f"), session)


def run(config: Config, url: str, finished: dict[str, Record], upto: int = 10**6) -> list[Trial]:
    """Play a search: each trial ends, with an error that prefers T and S, before the next."""
    view = OptunaMirror(url, "s", config.search, seed=len(finished))
    adopted = view.sync(finished)
    view.enqueue(warm_start(config.search))
    done: list[Trial] = []
    for trial in trials_of(config, view, finished, adopted):
        view.mark_running(trial)
        if len(done) == upto:
            break  # killed while this one runs
        names = trial.point.composition.split("+")
        finished[trial.id] = record_of(trial, 50.0 - 20 * ("S" in names) - 5 * ("T" in names))
        view.finish(finished[trial.id])
        done.append(trial)
    return done


def test_the_budget_counts_trials_that_ran_each_of_them_different(tmp_path: Path) -> None:
    finished: dict[str, Record] = {}
    done = run(config_of(), f"sqlite:///{tmp_path}/o.db", finished)
    assert len(done) == len({trial.hash for trial in done}) == len(finished) == 12


@pytest.mark.slow
def test_an_exhausted_space_ends_the_search(tmp_path: Path) -> None:
    config = config_of("search.augmentations=[rotate]", "search.trials=50")
    done = run(config, f"sqlite:///{tmp_path}/o.db", {})
    assert {trial.point.objective for trial in done} == {"relative", "contrastive"}
    assert len(done) == 2


def test_a_killed_search_keeps_what_it_had_and_runs_on_what_it_had_begun(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/o.db"
    finished: dict[str, Record] = {}
    first = run(config_of(), url, finished, upto=4)
    (begun,) = (
        trial.user_attrs["trial"]
        for trial in optuna.load_study(study_name="s", storage=url).trials
        if trial.state.name == "RUNNING"
    )
    rest = run(config_of(), url, finished)
    assert len(first) == 4
    assert rest[0].id == begun
    assert len(finished) == 12
    stored = optuna.load_study(study_name="s", storage=url).trials
    assert {trial.state.name for trial in stored} == {"COMPLETE"}
    own = [trial.user_attrs["trial"] for trial in stored if "trial" in trial.user_attrs]
    assert sorted(own) == sorted(finished)


def test_a_point_that_is_running_gets_another_seed(tmp_path: Path) -> None:
    config = config_of("search.augmentations=[rotate]", "search.trials=3")
    view = OptunaMirror(f"sqlite:///{tmp_path}/o.db", "s", config.search)
    trials = list(trials_of(config, view, {}, []))
    assert len({trial.hash for trial in trials}) == 3
    assert sorted(trial.point.repeat for trial in trials) in ([0, 0, 1], [0, 1, 2])


def test_a_point_to_try_again_is_tried_once_however_often_it_is_named(tmp_path: Path) -> None:
    config = config_of()
    view = OptunaMirror(f"sqlite:///{tmp_path}/o.db", "s", config.search)
    point = Point(objective="contrastive", composition="T+S")
    trials = trials_of(config, view, {}, [point, point])
    assert next(trials).point == point
    assert next(trials).point != point


def pairs(points: Iterable[Point]) -> list[tuple[str, str]]:
    return [(point.objective, point.composition) for point in points]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        # What the published study did not vary is left to the sampler.
        ("tpe", [{"optimizer.base_lr", "objective.temperature"}, {"optimizer.base_lr"}] * 2),
        (None, [set()] * 4),
    ],
)
def test_a_warm_start_begins_with_the_published_best(
    tmp_path: Path, kind: str | None, values: list[set[str]]
) -> None:
    space = [f"search={kind}"] if kind else []
    config = config_of(*space, "search.warm_start=published", "search.trials=4")
    points = [trial.point for trial in run(config, f"sqlite:///{tmp_path}/o.db", {})]
    best = "contrastive T+CJ+S, relative T+S, contrastive CJ+S, relative T+CJ+S"
    assert [" ".join(pair) for pair in pairs(points)] == best.split(", ")
    assert [set(dict(point.values)) for point in points] == values


LARGEST = "search.metric={name: auc_50cm, direction: maximize}"


def ended(objective: str, composition: str, value: float = 0.0, **changes: Any) -> Record:
    """A record with this error, or with this AUC and an error that would rank it otherwise."""
    point = Point(objective=objective, composition=composition, repeat=changes.pop("repeat", 0))
    if "auc" in changes:
        value = changes.pop("auc")
        changes["metrics"] = {"ra_median_pje_cm": 10 * value, "auc_50cm": value}
    return record_of(resolver_of(config_of(), "g").resolve(point), value, **changes)


def by_id(*records_: Record) -> dict[str, Record]:
    return {record.trial: record for record in records_}


def write(folder: Path, *records_: Record) -> None:
    for record in records_:
        records.write_json(folder / "trials" / record.trial / "record.json", record.to_dict())


def test_a_warm_start_from_a_study_begins_with_its_best(tmp_path: Path) -> None:
    config = config_of(f"search.warm_start={tmp_path}/old", "search.trials=2")
    write(tmp_path / "old", ended("contrastive", "CJ", 9.0), ended("contrastive", "Ro", 3.0))
    done = run(config, f"sqlite:///{tmp_path}/o.db", {})
    assert [t.point.composition for t in done] == ["Ro", "CJ"]


def test_a_warm_start_begins_with_what_is_best_by_this_searchs_metric(tmp_path: Path) -> None:
    config = config_of(LARGEST, f"search.warm_start={tmp_path}/old", "search.trials=2")
    values = {"CJ": 0.3, "Ro": 0.1, "S": 0.9}
    write(tmp_path / "old", *(ended("contrastive", c, auc=auc) for c, auc in values.items()))
    write(tmp_path / "old", ended("relative", "T"))  # without this metric
    assert [point.composition for point in warm_start(config.search)] == ["S", "CJ"]
    other = config_of("search.metric.name=pa_mpjpe_cm", f"search.warm_start={tmp_path}/old")
    with pytest.raises(ConfigError, match=r"that have search\.metric\.name=pa_mpjpe_cm, but got"):
        warm_start(other.search)


def test_a_second_stage_takes_the_largest_where_that_is_the_best() -> None:
    config = compose_config([LARGEST, "search.second_stage.top_k=2"])
    recorded = by_id(
        ended("contrastive", "T", auc=0.2),
        ended("contrastive", "S", auc=0.7),
        ended("relative", "Ro", auc=0.4),
    )
    chosen = selected_points(config.search, recorded)
    assert pairs(chosen) == [("contrastive", "S"), ("relative", "Ro")]


@pytest.mark.slow
def test_tpe_samples_more_of_what_has_the_larger_value(tmp_path: Path) -> None:
    shares = {}
    for direction, name in (("maximize", "auc_50cm"), ("minimize", "ra_median_pje_cm")):
        config = config_of(
            f"search.metric={{name: {name}, direction: {direction}}}",
            "search.trials=30",
            "search.augmentations=[translate]",
            "search.objectives={contrastive: {name: contrastive}}",
            "search.space={optimizer.base_lr: {low: 0.0001, high: 1.0}}",
        )
        view = OptunaMirror(f"sqlite:///{tmp_path}/{direction}.db", "s", config.search)
        finished: dict[str, Record] = {}
        for trial in trials_of(config, view, finished, []):
            value = trial.pretrain.optimizer.base_lr
            finished[trial.id] = record_of(trial, value, metrics={name: value})
            view.finish(finished[trial.id])
        values = [record.metrics[name] or 0.0 for record in finished.values()]
        shares[direction] = sum(value > 0.5 for value in values[10:]) / 20
    assert shares["maximize"] > 0.7
    assert shares["minimize"] < 0.3


def test_a_warm_start_from_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="published or the folder of a study"):
        warm_start(config_of(f"search.warm_start={tmp_path}").search)


def test_the_best_points_are_distinct_finished_and_of_the_search() -> None:
    recorded = by_id(
        ended("contrastive", "T", 5.0),
        ended("contrastive", "T", 4.0, repeat=1),
        ended("contrastive", "S", 4.5),
        ended("contrastive", "Ro", 1.0, status="failed"),
        ended("contrastive", "CJ", 2.0, stage=2),
    )
    best = best_points(recorded, 5, metric=SearchMetric())
    assert [(p.composition, p.repeat) for p in best] == [("T", 0), ("S", 0)]


def test_a_second_stage_takes_the_best_of_each_objective_and_what_else_is_named() -> None:
    stage = "top_k: 1, seeds: 3, per_objective: true"
    named = "[contrastive T+CJ+S, contrastive S]"
    config = compose_config([f"search.second_stage={{{stage}, extra: {named}}}"])
    values = {("contrastive", "T"): 5.0, ("contrastive", "S"): 3.0, ("relative", "Ro"): 4.0}
    recorded = by_id(*(ended(*pair, value) for pair, value in values.items()))
    chosen = pairs(selected_points(config.search, recorded))
    assert chosen == [("contrastive", "S"), ("relative", "Ro"), ("contrastive", "T+CJ+S")]
    assert max_trials(config.search) == 3 * 4  # at most: S is among the best and named as well
