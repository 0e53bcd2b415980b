"""Configuration of a pretraining run: encoder, objective, composition, schedule."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Final

import torch
from annotated_types import Ge, Gt, Lt

from handssl.augment import Composition
from handssl.checked import OneOf, check_fields
from handssl.encoders import EncoderConfig
from handssl.errors import require
from handssl.objectives import ObjectiveConfig, build_objective, objective_config

OPTIMIZERS: Final = ("lars_adam", "lamb", "adam", "lars_sgd")
PRECISIONS: Final = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """How parameters are updated.

    Attributes:
        name: `lars_adam` (as the paper's released code), `lamb`, `adam` or `lars_sgd`.
        base_lr: Peak learning rate divided by √(batch × accumulation).
        weight_decay: For matrices and kernels; biases, norms and scalars have none.
        warmup_epochs: Linear warm-up from 0; may be a fraction of an epoch.
    """

    name: Annotated[str, OneOf(*OPTIMIZERS)] = "lars_adam"
    base_lr: Annotated[float, Gt(0), Lt(math.inf)] = 1e-4
    weight_decay: Annotated[float, Ge(0), Lt(math.inf)] = 1e-6
    warmup_epochs: Annotated[float, Ge(0), Lt(math.inf)] = 10.0

    def __post_init__(self) -> None:
        check_fields(self, "optimizer.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainConfig:
    """One pretraining run; the defaults are the paper's.

    Attributes:
        encoder: Architecture and initial weights.
        objective: The loss.
        composition: Augmentations of the views, such as `translate+color_jitter+scale`.
        magnitudes: Overrides of augmentation magnitudes, such as `{"rotate.max_deg": 30.0}`;
            docs/methods.md lists them all.
        size_px: Side of a view.
        epochs: Passes over the images.
        batch_size: Images of one forward pass over all workers; its views are each other's
            negatives.
        accumulation: Batches whose gradients are averaged into one optimiser step.
        optimizer: The optimiser and its schedule.
        precision: `auto` is float32 on the CPU; on CUDA bfloat16 where the device has it, else
            float16 with loss scaling.
        checkpoint_every: Epochs between checkpoints; the last epoch always writes one.
        compile_views: Run colour jitter through `torch.compile` where a C++ compiler is found: a
            third of its time, after some seconds in each process. The same views to rounding.
    """

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    objective: ObjectiveConfig = field(default_factory=objective_config)
    composition: str = "translate+color_jitter+scale"
    magnitudes: dict[str, float] = field(default_factory=dict)
    size_px: Annotated[int, Ge(16)] = 128
    epochs: Annotated[int, Ge(1)] = 100
    batch_size: Annotated[int, Ge(2)] = 512
    accumulation: Annotated[int, Ge(1)] = 4
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    precision: Annotated[str, OneOf(*PRECISIONS)] = "auto"
    checkpoint_every: Annotated[int, Ge(1)] = 1
    compile_views: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        require(
            self.optimizer.warmup_epochs < self.epochs,
            f"optimizer.warmup_epochs must be < epochs={self.epochs}, but got "
            f"warmup_epochs={self.optimizer.warmup_epochs}; a tenth of the epochs is usual",
        )
        with torch.device("meta"):
            # Free on the meta device; refuses compositions that the objective cannot use.
            build_objective(self.objective, self.parsed_composition(), feature_dim=1)

    def parsed_composition(self) -> Composition:
        """The composition with its magnitudes."""
        return Composition.parse(self.composition).with_magnitudes(self.magnitudes)

    @property
    def peak_lr(self) -> float:
        """Learning rate at the end of the warm-up: base_lr × √(batch × accumulation)."""
        return self.optimizer.base_lr * math.sqrt(self.batch_size * self.accumulation)
