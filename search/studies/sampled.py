"""A sampled search: points from Optuna, one by one, until the budget is met."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from handssl import records
from handssl.errors import ConfigError
from handssl.records import Record
from search.config.metric import SearchMetric
from search.config.schema import Config
from search.observers.optuna_study import OptunaMirror
from search.space.sample import Point, choose, grid, matching
from search.storage import s3
from search.storage.folder import cached_copy
from search.trials.resolve import Trial, point_from, resolve

_PUBLISHED = {
    "contrastive": (
        "T+CJ+S CJ+S T+S T+CJ S T T+CJ+S+Ro CJ CJ+S+Ro T+CJ+Ro CJ+Ro S+Ro T+Ro Ro T+S+Ro"
    ),
    "relative": (
        "T+S T+CJ+S T+CJ+S+Ro T+CJ T+S+Ro T T+CJ+Ro T+Ro CJ+S S CJ CJ+S+Ro CJ+Ro S+Ro Ro"
    ),
}
"""The study's table 5, best median first."""

_PATIENCE = 200
"""Points in a row that have a record already before the space counts as exhausted."""


def sampled(
    config: Config,
    view: OptunaMirror,
    fingerprint: str,
    finished: Mapping[str, Record],
    adopted: Sequence[Point],
) -> Iterator[Trial]:
    """Trials until the study has `search.trials` of them.

    A point that has a record is answered from it and asked for again; one that is running now gets
    another seed. So nothing is run twice, and nothing that was sampled is lost.

    Args:
        config: The configuration.
        view: Where points come from.
        fingerprint: Of the data.
        finished: Records by trial id; grows while trials end.
        adopted: Points that an earlier run had begun, or that failed in it; they come first.
    """
    handed: set[str] = set()
    for point in adopted:
        trial = resolve(config, point, fingerprint)
        if trial.id not in finished and trial.hash not in handed:
            handed.add(trial.hash)
            yield trial
    known_in_a_row = 0
    while known_in_a_row < _PATIENCE:
        recorded = {record["hash"] for record in finished.values()}
        by_hash = {record["hash"]: record for record in finished.values() if record["stage"] == 1}
        if len(handed | by_hash.keys()) >= config.search.trials:
            return
        asked = view.ask()
        point = choose(asked, config.search)
        trial = resolve(config, point, fingerprint)
        if trial.hash in by_hash:
            view.answer_from_record(asked, by_hash[trial.hash])
            known_in_a_row += 1
            continue
        while trial.hash in handed | recorded:
            point = Point(
                objective=point.objective,
                composition=point.composition,
                values=point.values,
                repeat=point.repeat + 1,
            )
            trial = resolve(config, point, fingerprint)
        known_in_a_row = 0
        handed.add(trial.hash)
        view.mark_running(trial, asked)
        yield trial


def best_points(
    found: Mapping[str, Record],
    count: int,
    *,
    metric: SearchMetric,
    per_objective: bool = False,
) -> list[Point]:
    """The points, without their repeats, of the best finished trials; ties by trial id.

    Args:
        found: Records by trial id; one without the metric is left out.
        count: How many points.
        metric: What is best.
        per_objective: Whether so many of each objective are wanted.
    """
    finished = [r for r in found.values() if r["status"] == "finished" and r["stage"] == 1]
    ranked = sorted(
        (metric.cost(value), record["trial"])
        for record in finished
        if (value := metric.of(record)) is not None
    )
    points = [point_from(found[trial]["point"] | {"repeat": 0}) for _, trial in ranked]
    distinct = list(dict.fromkeys(points))
    if not per_objective:
        return distinct[:count]
    taken: Counter[str] = Counter()
    chosen = []
    for point in distinct:
        taken[point.objective] += 1
        if taken[point.objective] <= count:
            chosen.append(point)
    return chosen


def again(config: Config, found: Mapping[str, Record]) -> list[Point]:
    """The points of the second stage, without repeats: the best so far, and those also named.

    Raises:
        ConfigError: `second_stage.extra` names a point that the grid does not have.
    """
    stage = config.search.second_stage
    best = best_points(
        found, stage.top_k, metric=config.search.metric, per_objective=stage.per_objective
    )
    return list(dict.fromkeys([*best, *_also(config)]))


def trials_again(config: Config) -> int:
    """How many trials the second stage has at most: fewer where the best are also named."""
    stage = config.search.second_stage
    best = stage.top_k * (len(config.search.objectives) if stage.per_objective else 1)
    return (best + len(_also(config))) * stage.seeds


def _also(config: Config) -> list[Point]:
    patterns = config.search.second_stage.extra
    if not patterns:
        return []
    every = grid(dataclasses.replace(config.search, include=(), repeats=1))
    return matching(every, patterns, "search.second_stage.extra")


def warm_start(config: Config) -> list[Point]:
    """The points that `search.warm_start` names, best first.

    Raises:
        ConfigError: It names no study with finished trials.
    """
    source = config.search.warm_start
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
    with s3.as_config_error("search.warm_start", source):
        earlier.fetch_all("record.json")
    metric = config.search.metric
    found = records.read_records(earlier.local_path)
    points = best_points(found, config.search.trials, metric=metric)
    if not points:
        raise ConfigError(
            "search.warm_start must be published or the folder of a study with finished trials "
            f"that have search.metric.name={metric.name}, but got search.warm_start={source}"
        )
    return points
