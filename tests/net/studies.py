"""Tiny studies and commands that together reach every part of a result.

All are of 96 images of 32 px, two epochs of five steps and an encoder of 0.4 million parameters,
unless a study says otherwise. Keys have the names of revision ebbf542; `tests.net.names` has the
later ones.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study and what it must end with.

    Attributes:
        script: Name of its script under search/.
        overrides: Its command line.
        status: The exit status.
        interrupted: Whether it is killed after its first checkpoint and continued.
        replays: Beginnings of trials that are replayed afterwards.
    """

    script: str = "run_grid"
    overrides: tuple[str, ...]
    status: int = 0
    interrupted: bool = False
    replays: tuple[str, ...] = ()


FREIHAND: Final = ("data.root=raw", "data.store=store", "data.poses=30")
"""Data that the first command of a run generates."""

ACTOR: Final = ("cluster.cpus=1", "cluster.dashboard=false")
TRAIN: Final = ("cluster.cpus=2", "cluster.dashboard=true")
"""Ray Train needs the dashboard."""

SMALLEST: Final = (
    *FREIHAND,
    "study.epochs=2",
    "study.images=96",
    "trial.pretrain.encoder.name=timm:test_resnet",
    "trial.pretrain.size_px=32",
    "trial.pretrain.batch_size=16",
    "trial.probe.augmented_passes=1",
    "search.concurrent=1",  # a sampler that asks for one point at a time is deterministic
)

_OBJECTIVES: Final = {
    "relative_released": "{name: relative, targets: released}",
    "relative_sincos": "{name: relative, rotation: sincos, norm: l2}",
    "equivariant_released": "{name: equivariant, equivariance: released, temperature: 0.2}",
    "equivariant_exact": "{name: equivariant, equivariance: exact}",
    "mixed": "{name: mixed}",
    "augself": "{name: mixed, mixture: shared}",
    "mixed_sigma": "{name: mixed, contrastive_weighting: sigma}",
    "care": "{name: care, options: {weight: 0.1, chunk: 8}, pretrain: {optimizer.name: adam}}",
    "chunked": "{name: contrastive, chunk_size: 8, pretrain: {batch_size: 8, accumulation: 2, "
    "optimizer.name: lars_adam, magnitudes.rotate.max_deg: 20.0}}",
    "resnet10t": "{name: contrastive, pretrain: {encoder.name: resnet10t, "
    "optimizer.name: lars_sgd}}",
    "hot": "{name: contrastive, pretrain: {optimizer: {name: adam, base_lr: 1e30, "
    "warmup_epochs: 0}}}",
}
"""Beside relative and contrastive, which the grid has by itself."""

_POINTS: Final = (
    "relative T+S",
    "relative T+CJ+S+Ro",
    "relative_released T+CJ+S+Ro",
    "relative_sincos T+Ro",
    "contrastive T+CJ+S",
    "contrastive CD",
    "contrastive CO",
    "contrastive GB",
    "contrastive GN",
    "contrastive So",
    "contrastive Cr",
    "equivariant_released T+CJ+S+Ro",
    "equivariant_exact T+CJ+S+Ro",
    "mixed T:relative+CJ:contrastive",
    "mixed T:equivariant+CJ:contrastive+S:relative+Ro:relative",
    "augself T:relative+CJ:contrastive",
    "augself T:relative+CJ:contrastive+S:equivariant+Ro:relative",
    "mixed_sigma CJ:contrastive+Ro:relative",
    "care T+CJ+S",
    "chunked T+Ro",
    "resnet10t CJ",
    "hot Ro",
)

_SPACE: Final = "search.space.magnitudes.rotate.max_deg={low: 10.0, high: 90.0}"

