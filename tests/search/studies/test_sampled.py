import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest

from handssl import records
from handssl.errors import ConfigError
from handssl.records import OBJECTIVE, Record
from search.config.compose import compose_config
from search.config.metric import SearchMetric
from search.config.schema import Config
from search.config.typed import to_dict
from search.observers.optuna_study import OptunaMirror
from search.space.point import Point
from search.studies.grid import resolver_of
from search.studies.sampled import sampled_trials, warm_start
from search.studies.second_stage import best_points, max_trials, selected_points
from search.studies.study import Session
from search.trials.pretrain import PretrainTrial
from search.trials.trial import Trial


def config_of(*overrides: str) -> Config:
    return compose_config(["search.kind=tpe", "search.trials=12", *overrides])


def record_of(trial: Trial, value: float, **changes: Any) -> Record:
    record = Record(
        kind="pretrain",
        trial=trial.id,
        hash=trial.hash,
        seed=trial.seed,
        objective=trial.point.objective,
        composition=trial.point.composition,
        point=to_dict(trial.point),
        stage=trial.stage,
        status="finished",
        metrics={OBJECTIVE: value},
        encoder_steps=1,
    )
    changed: Record = dataclasses.replace(record, **changes)
    return changed


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


def test_a_warm_start_begins_with_the_published_best(tmp_path: Path) -> None:
    config = config_of("search.warm_start=published", "search.trials=4")
    done = run(config, f"sqlite:///{tmp_path}/o.db", {})
    assert [(t.point.objective, t.point.composition) for t in done] == [
        ("contrastive", "T+CJ+S"),
        ("relative", "T+S"),
        ("contrastive", "CJ+S"),
        ("relative", "T+CJ+S"),
    ]


def test_a_published_warm_start_leaves_what_the_study_did_not_vary_to_the_sampler(
    tmp_path: Path,
) -> None:
    config = config_of("search=tpe", "search.warm_start=published", "search.trials=2")
    done = run(config, f"sqlite:///{tmp_path}/o.db", {})
    assert [(t.point.objective, t.point.composition) for t in done] == [
        ("contrastive", "T+CJ+S"),
        ("relative", "T+S"),
    ]
    assert [set(dict(t.point.values)) for t in done] == [
        {"optimizer.base_lr", "objective.temperature"},
        {"optimizer.base_lr"},
    ]


def test_a_warm_start_from_a_study_begins_with_its_best(tmp_path: Path) -> None:
    config = config_of(f"search.warm_start={tmp_path}/old", "search.trials=2")
    for composition, value in (("CJ", 9.0), ("Ro", 3.0)):
        trial = resolver_of(config, "g").resolve(
            Point(objective="contrastive", composition=composition)
        )
        path = tmp_path / "old" / "trials" / trial.id / "record.json"
        records.write_json(path, record_of(trial, value).to_dict())
    done = run(config, f"sqlite:///{tmp_path}/o.db", {})
    assert [t.point.composition for t in done] == ["Ro", "CJ"]


LARGEST = "search.metric={name: auc_50cm, direction: maximize}"


def of_auc(config: Config, objective: str, composition: str, auc: float) -> Record:
    """A record whose error would rank it the other way."""
    trial = resolver_of(config, "g").resolve(Point(objective=objective, composition=composition))
    return record_of(trial, auc, metrics={OBJECTIVE: 10 * auc, "auc_50cm": auc})


def test_a_warm_start_begins_with_what_is_best_by_this_searchs_metric(tmp_path: Path) -> None:
    config = config_of(LARGEST, f"search.warm_start={tmp_path}/old", "search.trials=2")
    for composition, auc in (("CJ", 0.3), ("Ro", 0.1), ("S", 0.9)):
        record = of_auc(config, "contrastive", composition, auc)
        path = tmp_path / "old" / "trials" / record.trial / "record.json"
        records.write_json(path, record.to_dict())
    without = record_of(
        resolver_of(config, "g").resolve(Point(objective="relative", composition="T")), 0.0
    )
    path = tmp_path / "old" / "trials" / without.trial / "record.json"
    records.write_json(path, without.to_dict())
    assert [point.composition for point in warm_start(config.search)] == ["S", "CJ"]
    other = config_of("search.metric.name=pa_mpjpe_cm", f"search.warm_start={tmp_path}/old")
    with pytest.raises(ConfigError, match=r"that have search\.metric\.name=pa_mpjpe_cm, but got"):
        warm_start(other.search)


def test_a_second_stage_takes_the_largest_where_that_is_the_best() -> None:
    config = compose_config([LARGEST, "search.second_stage.top_k=2"])
    found = [
        of_auc(config, "contrastive", "T", 0.2),
        of_auc(config, "contrastive", "S", 0.7),
        of_auc(config, "relative", "Ro", 0.4),
    ]
    chosen = selected_points(config.search, {record.trial: record for record in found})
    assert [(p.objective, p.composition) for p in chosen] == [
        ("contrastive", "S"),
        ("relative", "Ro"),
    ]


@pytest.mark.slow
def test_tpe_samples_more_of_what_has_the_larger_value(tmp_path: Path) -> None:
    shares = {}
    for direction, name in (("maximize", "auc_50cm"), ("minimize", OBJECTIVE)):
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
    config = config_of()

    def ended(composition: str, value: float, repeat: int = 0, **changes: Any) -> Record:
        point = Point(objective="contrastive", composition=composition, repeat=repeat)
        return record_of(resolver_of(config, "f").resolve(point), value, **changes)

    found = [
        ended("T", 5.0),
        ended("T", 4.0, repeat=1),
        ended("S", 4.5),
        ended("Ro", 1.0, status="failed"),
        ended("CJ", 2.0, stage=2),
    ]
    best = best_points({record.trial: record for record in found}, 5, metric=SearchMetric())
    assert [(p.composition, p.repeat) for p in best] == [("T", 0), ("S", 0)]


def test_a_second_stage_takes_the_best_of_each_objective_and_what_else_is_named() -> None:
    config = compose_config(
        [
            "search.second_stage.top_k=1",
            "search.second_stage.seeds=3",
            "search.second_stage.per_objective=true",
            "search.second_stage.extra=[contrastive T+CJ+S, contrastive S]",
        ]
    )
    values = {("contrastive", "T"): 5.0, ("contrastive", "S"): 3.0, ("relative", "Ro"): 4.0}
    found = {}
    for (objective, composition), value in values.items():
        trial = resolver_of(config, "f").resolve(
            Point(objective=objective, composition=composition)
        )
        found[trial.id] = record_of(trial, value)
    assert [(p.objective, p.composition) for p in selected_points(config.search, found)] == [
        ("contrastive", "S"),
        ("relative", "Ro"),
        ("contrastive", "T+CJ+S"),
    ]
    assert max_trials(config.search) == 3 * 4  # at most: S is among the best and named as well
