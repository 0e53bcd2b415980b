"""A stage of a study: which trials it runs, and how."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from handssl.records import Record
from search.config.schema import TrialConfig
from search.config.search import EarlyStopping
from search.observers.optuna_study import OptunaMirror
from search.space.point import Point
from search.trials.trial import Trial

Records = Mapping[str, Record]
"""Records by trial id."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A study while it runs.

    Attributes:
        records: Records of the trials that need not run; grows while trials end.
        optuna: The study in Optuna.
        adopted: Points that an earlier session had begun, or whose trial failed in it.
    """

    records: dict[str, Record]
    optuna: OptunaMirror
    adopted: Sequence[Point]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a study that starts when the part before it has ended.

    Attributes:
        trials: Its trials in order. They are asked for one by one, so it may decide each by the
            records so far; it may include trials that have a record.
        remaining: Number of its trials without a record; at most so many, while they depend on
            trials that have not ended.
        resources: The resources of each trial.
        early_stopping: The rule that stops trials.
    """

    trials: Callable[[Session], Iterable[Trial]]
    remaining: Callable[[Records], int]
    resources: TrialConfig
    early_stopping: EarlyStopping = dataclasses.field(default_factory=EarlyStopping)


def fixed_stage(trials: Sequence[Trial], resources: TrialConfig) -> Stage:
    """A stage whose trials are known before it starts."""
    return Stage(
        trials=lambda session: trials,
        remaining=lambda records: count_missing(trials, records),
        resources=resources,
    )


def count_missing(trials: Iterable[Trial], records: Records) -> int:
    """Number of trials without a record."""
    return sum(trial.id not in records for trial in trials)