STUDIES: Final[dict[str, Study]] = {
    # Every objective and augmentation, a rung, a failed trial, a second stage with new seeds.
    "grid": Study(
        overrides=(
            *SMALLEST,
            *ACTOR,
            *(f"search.objectives.{label}={value}" for label, value in _OBJECTIVES.items()),
            f"search.only=[{', '.join(repr(point) for point in _POINTS)}]",
            "search.singles=[color_drop, cutout, gaussian_blur, gaussian_noise, sobel, crop]",
            "search.rungs=[1]",
            "search.second_stage.best=1",
            "search.second_stage.also=['relative T+S']",
            "search.second_stage.seeds=2",
            "trial.keep_encoder=true",
        ),
        status=1,
        replays=("augself_T=relative-CJ=contrastive_r0",),
    ),
    # Bayesian search with early stopping; the best point again.
    "tpe": Study(
        overrides=(
            *SMALLEST,
            *ACTOR,
            "search=tpe",
            "search.trials=8",
            "study.epochs=3",
            "search.objectives.mixed={name: mixed}",
            "search.early_stopping.reduction=2",
            "search.second_stage.best=1",
            "search.second_stage.seeds=1",
            _SPACE,
        ),
    ),
    # Random points after the published ones, and the robust probe.
    "random": Study(
        overrides=(
            *SMALLEST,
            *ACTOR,
            "search=random",
            "search.trials=4",
            "search.warm_start=published",
            "trial.probe.solver=robust",
            _SPACE,
        ),
    ),
    # Two metrics, two different views in a pair, the released probe on a part of the labels.
    "nsga2": Study(
        overrides=(
            *SMALLEST,
            *ACTOR,
            "search=nsga2",
            "search.trials=3",
            "search.second_view=scale",
            "trial.probe.solver=released",
            "trial.probe.epochs=2",
            "trial.probe.label_fraction=0.5",
        ),
    ),
    # One worker under Ray Train.
    "train": Study(
        overrides=(
            *SMALLEST,
            *TRAIN,
            "search.only=['relative T+S+Ro']",
            "trial.executor=train",
        ),
    ),
    # Two workers: negatives, batch statistics and gradients are gathered.
    "workers": Study(
        overrides=(
            *SMALLEST,
            *TRAIN,
            "search.only=['contrastive T+CJ+S']",
            "trial.workers=2",
        ),
    ),
    # A trial that is killed after a checkpoint, and continued.
    "resumed": Study(
        overrides=(
            *SMALLEST,
            *ACTOR,
            "search.only=['relative T+S+Ro']",
            "study.epochs=12",
            "search.rungs=[4]",
        ),
        interrupted=True,
    ),
    # Pretraining on one and on two data sets; frozen, unfrozen and supervised rows; HRNet.
    "transfer": Study(
        script="run_transfer",
        overrides=(
            "data_sets.FH.root=raw",
            "data_sets.FH.store=store",
            "data_sets.FH.poses=30",
            "data_sets.IH.root=raw-interhand",
            "data_sets.IH.store=store-interhand",
            "data_sets.IH.poses=30",
            "data_sets.IH.versions=2",
            "study=table2",
            "study.epochs=1",
            "study.images=60",
            "trial.pretrain.batch_size=16",
            "trial.pretrain.optimizer.warmup_epochs=0",
            "trial.probe.augmented_passes=1",
            "transfer.encoders.resnet.name=timm:test_resnet",
            "transfer.pretrained.relative={objective: {name: relative}, composition: T+S, "
            "pretrain: {optimizer.base_lr: 1e-3}}",
            "++transfer.shares={FH: 0.75, IH: 0.25}",
            "transfer.pretrain_repeats=1",
            "transfer.finetune.epochs=2",
            "transfer.finetune.batch_size=16",
            "transfer.least_steps=1",
            "transfer.rows.table2=null",
            "transfer.rows.both.encoder=resnet",
            "transfer.rows.both.pretrained=[contrastive, relative]",
            "transfer.rows.both.floors=[random]",
            "transfer.rows.both.modes=[supervised, frozen, unfrozen]",
            "transfer.rows.both.layer_decays=[0.7]",
            "transfer.rows.both.label_fractions=[0.5]",
            "transfer.rows.both.fit=[FH]",
            "transfer.rows.both.evaluate=[FH, IH]",
            "transfer.rows.maps.encoder=hrnet",
            "transfer.rows.maps.pretrain=[FH]",
            "transfer.rows.maps.floors=[]",
            "transfer.rows.maps.modes=[supervised, unfrozen]",
            "transfer.rows.maps.fit=[IH]",
            "transfer.rows.maps.evaluate=[FH]",
            "runs.concurrent=1",
            *ACTOR,
        ),
    ),
}
"""By the name that `run.py --only` takes, which is also study.name."""

COMMANDS: Final[dict[str, str]] = {
    "join": "data join store store-interhand --shares 0.5 0.5 --out joined",
    "pretrain": "pretrain --store joined --checkpoint pretrained.pt --objective relative "
    "--composition T+S+Ro --encoder timm:test_resnet --size-px 32 --epochs 2 --batch-size 16 "
    "--accumulation 2 --base-lr 1e-3",
    "probe": "probe --encoder pretrained.pt --name timm:test_resnet --store store --out probed.pt",
    "finetune": "finetune --encoder pretrained.pt --name timm:test_resnet --store store "
    "--checkpoint finetuned.pt --epochs 1 --batch-size 16 --refine-root",
    "evaluate": "evaluate finetuned.pt --store store-interhand",
    "predict": "predict raw/training/rgb/00000003.jpg --checkpoint probed.pt --out predicted",
}
"""Commands of `handssl`, in this order."""

CONFIGURATIONS: Final[dict[str, str]] = {
    "grid": "run_grid",
    "evidence": "run_grid study=evidence",
    "curves": "run_grid study=curves",
    "rates": "run_grid study=rates",
    "mixed": "run_grid search=tpe study=mixed",
    "paper": "run_grid study=paper data=freihand data.root=FOLDER",
    "random": "run_grid search=random",
    "nsga2": "run_grid search=nsga2",
    "tables": "run_transfer",
    "lowshot": "run_transfer study=lowshot",
    "looks": "run_transfer study=looks fidelity=evidence",
    "tables_paper": "run_transfer fidelity=paper data_sets.FH.root=A data_sets.IH.root=B",
}
"""Configurations whose values decide numbers: a script under search/ and its arguments."""
