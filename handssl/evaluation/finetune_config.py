"""Configuration of a fine-tuning run: mode, encoder, schedule."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Final

from annotated_types import Ge, Gt, Le

from handssl.augment import Composition
from handssl.checked import OneOf, check_fields
from handssl.encoders import EncoderConfig
from handssl.errors import require
from handssl.training import OptimizerConfig

MODES: Final = ("frozen", "unfrozen", "supervised")


def _released_optimizer() -> OptimizerConfig:
    return OptimizerConfig(name="adam", base_lr=4.42e-5, weight_decay=2e-4, warmup_epochs=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneConfig:
    """One downstream run; loss and learning rate are those of the paper's probe.

    Attributes:
        mode: `frozen` trains the layer alone, with the encoder in evaluation mode; `unfrozen`
            both; `supervised` both, of an encoder that has seen no pretraining of ours.
        encoder: Architecture and initial weights; those of pretraining by their path.
        composition: Augmentations of the training views.
        label_fraction: As of the probe.
        layer_decay: Learning rate of a layer group of the encoder over that of the group after
            it; 1 is no decay.
        refine_root: Train a network beside it that corrects the root's depth (`RootRefiner`).
        size_px: Side of a view.
        epochs: Passes over the images.
        batch_size: Images of an optimiser step.
        optimizer: The optimiser and its schedule, of the layer.
        precision: As of pretraining.
        checkpoint_every: Epochs between checkpoints; the last epoch always writes one.
    """

    mode: Annotated[str, OneOf(*MODES)] = "unfrozen"
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    composition: str = "rotate+translate"
    label_fraction: Annotated[float, Gt(0), Le(1)] = 1.0
    layer_decay: Annotated[float, Gt(0), Le(1)] = 1.0
    refine_root: bool = False
    size_px: Annotated[int, Ge(16)] = 128
    epochs: Annotated[int, Ge(1)] = 100
    batch_size: Annotated[int, Ge(2)] = 128
    optimizer: OptimizerConfig = field(default_factory=_released_optimizer)
    precision: str = "auto"
    checkpoint_every: Annotated[int, Ge(1)] = 1

    def __post_init__(self) -> None:
        check_fields(self, "finetune.")
        require(
            self.mode != "supervised" or self.encoder.weights in ("random", "imagenet"),
            "encoder.weights must be random or imagenet for mode=supervised, but got "
            f"weights={self.encoder.weights}; use mode=unfrozen to train it further",
        )
        require(
            self.optimizer.warmup_epochs < self.epochs,
            f"optimizer.warmup_epochs must be < epochs={self.epochs}, but got "
            f"warmup_epochs={self.optimizer.warmup_epochs}; a tenth of the epochs is usual",
        )
        Composition.parse(self.composition)

    @property
    def peak_lr(self) -> float:
        """Largest learning rate of the layer: base_lr × √batch."""
        return self.optimizer.base_lr * math.sqrt(self.batch_size)
