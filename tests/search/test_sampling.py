from pathlib import Path
from typing import Any

import optuna
import pytest

from handssl.errors import ConfigError
from search import records
from search.bridge import OptunaView
from search.compose import compose_config, plain
from search.config import Config
from search.records import OBJECTIVE
from search.sampling import again, best_points, sampled, trials_again, warm_start
from search.spaces import Point
from search.trials import Trial, resolve


def config_of(*overrides: str) -> Config:
    return compose_config(["search.kind=tpe", "search.trials=12", *overrides])


def record_of(trial: Trial, value: float, **changes: Any) -> dict[str, Any]:
    return {
        "schema": records.SCHEMA,
        "trial": trial.id,
        "hash": trial.hash,
        "point": plain(trial.point),
        "stage": trial.stage,
        "status": "finished",
        "metrics": {OBJECTIVE: value},
        "rungs": [],
        "encoder_steps": 1,
        **changes,
    }


def run(config: Config, url: str, finished: dict[str, Any], upto: int = 10**6) -> list[Trial]:
    """Play a search: each trial ends, with an error that prefers T and S, before the next."""
    view = OptunaView(url, "s", config.search, seed=len(finished))
    adopted = view.synchronise(finished)
    view.enqueue(warm_start(config))
    done: list[Trial] = []
    for trial in sampled(config, view, "f", finished, adopted):
        view.begin(trial)
        if len(done) == upto:
            break  # killed while this one runs
        names = trial.point.composition.split("+")
        finished[trial.id] = record_of(trial, 50.0 - 20 * ("S" in names) - 5 * ("T" in names))
        view.end(finished[trial.id])
        done.append(trial)
    return done


def test_the_budget_counts_trials_that_ran_each_of_them_different(tmp_path: Path) -> None:
    finished: dict[str, Any] = {}
    done = run(config_of(), f"sqlite:///{tmp_path}/o.db", finished)
    assert len(done) == len({trial.hash for trial in done}) == len(finished) == 12


def test_an_exhausted_space_ends_the_search(tmp_path: Path) -> None:
    config = config_of("search.augmentations=[rotate]", "search.trials=50")
    done = run(config, f"sqlite:///{tmp_path}/o.db", {})
    assert {trial.point.objective for trial in done} == {"relative", "contrastive"}
    assert len(done) == 2


def test_a_killed_search_keeps_what_it_had_and_runs_on_what_it_had_begun(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/o.db"
    finished: dict[str, Any] = {}
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
    view = OptunaView(f"sqlite:///{tmp_path}/o.db", "s", config.search)
    trials = list(sampled(config, view, "f", {}, []))
    assert len({trial.hash for trial in trials}) == 3
    assert sorted(trial.point.repeat for trial in trials) in ([0, 0, 1], [0, 1, 2])


def test_a_point_to_try_again_is_tried_once_however_often_it_is_named(tmp_path: Path) -> None:
    config = config_of()
    view = OptunaView(f"sqlite:///{tmp_path}/o.db", "s", config.search)
    point = Point(objective="contrastive", composition="T+S")
    trials = sampled(config, view, "f", {}, [point, point])
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
        trial = resolve(config, Point(objective="contrastive", composition=composition), "g")
        path = tmp_path / "old" / "trials" / trial.id / "record.json"
        records.write_json(path, record_of(trial, value))
    done = run(config, f"sqlite:///{tmp_path}/o.db", {})
    assert [t.point.composition for t in done] == ["Ro", "CJ"]


def test_a_warm_start_from_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="published or the folder of a study"):
        warm_start(config_of(f"search.warm_start={tmp_path}"))


def test_the_best_points_are_distinct_finished_and_of_the_search() -> None:
    config = config_of()

    def ended(composition: str, value: float, repeat: int = 0, **changes: Any) -> dict[str, Any]:
        point = Point(objective="contrastive", composition=composition, repeat=repeat)
        return record_of(resolve(config, point, "f"), value, **changes)

    found = [
        ended("T", 5.0),
        ended("T", 4.0, repeat=1),
        ended("S", 4.5),
        ended("Ro", 1.0, status="failed"),
        ended("CJ", 2.0, stage=2),
    ]
    best = best_points({record["trial"]: record for record in found}, 5)
    assert [(p.composition, p.repeat) for p in best] == [("T", 0), ("S", 0)]


def test_a_second_stage_takes_the_best_of_each_objective_and_what_else_is_named() -> None:
    config = compose_config(
        [
            "search.second_stage.best=1",
            "search.second_stage.seeds=3",
            "search.second_stage.per_objective=true",
            "search.second_stage.also=[contrastive T+CJ+S, contrastive S]",
        ]
    )
    values = {("contrastive", "T"): 5.0, ("contrastive", "S"): 3.0, ("relative", "Ro"): 4.0}
    found = {}
    for (objective, composition), value in values.items():
        trial = resolve(config, Point(objective=objective, composition=composition), "f")
        found[trial.id] = record_of(trial, value)
    assert [(p.objective, p.composition) for p in again(config, found)] == [
        ("contrastive", "S"),
        ("relative", "Ro"),
        ("contrastive", "T+CJ+S"),
    ]
    assert trials_again(config) == 3 * 4  # at most: S is among the best and named as well
