"""What a search can be told: frozen dataclasses that check themselves.

The `Attributes` of the docstrings are what `--help` prints. `search.compose` makes a `Config`
from the files under `configs/` and the command line.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

from handssl.augment import AUGMENTATIONS, Composition
from handssl.errors import ConfigError
from handssl.evaluation import DiagnosticsConfig, ProbeConfig
from handssl.training import PretrainConfig

__all__ = [
    "ClusterConfig",
    "Config",
    "DataConfig",
    "EarlyStopping",
    "Range",
    "SearchConfig",
    "SecondStage",
    "StoreConfig",
    "StudyConfig",
    "TrialConfig",
]


def _require(ok: bool, message: str) -> None:
    if not ok:
        raise ConfigError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Which images, where they are, and how the store is built from them.

    Attributes:
        name: Data set; decides the reader. `synthetic` (in FreiHAND's look) and
            `synthetic_interhand` are generated where they are missing, `joined` is a store that
            `handssl data join` combined from others.
        root: Folder of the raw data set, in its own layout.
        store: Folder of the store that is built from it.
        source_px: Side of the decoded square source crops, pixels.
        boxes: The hand's box: from its joints as in the study (not label-free), the centre, or
            a file.
        boxes_file: JSON of [x, y, width, height] by source id, with boxes=file.
        annotator: InterHand2.6M's set of annotations.
        splits: Raw splits to convert; null takes those to train and validate on.
        poses: Poses to generate (synthetic only).
        versions: Backgrounds of each pose, or cameras (synthetic only).
        seed: Seed of the generator (synthetic only).
        strict: Refuse a corrupt image or label instead of skipping and counting it.
    """

    name: Literal["synthetic", "synthetic_interhand", "freihand", "interhand", "joined"] = (
        "synthetic"
    )
    root: str = "data/synthetic"
    store: str = "data/stores/synthetic"
    source_px: int = 224
    boxes: Literal["joints", "centre", "file"] = "joints"
    boxes_file: str | None = None
    annotator: Literal["all", "human_annot", "machine_annot"] = "all"
    splits: tuple[str, ...] | None = None
    poses: int = 1500
    versions: int = 4
    seed: int = 0
    strict: bool = False

    def __post_init__(self) -> None:
        for name in ("store",) if self.name == "joined" else ("root", "store"):
            _require(
                getattr(self, name) != "",
                f"data.{name} must name a folder, but got data.{name}=''; give data.{name}=FOLDER",
            )
        _require(
            (self.boxes == "file") == (self.boxes_file is not None),
            f"data.boxes=file and data.boxes_file go together, but got data.boxes={self.boxes}, "
            f"data.boxes_file={self.boxes_file}",
        )
        for name, least in (("source_px", 32), ("poses", 10), ("versions", 1)):
            value = getattr(self, name)
            _require(value >= least, f"data.{name} must be >= {least}, but got {name}={value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The values that one key may take: a list of choices, or all between two numbers.

    Attributes:
        low: Smallest value.
        high: Largest value; whole numbers stay whole where both are.
        log: Whether ratios count, not differences.
        choices: The values, where they are a list.
    """

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: tuple[bool | int | float | str, ...] | None = None

    def __post_init__(self) -> None:
        if self.choices is not None:
            _require(len(self.choices) > 0, "choices must list at least one, but got []")
            _require(
                self.low is None and self.high is None,
                f"a range must have choices or low and high, but got choices={self.choices} and "
                f"low={self.low}, high={self.high}",
            )
            return
        _require(
            self.low is not None and self.high is not None and self.low < self.high,
            f"low must be < high, but got low={self.low} and high={self.high}",
        )
        _require(
            not self.log or (self.low or 0) > 0,
            f"low must be > 0 with log=true, but got low={self.low}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStopping:
    """Whether trials that fall behind are stopped at rungs, to be told as pruned.

    Schedules span the full length of a trial wherever it is stopped, so rungs are comparable.

    Attributes:
        name: `asha` stops what is not among the best 1/reduction at a rung, `median` what is
            worse than the median of the others so far.
        grace_epochs: The first rung.
        reduction: Each further rung is this many times as far.
    """

    name: Literal["none", "asha", "median"] = "none"
    grace_epochs: int = 1
    reduction: int = 3

    def __post_init__(self) -> None:
        for name, least in (("grace_epochs", 1), ("reduction", 2)):
            value = getattr(self, name)
            _require(
                value >= least,
                f"search.early_stopping.{name} must be >= {least}, but got {name}={value}",
            )

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Epochs, before the last, at which a trial may be stopped."""
        found = []
        rung = self.grace_epochs
        while self.name != "none" and rung < epochs:
            found.append(rung)
            rung *= self.reduction
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondStage:
    """After the search: run the best points again with new seeds; tables then speak from these.

    Attributes:
        best: How many points; 0 for none.
        per_objective: Take so many of each objective, instead of all together.
        also: More points of a grid whatever their rank, as in search.only.
        seeds: How many new trials of each.
    """

    best: int = 0
    per_objective: bool = False
    also: tuple[str, ...] = ()
    seeds: int = 5

    def __post_init__(self) -> None:
        for name, least in (("best", 0), ("seeds", 1)):
            value = getattr(self, name)
            _require(
                value >= least,
                f"search.second_stage.{name} must be >= {least}, but got {name}={value}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """Which trials a study consists of, and how they are kept going.

    Attributes:
        kind: `grid` runs every combination; the others sample `trials` points.
        trials: Trials of a sampled search.
        augmentations: Every non-empty subset of these is a composition.
        second_view: What the second view of every pair gets, such as `color_jitter`, or '' for
            nothing; null gives it what the first view gets.
        singles: More augmentations of a grid, each tried alone.
        only: Patterns of the points of a grid to run, such as ["relative* *Ro*", "mixed T:*"],
            where * stands for anything; [] is all.
        objectives: Label of each objective, and what it overrides in trial.pretrain.objective;
            {name: mixed} also assigns an objective to each augmentation, {pretrain: {…}} overrides
            other keys of trial.pretrain, such as optimizer.base_lr.
        space: What else varies: key of trial.pretrain, and {low: …, high: …, log: …} or
            {choices: […]}.
        warm_start: Points to begin a sampled search with: `published` takes the study's best
            compositions, a folder of a study its best points.
        repeats: Trials, each with its own seed, of every point of a grid.
        early_stopping: Whether trials that fall behind are stopped.
        second_stage: Whether the best points are run again.
        rungs: More epochs, besides the last, after which the probe runs.
        concurrent: Trials at a time; null takes as many as the cluster holds.
        retries: Restarts, from the last checkpoint, of a trial whose worker died.
        storage: URL of the Optuna study; null is an SQLite file in the results.
    """

    kind: Literal["grid", "random", "tpe", "nsga2"] = "grid"
    trials: int = 100
    augmentations: tuple[str, ...] = ("translate", "scale", "color_jitter", "rotate")
    second_view: str | None = None
    singles: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    objectives: Mapping[str, Mapping[str, Any]] = field(
        default_factory=lambda: {
            "relative": {"name": "relative"},
            "contrastive": {"name": "contrastive"},
        }
    )
    space: Mapping[str, Any] = field(default_factory=dict)
    warm_start: str | None = None
    repeats: int = 1
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    second_stage: SecondStage = field(default_factory=SecondStage)
    rungs: tuple[int, ...] = ()
    concurrent: int | None = None
    retries: int = 1
    storage: str | None = None

    def __post_init__(self) -> None:
        names = self.augmentations
        for key in ("augmentations", "singles"):
            for name in getattr(self, key):
                _require(
                    name in AUGMENTATIONS,
                    f"search.{key} must be among {', '.join(AUGMENTATIONS)}, but got {name}",
                )
        _require(
            0 < len(names) == len(set(names)),
            f"search.augmentations must name at least one, each once, but got {list(names)}",
        )
        _require(
            "/" not in (self.second_view or ""),
            "search.second_view must be the composition of one view, but got "
            f"second_view={self.second_view}",
        )
        Composition.parse(self.second_view or "")
        _require(bool(self.objectives), "search.objectives must name at least one, but got {}")
        for key, value in (
            ("only", self.only),
            ("singles", self.singles),
            ("second_stage.also", self.second_stage.also),
        ):
            _require(
                self.kind == "grid" or not value,
                f"search.{key} must be [] unless search.kind=grid, but got {key}={list(value)}",
            )
        for name, least in (("repeats", 1), ("retries", 0), ("concurrent", 1), ("trials", 1)):
            value = getattr(self, name)
            _require(
                value is None or value >= least,
                f"search.{name} must be >= {least}, but got {name}={value}",
            )
        _require(
            self.kind != "grid" or self.early_stopping.name == "none",
            "search.early_stopping.name must be none for search.kind=grid, but got "
            f"name={self.early_stopping.name}; a grid is exhaustive, use search=random or tpe",
        )
        _require(
            self.kind != "nsga2" or self.early_stopping.name == "none",
            "search.early_stopping.name must be none for search.kind=nsga2, but got "
            f"name={self.early_stopping.name}; steps are an objective of its own there",
        )

    @property
    def ranges(self) -> dict[str, Range]:
        """`space` with dotted keys, whether it was written nested or dotted.

        Raises:
            ConfigError: A range that is none.
        """
        return dict(_ranges(self.space, ""))


def _ranges(space: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Range]]:
    parts = {spec.name for spec in fields(Range)}
    for key, value in space.items():
        _require(
            isinstance(value, Mapping) and len(value) > 0,
            f"search.space.{prefix}{key} must be {{low: …, high: …}} or {{choices: […]}}, but "
            f"got {value!r}",
        )
        if not parts & set(value):
            yield from _ranges(value, f"{prefix}{key}.")
            continue
        _require(
            set(value) <= parts,
            f"search.space.{prefix}{key} may have {', '.join(sorted(parts))}, but got "
            f"{', '.join(sorted(value))}",
        )
        choices = value.get("choices")
        own = {**value, "choices": None if choices is None else tuple(choices)}
        try:
            yield f"{prefix}{key}", Range(**own)
        except ConfigError as error:
            raise ConfigError(f"search.space.{prefix}{key}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialConfig:
    """How one trial runs: its resources, its pretraining, its probe.

    Attributes:
        workers: Workers of one trial; more than one needs the train executor. [fewest, most]
            is elastic: as many as there is room for, changing while it runs.
        resize_s: Seconds between looks for room for more workers, of an elastic trial; each change
            costs the epoch under way.
        executor: `actor` is one reused process a trial, `train` is Ray Train; `auto` looks at
            workers.
        cpus: CPUs of each worker.
        gpus: GPUs of each worker; a fraction shares one.
        keep_encoder: Leave the encoder's weights beside the record.
        pretrain: The pretraining; a grid overrides its objective, composition and epochs.
        probe: The linear probe that judges the encoder.
        diagnostics: What else is learned of its features in the end; decides no trial.
    """

    workers: int | tuple[int, int] = 1
    resize_s: float = 60.0
    executor: Literal["auto", "actor", "train"] = "auto"
    cpus: float = 1.0
    gpus: float = 0.0
    keep_encoder: bool = False
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    diagnostics: DiagnosticsConfig = field(default_factory=DiagnosticsConfig)

    def __post_init__(self) -> None:
        fewest, most = self.fewest_workers, self.most_workers
        shown = self.workers_shown
        _require(fewest >= 1, f"trial.workers must be >= 1, but got {shown}")
        _require(
            fewest < most or not self.elastic,
            f"trial.workers must be a number or [fewest, most], but got {shown}",
        )
        _require(self.resize_s > 0, f"trial.resize_s must be > 0, but got {self.resize_s}")
        _require(self.cpus > 0, f"trial.cpus must be > 0, but got {self.cpus}")
        _require(self.gpus >= 0, f"trial.gpus must be >= 0, but got {self.gpus}")
        _require(
            not (self.executor == "actor" and most > 1),
            f"trial.executor=actor runs one worker, but got trial.workers={shown}; use "
            "trial.executor=train",
        )
        self.check_batch(self.pretrain.batch_size)

    def check_batch(self, batch_size: int) -> None:
        """Refuse a batch that some number of workers would not share equally."""
        step = math.lcm(*range(self.fewest_workers, self.most_workers + 1))
        _require(
            batch_size % step == 0,
            f"trial.pretrain.batch_size must be a multiple of {step} for "
            f"trial.workers={self.workers_shown}, so that any number of them shares it equally, "
            f"but got batch_size={batch_size}; take {batch_size // step * step or step}, or other "
            "workers",
        )

    @property
    def elastic(self) -> bool:
        """Whether the number of workers may change."""
        return not isinstance(self.workers, int)

    @property
    def workers_shown(self) -> str:
        """As it is written: a number, or [fewest, most]."""
        return str(list(self.workers)) if isinstance(self.workers, tuple) else str(self.workers)

    @property
    def fewest_workers(self) -> int:
        """Workers without which a trial waits."""
        return self.workers if isinstance(self.workers, int) else self.workers[0]

    @property
    def most_workers(self) -> int:
        """Workers that a trial takes where there is room."""
        return self.workers if isinstance(self.workers, int) else self.workers[1]

    @property
    def runs_in(self) -> Literal["actor", "train"]:
        """The executor, once `auto` is resolved."""
        if self.executor == "auto":
            return "actor" if self.most_workers == 1 else "train"
        return self.executor


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyConfig:
    """The study's name and its fidelity.

    Attributes:
        name: Folder of the study under results.
        label: What this fidelity is worth; printed, and part of every caption.
        evidence: Whether conclusions may be drawn from this fidelity.
        epochs: Epochs of pretraining.
        images: Images used, training and validation together; null is all.
        seed: Every trial's seed derives from it, the trial's configuration and the repeat.
    """

    name: str = "embedded"
    label: str = ""
    evidence: bool = False
    epochs: int = 100
    images: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _require(
            self.name.strip(".") != "" and not set(self.name) & set("/\\ \t\n"),
            f"study.name must be a plain folder name, but got name={self.name!r}",
        )
        _require(self.epochs >= 1, f"study.epochs must be >= 1, but got epochs={self.epochs}")
        _require(
            self.images is None or self.images >= 20,
            f"study.images must be >= 20 or null, but got images={self.images}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """Where Ray runs.

    Attributes:
        address: `local` starts Ray on this machine for the study; `auto` joins the cluster that
            RAY_ADDRESS names or this machine belongs to.
        cpus: CPUs that a local Ray may use; null is all.
        gpus: GPUs that a local Ray may use; null is all.
        dashboard: Serve Ray's dashboard, on this machine only, while the study runs.
        price_per_hour: Price of an hour of what one trial holds, in any currency, for the plan.
        autoscaler: The autoscaler's file, as `ray up` leaves it on the head: a trial that its
            node groups can never hold is refused. Where there is none, nothing is.
    """

    address: str = "local"
    cpus: int | None = None
    gpus: int | None = None
    dashboard: bool = True
    price_per_hour: float | None = None
    autoscaler: str = "~/ray_bootstrap_config.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """Everything that `build_store.py` can be told.

    Attributes:
        plan: Print how large the store will be, and stop.
    """

    plan: bool = False
    data: DataConfig = field(default_factory=DataConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that `run_grid.py` can be told.

    Attributes:
        results: Folder under which studies are written, or s3://BUCKET/PREFIX.
        plan: Print what would run, and stop.
    """

    results: str = "results"
    plan: bool = False
    data: DataConfig = field(default_factory=DataConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    trial: TrialConfig = field(default_factory=TrialConfig)
    study: StudyConfig = field(default_factory=StudyConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)

    def __post_init__(self) -> None:
        _require(self.results != "", "results must name a folder, but got results=''")
        _require(
            self.search.storage is not None or not self.results.startswith("s3://"),
            "search.storage must be a database's URL for results in a bucket, where SQLite cannot "
            "lie, but got search.storage=null; give search.storage=postgresql+psycopg://… or, for "
            "a study whose driver stays on one machine, sqlite:////FOLDER/optuna.db",
        )
        for key in self.search.ranges:
            _require(
                _is_key(key, self.trial.pretrain),
                f"search.space must name keys of trial.pretrain, but got search.space.{key}",
            )
        local = self.cluster.address == "local"
        _require(
            self.trial.runs_in == "actor" or self.cluster.dashboard or not local,
            "cluster.dashboard must be true for the train executor, but got dashboard=false; "
            "without it Ray does not give back what a stopped trial held",
        )


def _is_key(key: str, config: Any) -> bool:
    """Whether a dotted key names a value in nested dataclasses; a mapping's keys are its own."""
    for part in key.split("."):
        if isinstance(config, Mapping):
            return True
        if not is_dataclass(config) or part not in {own.name for own in fields(config)}:
            return False
        config = getattr(config, part)
    return not is_dataclass(config)
