"""Configuration of `run_transfer.py`: which encoders are fitted and evaluated on which data sets.

A row of a table is an encoder, its initial weights, a data set to fit and some for evaluation,
a mode and a share of the labels. Rows come in groups, a group for each table of the study; rows
that two groups share are run once, and so is a pretraining that several rows need.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from annotated_types import Ge, Gt, Le, MinLen

from handssl.checked import check_fields
from handssl.encoders import EncoderConfig
from handssl.errors import require
from handssl.evaluation import FinetuneConfig
from search.config.schema import CommonConfig, DataConfig

DATA_SETS: Final = ("FH", "IH")
_Shares = Annotated[tuple[Annotated[float, Gt(0), Le(1)], ...], MinLen(1)]
MODES: Final = ("supervised", "frozen", "unfrozen")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSets:
    """The two data sets, each as `data` of run_grid.py."""

    FH: DataConfig = field(default_factory=DataConfig)
    IH: DataConfig = field(
        default_factory=lambda: DataConfig(
            name="synthetic_interhand",
            root="data/synthetic-interhand",
            store="data/stores/synthetic-interhand",
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderPlan:
    """An encoder of the rows.

    Attributes:
        name: As of trial.pretrain.encoder.
        batch_size: That of its pretraining; null is trial.pretrain's.
        accumulation: That of its pretraining; null is trial.pretrain's.
    """

    name: str
    batch_size: int | None = None
    accumulation: int | None = None

    def __post_init__(self) -> None:
        EncoderConfig(name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """A kind of pretraining.

    Attributes:
        objective: Overrides of trial.pretrain.objective.
        composition: Its augmentations.
        pretrain: Overrides of other keys of trial.pretrain, such as optimizer.base_lr.
    """

    objective: Mapping[str, Any]
    composition: str
    pretrain: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """The rows of a table: every combination of the listed values.

    Attributes:
        encoder: A key of transfer.encoders.
        pretrain: Data sets to pretrain on, joined.
        pretrained: Keys of transfer.pretrained to start from.
        baselines: Other encoders to start from, for comparison: random, imagenet.
        modes: `supervised` trains a random encoder with its head, `frozen` probes the encoder's
            initial weights, `unfrozen` fine-tunes them.
        fit: Data sets to fit, one a row.
        evaluate: Data sets on which each row is evaluated.
        label_fractions: Shares of the labels to fit with.
        layer_decays: Layer-wise decays of the learning rate of unfrozen rows; 1 is none.
        repeats: Seeds of every row.
    """

    encoder: str
    pretrain: tuple[str, ...] = DATA_SETS
    pretrained: tuple[str, ...] = ("contrastive",)
    baselines: tuple[Literal["random", "imagenet"], ...] = ("random", "imagenet")
    modes: Annotated[tuple[Literal["supervised", "frozen", "unfrozen"], ...], MinLen(1)] = MODES
    fit: tuple[str, ...] = ("FH",)
    evaluate: tuple[str, ...] = ("FH",)
    label_fractions: _Shares = (1.0,)
    layer_decays: _Shares = (1.0,)
    repeats: Annotated[int, Ge(1)] = 1

    def __post_init__(self) -> None:
        for key in ("pretrain", "fit", "evaluate"):
            names = getattr(self, key)
            require(
                0 < len(names) == len(set(names)) and set(names) <= set(DATA_SETS),
                f"{key} must name some of {', '.join(DATA_SETS)}, each once, but got "
                f"{key}={list(names)}",
            )
        check_fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferConfig:
    """The rows, their encoders and their pretraining.

    Attributes:
        encoders: Encoders that rows may name; the fidelity decides their sizes.
        pretrained: Kinds of pretraining that rows may start from.
        rows: Groups of rows, by table.
        weights: Share of each joined data set among the images that an epoch of pretraining sees;
            empty counts every image once.
        pretrain_repeats: Seeds of every pretraining; row repeat r uses pretraining repeat
            r modulo this number.
        imagenet: Run the baseline rows that start from ImageNet's weights, which are downloaded.
        evaluate_on: Split on which rows are evaluated.
        finetune: How rows are fine-tuned or trained from scratch; a row decides its mode, encoder,
            label_fraction and layer_decay.
        min_steps: Smallest number of optimiser steps of a row: with few labels it takes more
            epochs.
    """

    encoders: Mapping[str, EncoderPlan] = field(
        default_factory=lambda: {"resnet": EncoderPlan(name="resnet18")}
    )
    pretrained: Mapping[str, Pretrained] = field(
        default_factory=lambda: {
            "contrastive": Pretrained(
                objective={"name": "contrastive"}, composition="translate+color_jitter+scale"
            )
        }
    )
    rows: Mapping[str, RowGroup] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    pretrain_repeats: Annotated[int, Ge(1)] = 1
    imagenet: bool = False
    evaluate_on: Literal["val", "test"] = "val"
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    min_steps: Annotated[int, Ge(1)] = 1

    def __post_init__(self) -> None:
        for label, group in self.rows.items():
            require(
                group.encoder in self.encoders,
                f"transfer.rows.{label}.encoder must be one of {', '.join(self.encoders)}, but "
                f"got encoder={group.encoder}",
            )
            for name in group.pretrained:
                require(
                    name in self.pretrained,
                    f"transfer.rows.{label}.pretrained must be among "
                    f"{', '.join(self.pretrained)}, but got {name}",
                )
        weights = dict(self.weights)
        whole = set(weights) == set(DATA_SETS) and abs(sum(weights.values()) - 1) < 1e-6
        require(
            not weights or whole,
            f"transfer.weights must weigh {' and '.join(DATA_SETS)}, with sum 1, but got "
            f"weights={weights}",
        )
        check_fields(self, "transfer.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferStudyConfig(CommonConfig):
    """The configuration of `run_transfer.py`."""

    data_sets: DataSets = field(default_factory=DataSets)
    transfer: TransferConfig = field(default_factory=TransferConfig)
