"""The interface between a trial and whatever runs, follows and stores it.

A trial pretrains an encoder (`PretrainTrial`) or fits one to a data set (`FitTrial`). Executors
and observers use this interface only.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from handssl.encoders import EncoderConfig
from handssl.records import Kind
from handssl.training import EpochReport
from search.config.metric import SearchMetric
from search.space.point import Point
from search.storage.folder import Folder

Report = Mapping[str, Any]
"""{"trial", "epoch", "done", "rung"} and the row of `metrics.jsonl`, after every epoch; "rung" is
whether the probe ran. The last report has done=True, "status", and the metric of the search if
the trial has it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of a trial that finished.

    Attributes:
        metrics: Metrics of the record.
        evaluations: Metrics by data set, if the trial is evaluated on several.
    """

    metrics: Mapping[str, float]
    evaluations: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)


class Execution(Protocol):
    """A trial that was started: an iterator that trains an epoch at each `next`."""

    @property
    def history(self) -> Sequence[EpochReport]:
        """Reports of all epochs so far, those before a resume included."""
        ...

    def __iter__(self) -> Iterator[EpochReport]:
        """The remaining epochs."""
        ...

    def row(self, epoch: EpochReport) -> dict[str, Any]:
        """An epoch's report as a line of `metrics.jsonl`; at a rung, with the probe's metrics."""
        ...

    def finish(self, folder: Folder) -> Outcome:
        """Evaluate, and write the files that stay beside the record."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial(ABC):
    """One trial, fully determined.

    Attributes:
        kind: Whether it pretrains or fits.
        id: Name of its folder: readable, unique in the study, the same in every run of it.
        hash: Identity of the computation: configuration, data, seed of the study, repeat.
        seed: Derived from the identity (D9).
        point: Position in the search space.
        stage: 1 for the search, 2 for the best points with new seeds.
        pretraining: Id of the trial whose encoder it starts from; None starts without one.
        transfer: Data sets and mode in the transfer tables; empty elsewhere.
    """

    kind: ClassVar[Kind]
    id: str
    hash: str
    seed: int
    point: Point
    stage: int = 1
    pretraining: str | None = None
    transfer: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    @abstractmethod
    def encoder(self) -> EncoderConfig:
        """Its encoder: the architecture, and the weights if it starts without a pretraining."""

    @property
    @abstractmethod
    def epochs(self) -> int:
        """Epochs in all; 0 if nothing is trained."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Its configuration, for the record."""

    @abstractmethod
    def hyperparameters(self) -> dict[str, Any]:
        """The few settings by which TensorBoard compares trials."""

    @abstractmethod
    def start(self, folder: Folder, *, device: str) -> Execution:
        """Start, or continue from the checkpoint in the folder."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A trial with its place in a study: all that a worker needs.

    Attributes:
        trial: The trial.
        metric: The metric that the search optimises.
        directory: The trial's folder, or its URI in a bucket; its checkpoint and record lie there.
        scratch: Folder for Ray's own files.
        context: Fields of the record about the study: study, data, versions, git.
    """

    trial: Trial
    metric: SearchMetric
    directory: str
    scratch: str
    context: Mapping[str, Any]
