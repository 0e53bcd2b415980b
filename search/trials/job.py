"""What a job of a study is to the machinery that runs it, whatever it computes.

Executors run it, the watch follows it, the Optuna view shows it; none of them asks what it is.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from handssl.records import Kind
from search.config.metric import SearchMetric
from search.space.sample import Point

Report = Mapping[str, Any]
"""What a job tells Tune: "trial", "epoch", "done", and at a rung what the search goes by."""


class Planned(Protocol):
    """One run, fully determined."""

    @property
    def id(self) -> str:
        """Name of its folder: readable, unique in the study, the same in every run of it."""
        ...

    @property
    def hash(self) -> str:
        """Identity of what it computes."""
        ...

    @property
    def seed(self) -> int:
        """Derived from the hash (D9)."""
        ...

    @property
    def point(self) -> Point:
        """Where in the search space it stands."""
        ...

    @property
    def stage(self) -> int:
        """1 for the search, 2 for the best points run again."""
        ...


class Job(Protocol):
    """All that a worker needs to run one, and all that its record says about the study."""

    @property
    def trial(self) -> Planned:
        """What to run."""
        ...

    @property
    def directory(self) -> str:
        """Its folder; its checkpoint and records live there."""
        ...

    @property
    def scratch(self) -> str:
        """Folder for what Ray writes itself."""
        ...

    @property
    def context(self) -> Mapping[str, Any]:
        """Fields that go into the record unchanged: study, data, versions, git."""
        ...

    @property
    def metric(self) -> SearchMetric:
        """What the search goes by."""
        ...

    @property
    def kind(self) -> Kind:
        """Whether it pretrains or fits."""
        ...

    @property
    def transfer(self) -> Mapping[str, Any]:
        """Data sets and mode, of a row of the transfer tables."""
        ...

    @property
    def epochs(self) -> int:
        """Epochs in all."""
        ...

    def settings(self) -> dict[str, Any]:
        """What was run, as the record's `config`."""
        ...

    def hyperparameters(self) -> dict[str, Any]:
        """The few settings that TensorBoard compares runs by."""
        ...

    def run(self, *, device: str) -> Iterator[Report]:
        """Run it, from its checkpoint if it has one; the last report has done=True."""
        ...
