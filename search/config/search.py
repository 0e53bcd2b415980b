"""Configuration of a search: its space, its sampler, and the execution of its trials."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal

from annotated_types import Ge

from handssl.augment import AUGMENTATIONS, Composition
from handssl.checked import OneOf, check_fields
from handssl.errors import ConfigError, require
from search.config.metric import AT_RUNGS, ENCODER_STEPS, SearchMetric
from search.config.typed import from_dict

_Augmentation = Annotated[str, OneOf(*AUGMENTATIONS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The values that one key may take: a list of choices, or all between two numbers.

    Attributes:
        low: Smallest value.
        high: Largest value; integers where both are.
        log: Sample on a log scale.
        choices: The list of values.
    """

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: tuple[bool | int | float | str, ...] | None = None

    def __post_init__(self) -> None:
        if self.choices is not None:
            require(len(self.choices) > 0, "choices must list at least one, but got []")
            require(
                self.low is None and self.high is None,
                f"a range must have choices or low and high, but got choices={self.choices} and "
                f"low={self.low}, high={self.high}",
            )
            return
        low, high = self.low, self.high
        require(
            low is not None and high is not None and low < high,
            f"low must be < high, but got low={low} and high={high}",
        )
        require(
            not self.log or (low or 0) > 0, f"low must be > 0 with log=true, but got low={low}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStopping:
    """Stop trials that fall behind at a rung; they are recorded as pruned.

    Learning-rate schedules span the full length of a trial, so that rungs are comparable.

    Attributes:
        name: `asha` stops a trial that is not among the best 1/reduction at a rung, `median` one
            that is worse than the median of the others so far.
        grace_epochs: The first rung.
        reduction: Ratio of successive rungs.
    """

    name: Literal["none", "asha", "median"] = "none"
    grace_epochs: Annotated[int, Ge(1)] = 1
    reduction: Annotated[int, Ge(2)] = 3

    def __post_init__(self) -> None:
        check_fields(self, "search.early_stopping.")

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Epochs, before the last, at which a trial may be stopped."""
        if self.name == "none":
            return ()
        rungs = (self.grace_epochs * self.reduction**power for power in itertools.count())
        return tuple(itertools.takewhile(lambda rung: rung < epochs, rungs))


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondStage:
    """Re-run the best points with new seeds; reported results use only these.

    Attributes:
        top_k: How many points; 0 is none.
        per_objective: Take top_k points of each objective instead of top_k in all.
        extra: More points of a grid, whatever their rank: patterns as in search.include.
        seeds: New trials of each point.
    """

    top_k: Annotated[int, Ge(0)] = 0
    per_objective: bool = False
    extra: tuple[str, ...] = ()
    seeds: Annotated[int, Ge(1)] = 5

    def __post_init__(self) -> None:
        check_fields(self, "search.second_stage.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionConfig:
    """Execution of the trials; the same keys in every command.

    Attributes:
        concurrent: Trials at a time; null is as many as the cluster holds.
        retries: Restarts, from the last checkpoint, of a trial whose worker died.
        storage: URL of the Optuna study; null is an SQLite file in the results.
    """

    concurrent: Annotated[int, Ge(1)] | None = None
    retries: Annotated[int, Ge(0)] = 1
    storage: str | None = None

    def __post_init__(self) -> None:
        check_fields(self, "search.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig(ExecutionConfig):
    """The trials of a study, and their execution.

    Attributes:
        kind: `grid` runs every combination; the others sample `trials` points.
        trials: Trials of a sampled search.
        metric: Optimised by samplers, early stopping, the second stage and a warm start; shown
            while the study runs.
        second_metric: Optimised too by nsga2.
        baseline_seeds: Initialisations of the encoder with random weights, whose probe is measured
            before the first trial.
        augmentations: Every non-empty subset of these is a composition.
        second_view: Composition of the second view of every pair, such as `color_jitter`, or ''
            for none; null is that of the first view.
        single_augmentations: More augmentations of a grid, each used alone.
        include: Patterns of the points of a grid to run, such as ["relative* *Ro*", "mixed T:*"],
            where * matches anything; [] is all.
        objectives: Label of each objective and its overrides of trial.pretrain.objective.
            {name: mixed} also assigns an objective to each augmentation, {pretrain: {…}} overrides
            other keys of trial.pretrain, such as optimizer.base_lr, and null removes an objective.
        space: Further dimensions: key of trial.pretrain, and {low: …, high: …, log: …} or
            {choices: […]}.
        warm_start: First points of a sampled search: `published` is the paper's best
            compositions, the folder of a study its best points.
        repeats: Trials of every point of a grid, each with another seed.
        early_stopping: Whether trials that fall behind are stopped.
        second_stage: Whether the best points are run again.
        rungs: Epochs, besides the last, after which the probe runs too.
    """

    kind: Literal["grid", "random", "tpe", "nsga2"] = "grid"
    trials: Annotated[int, Ge(1)] = 100
    metric: SearchMetric = field(default_factory=SearchMetric)
    second_metric: SearchMetric = field(default_factory=lambda: SearchMetric(name=ENCODER_STEPS))
    baseline_seeds: Annotated[int, Ge(0)] = 3
    augmentations: tuple[_Augmentation, ...] = ("translate", "scale", "color_jitter", "rotate")
    second_view: str | None = None
    single_augmentations: tuple[_Augmentation, ...] = ()
    include: tuple[str, ...] = ()
    objectives: Mapping[str, Mapping[str, Any]] = field(
        default_factory=lambda: {
            "relative": {"name": "relative"},
            "contrastive": {"name": "contrastive"},
        }
    )
    space: Mapping[str, Any] = field(default_factory=dict)
    warm_start: str | None = None
    repeats: Annotated[int, Ge(1)] = 1
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    second_stage: SecondStage = field(default_factory=SecondStage)
    rungs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        ExecutionConfig.__post_init__(self)
        names = self.augmentations
        require(
            0 < len(names) == len(set(names)),
            f"search.augmentations must name at least one, each once, but got {list(names)}",
        )
        require(
            "/" not in (self.second_view or ""),
            "search.second_view must be the composition of one view, but got "
            f"second_view={self.second_view}",
        )
        Composition.parse(self.second_view or "")
        require(bool(self.objectives), "search.objectives must name at least one, but got {}")
        for key, value in (
            ("include", self.include),
            ("single_augmentations", self.single_augmentations),
            ("second_stage.extra", self.second_stage.extra),
        ):
            require(
                self.kind == "grid" or not value,
                f"search.{key} must be [] unless search.kind=grid, but got {key}={list(value)}",
            )
        reasons = {
            "grid": "a grid is exhaustive, use search=random or tpe",
            "nsga2": "no trial is stopped early by two metrics",
        }
        stopping = self.early_stopping.name
        require(
            self.kind not in reasons or stopping == "none",
            f"search.early_stopping.name must be none for search.kind={self.kind}, but got "
            f"name={stopping}; {reasons.get(self.kind)}",
        )
        self._check_metrics()

    def _check_metrics(self) -> None:
        """Refuse a metric that the search cannot optimise; the diagnostics are checked later."""
        for key, metric in (("metric", self.metric), ("second_metric", self.second_metric)):
            direction = metric.only_direction
            require(
                metric.direction == direction,
                f"search.{key}.direction must be {direction} for search.{key}.name={metric.name}, "
                f"but got direction={metric.direction}; give search.{key}.direction={direction}",
            )
        name = self.metric.name
        require(
            self.kind != "nsga2" or name != self.second_metric.name,
            "search.second_metric.name must differ from search.metric.name for "
            f"search.kind=nsga2, but got name={name} for both",
        )
        stopping = self.early_stopping.name
        require(
            name in AT_RUNGS or (stopping == "none" and not self.rungs),
            f"search.metric.name must be a metric of rungs ({', '.join(AT_RUNGS)}) for "
            f"search.early_stopping.name={stopping} and search.rungs={list(self.rungs)}, but got "
            f"name={name}; take one of these, or give search.early_stopping.name=none "
            "search.rungs=[]",
        )

    @property
    def metrics(self) -> dict[str, SearchMetric]:
        """The metrics that the sampler optimises, by key."""
        both = {"search.metric": self.metric, "search.second_metric": self.second_metric}
        return both if self.kind == "nsga2" else {"search.metric": self.metric}

    @property
    def ranges(self) -> dict[str, Range]:
        """`space` with dotted keys, whether it was written nested or dotted.

        Raises:
            ConfigError: An invalid range.
        """
        return dict(_ranges(self.space, ""))


def _ranges(space: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Range]]:
    parts = {spec.name for spec in fields(Range)}
    for key, value in space.items():
        require(
            isinstance(value, Mapping) and len(value) > 0,
            f"search.space.{prefix}{key} must be {{low: …, high: …}} or {{choices: […]}}, but "
            f"got {value!r}",
        )
        if not parts & set(value):
            yield from _ranges(value, f"{prefix}{key}.")
            continue
        try:
            yield f"{prefix}{key}", from_dict(Range, value)
        except ConfigError as error:
            raise ConfigError(f"search.space.{prefix}{key}: {error}") from error
