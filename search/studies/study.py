"""A study: a list of stages over some images; a stage: which trials it runs, and how."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from handssl.data import Store
from handssl.records import Record, StudyDescription
from handssl.records.uri import join_uri
from search.config.schema import CommonConfig, TrialConfig
from search.config.search import EarlyStopping, SearchConfig
from search.observers.optuna_study import OptunaMirror, ParametersOf
from search.space.point import Point
from search.studies.baselines import Baselines
from search.trials.images import Images
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study whose configuration has been checked, before it starts.

    Attributes:
        config: What all studies share: results, fidelity, resources, cluster.
        stages: Its stages, in order.
        planned: Trials that are known before it starts, in order.
        examples: Trials like those of a study that plans none.
        stores: The images of its trials.
        search: Its metrics and search space; of rows, which are not searched, the metric alone.
        parameters: Optuna's parameters of a point, where they are not those of the search space.
        first_points: Points to begin a sampled search with.
        baselines: What its trials are compared with; None for rows, which have rows for that.
        outdated: Ids of trials that have a record and must run again all the same.
        description: Its `study.json`.
    """

    config: CommonConfig
    stages: Sequence[Stage]
    planned: Sequence[Trial] = ()
    examples: Sequence[Trial] = ()
    stores: Mapping[Images, Store]
    search: SearchConfig = dataclasses.field(default_factory=SearchConfig)
    parameters: ParametersOf | None = None
    first_points: Sequence[Point] = ()
    baselines: Baselines | None = None
    outdated: Callable[[Records], Collection[str]] = lambda records: ()
    description: StudyDescription

    @property
    def uri(self) -> str:
        """Path of its folder, or URI of its prefix in a bucket."""
        return join_uri(self.config.results, self.config.study.name)

    @property
    def known(self) -> Sequence[Trial]:
        """The planned trials, or the examples if none is planned."""
        return self.planned or self.examples

    def remaining(self, records: Records) -> int:
        """Number of trials without a record, in all stages."""
        return sum(stage.remaining(records) for stage in self.stages)
