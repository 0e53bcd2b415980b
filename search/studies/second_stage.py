"""The second stage: the best points of the search once more, with new seeds."""

import dataclasses
from collections import Counter

from search.config.metric import SearchMetric
from search.config.search import SearchConfig
from search.space.grid import grid, matching
from search.space.point import Point, point_from
from search.studies.study import Records, Stage, count_missing
from search.trials.pretrain import PretrainTrial
from search.trials.resolve import Resolver


def second_stage(search: SearchConfig, resolver: Resolver, first: Stage) -> Stage:
    """The stage that follows the search, whose points the resolver resolves."""
    resolver = dataclasses.replace(resolver, rungs=tuple(sorted(set(search.rungs))), stage=2)

    def trials(records: Records) -> list[PretrainTrial]:
        seeds = range(search.repeats, search.repeats + search.second_stage.seeds)
        chosen = selected_points(search, records)
        return resolver.resolve_all(
            dataclasses.replace(point, repeat=repeat) for repeat in seeds for point in chosen
        )

    def remaining(records: Records) -> int:
        if first.remaining(records):
            return max_trials(search)
        return count_missing(trials(records), records)

    return Stage(
        trials=lambda session: trials(session.records),
        remaining=remaining,
        resources=first.resources,
    )


def selected_points(search: SearchConfig, records: Records) -> list[Point]:
    """The points of the second stage, without repeats: the best so far, and the extra ones.

    Raises:
        ConfigError: `second_stage.extra` names a point that the grid does not have.
    """
    stage = search.second_stage
    best = best_points(
        records, stage.top_k, metric=search.metric, per_objective=stage.per_objective
    )
    return list(dict.fromkeys([*best, *_extra_points(search)]))


def max_trials(search: SearchConfig) -> int:
    """Trials of the second stage at most; fewer if extra points are among the best."""
    stage = search.second_stage
    best = stage.top_k * (len(search.objectives) if stage.per_objective else 1)
    return (best + len(_extra_points(search))) * stage.seeds


def best_points(
    records: Records, count: int, *, metric: SearchMetric, per_objective: bool = False
) -> list[Point]:
    """The `count` best points, in all or of each objective, of the finished trials of a search.

    Records without the metric are left out; ties go by trial id.
    """
    finished = [r for r in records.values() if r.is_finished and r.stage == 1]
    ranked = sorted(
        (metric.cost(value), record.trial)
        for record in finished
        if (value := metric.of(record)) is not None
    )
    points = (point_from({**records[trial].point, "repeat": 0}) for _, trial in ranked)
    taken: Counter[str] = Counter()
    chosen = []
    for point in dict.fromkeys(points):
        group = point.objective if per_objective else ""
        taken[group] += 1
        if taken[group] <= count:
            chosen.append(point)
    return chosen


def _extra_points(search: SearchConfig) -> list[Point]:
    patterns = search.second_stage.extra
    if not patterns:
        return []
    points = grid(dataclasses.replace(search, include=(), repeats=1))
    return matching(points, patterns, "search.second_stage.extra")
