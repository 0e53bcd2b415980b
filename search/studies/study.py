"""A study: a list of stages over some images."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

from handssl.data import Store
from handssl.records import StudyDescription
from search.config.metric import SearchMetric
from search.config.schema import CommonConfig
from search.observers.optuna_study import OptunaMirror
from search.space.point import Point
from search.storage.s3 import join_uri
from search.studies.stage import Records, Stage
from search.trials.images import Images
from search.trials.trial import Trial


def _nothing(records: Records) -> Collection[str]:
    return ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study whose configuration has been checked, before it starts.

    Attributes:
        config: What all studies share: results, fidelity, resources, cluster.
        stages: Its stages, in order.
        planned: Trials that are known before it starts, in order.
        examples: Trials like those of a study that plans none.
        stores: The images of its trials.
        metric: The metric that it optimises.
        open_optuna: Opens its Optuna study at the URL of a database.
        first_points: Points to begin a sampled search with.
        outdated: Ids of trials that have a record and must run again all the same.
        description: Its `study.json`.
    """

    config: CommonConfig
    stages: Sequence[Stage]
    planned: Sequence[Trial] = ()
    examples: Sequence[Trial] = ()
    stores: Mapping[Images, Store]
    metric: SearchMetric
    open_optuna: Callable[[str], OptunaMirror]
    first_points: Sequence[Point] = ()
    outdated: Callable[[Records], Collection[str]] = _nothing
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
