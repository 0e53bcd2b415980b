"""The configuration of the commands: frozen dataclasses that check themselves.

`--help` prints the `Attributes` of their docstrings.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from handssl.checked import check_fields
from handssl.errors import require
from handssl.evaluation import DiagnosticsConfig, ProbeConfig, diagnosed
from handssl.objectives import OBJECTIVE_CONFIGS
from handssl.records import flatten
from handssl.training import PretrainConfig
from search.config.metric import AT_RUNGS
from search.config.search import ExecutionConfig, SearchConfig
from search.config.typed import applies, to_dict


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """The images of a study: their files, and how the store is built from them.

    Attributes:
        name: Data set, and so its reader. `synthetic` (FreiHAND-like) and
            `synthetic_interhand` are generated if missing; `joined` is a store that
            `handssl data join` made of others.
        root: Folder of the raw data set.
        store: Folder of the store that is built from it.
        source_px: Side of the decoded square source crops, pixels.
        boxes: The hand's box: from its joints as in the paper (uses labels), the image's
            centre, or a file.
        boxes_file: JSON of [x, y, width, height] by source id, with boxes=file.
        annotator: InterHand2.6M's set of annotations.
        splits: Raw splits to convert; null is those of training and validation.
        poses: Poses to generate (synthetic only).
        versions: Backgrounds of each pose, or cameras (synthetic only).
        seed: Seed of the generator (synthetic only).
        strict: Refuse a corrupt image or label; false skips and counts it.
    """

    name: Literal["synthetic", "synthetic_interhand", "freihand", "interhand", "joined"] = (
        "synthetic"
    )
    root: str = "data/synthetic"
    store: str = "data/stores/synthetic"
    source_px: Annotated[int, Ge(32)] = 224
    boxes: Literal["joints", "centre", "file"] = "joints"
    boxes_file: str | None = None
    annotator: Literal["all", "human_annot", "machine_annot"] = "all"
    splits: tuple[str, ...] | None = None
    poses: Annotated[int, Ge(10)] = 1500
    versions: Annotated[int, Ge(1)] = 4
    seed: int = 0
    strict: bool = False

    def __post_init__(self) -> None:
        for name in ("store",) if self.name == "joined" else ("root", "store"):
            require(
                getattr(self, name) != "",
                f"data.{name} must name a folder, but got data.{name}=''; give data.{name}=FOLDER",
            )
        require(
            (self.boxes == "file") == (self.boxes_file is not None),
            f"data.boxes=file and data.boxes_file go together, but got data.boxes={self.boxes}, "
            f"data.boxes_file={self.boxes_file}",
        )
        check_fields(self, "data.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialConfig:
    """Resources, pretraining and probe of one trial.

    Attributes:
        workers: Workers of one trial; more than one needs the train executor. [MIN, MAX] is
            elastic: the number follows the free resources while the trial runs.
        resize_s: Seconds between checks whether an elastic trial can grow; each change repeats the
            current epoch.
        executor: `actor` is one reused process a trial, `train` is Ray Train; `auto` chooses by
            the number of workers.
        cpus: CPUs of each worker.
        gpus: GPUs of each worker; a fraction shares one.
        keep_encoder: Keep the encoder's weights beside the record.
        pretrain: The pretraining; a grid overrides its objective, composition and epochs.
        probe: The linear probe that measures the encoder.
        diagnostics: Measures of the features at the end; they decide nothing unless search.metric
            names one.
    """

    workers: int | tuple[int, int] = 1
    resize_s: Annotated[float, Gt(0)] = 60.0
    executor: Literal["auto", "actor", "train"] = "auto"
    cpus: Annotated[float, Gt(0)] = 1.0
    gpus: Annotated[float, Ge(0)] = 0.0
    keep_encoder: bool = False
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    diagnostics: DiagnosticsConfig = field(default_factory=DiagnosticsConfig)

    def __post_init__(self) -> None:
        minimum, maximum = self.min_workers, self.max_workers
        require(minimum >= 1, f"trial.workers must be >= 1, but got {self.workers_text}")
        require(
            minimum < maximum or not self.elastic,
            f"trial.workers must be a number or [MIN, MAX], but got {self.workers_text}",
        )
        check_fields(self, "trial.")
        require(
            not (self.executor == "actor" and maximum > 1),
            f"trial.executor=actor runs one worker, but got trial.workers={self.workers_text}; "
            "use trial.executor=train",
        )
        self.check_batch(self.pretrain.batch_size)

    def check_batch(self, batch_size: int) -> None:
        """Refuse a batch that cannot be divided equally among every number of workers."""
        step = math.lcm(*range(self.min_workers, self.max_workers + 1))
        require(
            batch_size % step == 0,
            f"trial.pretrain.batch_size must be a multiple of {step} for "
            f"trial.workers={self.workers_text}, so that any number of them can share it equally, "
            f"but got batch_size={batch_size}; take {batch_size // step * step or step}, or other "
            "workers",
        )

    @property
    def elastic(self) -> bool:
        """Whether the number of workers may change."""
        return not isinstance(self.workers, int)

    @property
    def workers_text(self) -> str:
        """The number of workers as it is written: 2, or [1, 2]."""
        return str(list(self.workers)) if isinstance(self.workers, tuple) else str(self.workers)

    @property
    def min_workers(self) -> int:
        """Workers that a trial needs to start."""
        return self.workers if isinstance(self.workers, int) else self.workers[0]

    @property
    def max_workers(self) -> int:
        """Workers that a trial uses at most."""
        return self.workers if isinstance(self.workers, int) else self.workers[1]

    @property
    def runs_in(self) -> Literal["actor", "train"]:
        """The executor, with `auto` resolved."""
        if self.executor == "auto":
            return "actor" if self.max_workers == 1 else "train"
        return self.executor


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyConfig:
    """The study's name and its fidelity.

    Attributes:
        name: Folder of the study under results.
        label: Describes the fidelity; printed, and part of every caption.
        evidence: Whether conclusions may be drawn from this fidelity.
        epochs: Epochs of pretraining.
        images: Number of images, training and validation together; null is all.
        seed: Source of the trials' seeds, with each trial's configuration and repeat.
    """

    name: str = "synthetic"
    label: str = ""
    evidence: bool = False
    epochs: Annotated[int, Ge(1)] = 100
    images: Annotated[int, Ge(20)] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.name.strip(".") != "" and not set(self.name) & set("/\\ \t\n"),
            f"study.name must be a plain folder name, but got name={self.name!r}",
        )
        check_fields(self, "study.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """Where Ray runs.

    Attributes:
        address: `local` starts Ray on this machine for the study; `auto` joins the cluster that
            RAY_ADDRESS names or this machine belongs to.
        cpus: CPUs that a local Ray may use; null is all.
        gpus: GPUs that a local Ray may use; null is all.
        dashboard: Serve Ray's dashboard, on this machine only, while the study runs.
        price_per_hour: Price of an hour of one trial's resources, in any currency, for the plan.
        autoscaler: The autoscaler's file, which `ray up` writes on the head: a trial that fits on
            none of its node groups is refused. Without the file, nothing is checked.
    """

    address: str = "local"
    cpus: int | None = None
    gpus: int | None = None
    dashboard: bool = True
    price_per_hour: float | None = None
    autoscaler: str = "~/ray_bootstrap_config.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """The configuration of `build_store.py`.

    Attributes:
        plan: Print the size of the store, and stop.
    """

    plan: bool = False
    data: DataConfig = field(default_factory=DataConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonConfig:
    """What the configurations of run_grid.py and run_transfer.py share.

    Attributes:
        results: Folder under which studies are written, or s3://BUCKET/PREFIX.
        plan: Print the trials and their cost, and stop.
        fidelity: The file of configs/fidelity/ that set the sizes.
    """

    results: str = "results"
    plan: bool = False
    fidelity: str = ""
    study: StudyConfig = field(default_factory=StudyConfig)
    search: ExecutionConfig = field(default_factory=ExecutionConfig)
    trial: TrialConfig = field(default_factory=TrialConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)

    def __post_init__(self) -> None:
        require(self.results != "", "results must name a folder, but got results=''")
        require(
            self.search.storage is not None or not self.results.startswith("s3://"),
            "search.storage must be a database's URL for results in a bucket, where SQLite does "
            "not work, but got search.storage=null; give search.storage=postgresql+psycopg://… "
            "or, for a study whose driver stays on one machine, sqlite:////FOLDER/optuna.db",
        )
        local = self.cluster.address == "local"
        require(
            self.trial.runs_in == "actor" or self.cluster.dashboard or not local,
            "cluster.dashboard must be true for the train executor, but got dashboard=false; "
            "without it Ray does not free the resources of a stopped trial",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(CommonConfig):
    """The configuration of `run_grid.py`."""

    data: DataConfig = field(default_factory=DataConfig)
    search: SearchConfig = field(default_factory=SearchConfig)

    def __post_init__(self) -> None:
        CommonConfig.__post_init__(self)
        self._check_metrics()
        keys = flatten(to_dict(self.trial.pretrain))
        for key in self.search.ranges:
            require(
                key in keys
                or key.startswith("magnitudes.")
                or (
                    key.startswith("objective.")
                    and any(applies(key, name, OBJECTIVE_CONFIGS) for name in OBJECTIVE_CONFIGS)
                ),
                f"search.space must name keys of trial.pretrain, but got search.space.{key}",
            )

    def _check_metrics(self) -> None:
        """Refuse a metric that no record will hold."""
        names = diagnosed(self.trial.diagnostics)
        augmentations = ",".join(self.trial.diagnostics.augmentations)
        for key in ("metric", "second_metric"):
            name = getattr(self.search, key).name
            require(
                name in (*AT_RUNGS, *names),
                f"search.{key}.name must be one of {', '.join((*AT_RUNGS, *names))}, the last "
                f"{len(names)} of them with trial.diagnostics.augmentations=[{augmentations}], "
                f"but got name={name}",
            )
