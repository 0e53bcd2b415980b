"""A sampled search: points from Optuna, one by one, until the budget is spent."""

import dataclasses
from collections.abc import Iterator
from typing import Final

from handssl import records
from handssl.errors import ConfigError
from search.config.search import SearchConfig
from search.space.point import Point
from search.space.sample import sample_point
from search.storage.folder import cached_copy
from search.storage.s3 import as_config_error
from search.studies.second_stage import best_points
from search.studies.study import Records, Session, Stage
from search.trials.pretrain import PretrainTrial
from search.trials.resolve import Resolver

_PUBLISHED: Final = {
    "contrastive": (
        "T+CJ+S CJ+S T+S T+CJ S T T+CJ+S+Ro CJ CJ+S+Ro T+CJ+Ro CJ+Ro S+Ro T+Ro Ro T+S+Ro"
    ),
    "relative": (
        "T+S T+CJ+S T+CJ+S+Ro T+CJ T+S+Ro T T+CJ+Ro T+Ro CJ+S S CJ CJ+S+Ro CJ+Ro S+Ro Ro"
    ),
}
"""The paper's table 5, best median first."""

_PATIENCE: Final = 200
"""Consecutive samples that have a record already before the space counts as exhausted."""


def sampled_stage(search: SearchConfig, resolver: Resolver) -> Stage:
    """The stage of a sampled search."""

    def remaining(existing: Records) -> int:
        ended = [record for record in existing.values() if record.stage == 1]
        return max(0, search.trials - len(ended))

    return Stage(
        trials=lambda session: sampled_trials(search, resolver, session),
        remaining=remaining,
        resources=resolver.trial,
        early_stopping=search.early_stopping,
    )


def sampled_trials(
    search: SearchConfig, resolver: Resolver, session: Session
) -> Iterator[PretrainTrial]:
    """Trials until the study has `search.trials` of them; adopted points come first.

    A sampled point that has a record is answered from it, and another one is sampled; a point that
    runs at the moment gets another seed. So no trial runs twice, and no sample is lost.
    """
    begun: set[str] = set()
    for point in session.adopted:
        trial = resolver.resolve(point)
        if trial.id not in session.records and trial.hash not in begun:
            begun.add(trial.hash)
            yield trial
    known_in_a_row = 0
    while known_in_a_row < _PATIENCE:
        recorded = {record.hash: record for record in session.records.values()}
        first = {digest: r for digest, r in recorded.items() if r.stage == 1}
        if len(begun | first.keys()) >= search.trials:
            return
        optuna_trial = session.optuna.ask()
        trial = resolver.resolve(sample_point(optuna_trial, search))
        if trial.hash in first:
            session.optuna.answer_from_record(optuna_trial, first[trial.hash])
            known_in_a_row += 1
            continue
        while trial.hash in begun | recorded.keys():
            point = dataclasses.replace(trial.point, repeat=trial.point.repeat + 1)
            trial = resolver.resolve(point)
        known_in_a_row = 0
        begun.add(trial.hash)
        session.optuna.mark_running(trial, optuna_trial)
        yield trial


def warm_start(search: SearchConfig) -> list[Point]:
    """The points that `search.warm_start` names, best first.

    Raises:
        ConfigError: It names no study with finished trials.
    """
    source = search.warm_start
    if source is None:
        return []
    if source == "published":
        return [
            Point(objective=label, composition=composition)
            for rank in range(15)
            for label, ranking in _PUBLISHED.items()
            for composition in ranking.split()[rank : rank + 1]
        ]
    earlier = cached_copy(source)
    with as_config_error("search.warm_start", source):
        earlier.fetch_all("record.json")
    existing = records.read_trial_records(earlier.local_path)
    points = best_points(existing, search.trials, metric=search.metric)
    if not points:
        raise ConfigError(
            "search.warm_start must be published or the folder of a study with finished trials "
            f"that have search.metric.name={search.metric.name}, but got "
            f"search.warm_start={source}"
        )
    return points
