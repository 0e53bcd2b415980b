"""The stages of a search, with records and without Ray."""

import dataclasses

from handssl.records import Record
from search.config.compose import compose_config
from search.observers.optuna_study import OptunaMirror
from search.space.grid import grid
from search.studies.grid import resolver_of
from search.studies.second_stage import second_stage
from search.studies.study import Session, fixed_stage
from search.trials.build_record import record_of
from search.trials.trial import Job, Outcome, Trial

CONFIG = compose_config(
    ["search.augmentations=[rotate]", "search.second_stage.top_k=1", "search.second_stage.seeds=2"]
)


def ended(trial: Trial, error_cm: float) -> Record:
    job = Job(trial=trial, metric=CONFIG.search.metric, directory="", scratch="", context={})
    return record_of(job, "finished", [], outcome=Outcome(metrics={"ra_median_pje_cm": error_cm}))


def test_the_best_point_runs_again_with_seeds_after_those_of_the_search() -> None:
    resolver = resolver_of(CONFIG, "f")
    relative, contrastive = resolver.resolve_all(grid(CONFIG.search))
    first = fixed_stage([relative, contrastive], CONFIG.trial)
    second = second_stage(CONFIG.search, resolver, first)
    assert (first.remaining({}), second.remaining({})) == (2, 2)
    records = {relative.id: ended(relative, 5.0), contrastive.id: ended(contrastive, 3.0)}
    optuna = OptunaMirror("sqlite:///:memory:", "s", CONFIG.search)
    trials = list(second.trials(Session(records=records, optuna=optuna, adopted=[])))
    assert [(t.point.objective, t.point.repeat, t.stage) for t in trials] == [
        ("contrastive", 1, 2),
        ("contrastive", 2, 2),
    ]
    point = dataclasses.replace(contrastive.point, repeat=1)
    assert trials[0].hash == resolver.resolve(point).hash
    records[trials[0].id] = ended(trials[0], 1.0)
    assert (first.remaining(records), second.remaining(records)) == (0, 1)
    optuna.close()
