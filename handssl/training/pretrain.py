"""The pretraining loop: a plain function, and the same loop as an iterator over its epochs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from handssl.data import Store
from handssl.encoders import Encoder
from handssl.training.config import PretrainConfig
from handssl.training.loop import EpochReport, Pretraining


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainResult:
    """A finished run.

    Attributes:
        encoder: The pretrained encoder, on the run's device, in evaluation mode.
        history: One report an epoch, those before a resume included.
        steps: Optimiser steps.
        encoder_steps: Forward and backward passes of the encoder (steps × accumulation × pairs).
        timings_s: Seconds by part, summed over the epochs.
    """

    encoder: Encoder
    history: tuple[EpochReport, ...]
    steps: int
    encoder_steps: int
    timings_s: dict[str, float]


def pretraining(
    config: PretrainConfig,
    store: Store,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    resume: Path | None = None,
    checkpoint: Path | None = None,
) -> Pretraining:
    """A run as an iterator: every `next` trains an epoch and returns its report.

    Everything random comes from `seed`, the epoch and the step, so a run that is resumed from a
    checkpoint continues with the numbers of the uninterrupted one, bit for bit on a CPU. Inside
    an initialised `torch.distributed` group each worker makes the same call.

    Args:
        config: The run.
        store: Images to train on, all of them; pass the training split.
        seed: Source of every random number.
        device: Device of the model and the views.
        resume: Checkpoint to continue from, if any.
        checkpoint: File to write checkpoints to, if any; only the last one is kept.

    Raises:
        ConfigError: If the run cannot start as configured, or `resume` belongs to another run.
        DataError: If `resume` cannot be read.
        NonFiniteLossError: (while iterating) if the loss stops being finite.
    """
    return Pretraining(
        config, store, seed=seed, device=device, resume=resume, checkpoint=checkpoint
    )


def pretrain(
    config: PretrainConfig,
    store: Store,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    resume: Path | None = None,
    checkpoint: Path | None = None,
    report: Callable[[EpochReport], Any] | None = None,
) -> PretrainResult:
    """Train to the end, handing each epoch's report to `report`; see `pretraining`."""
    run = pretraining(
        config, store, seed=seed, device=device, resume=resume, checkpoint=checkpoint
    )
    for epoch in run:
        if report is not None:
            report(epoch)
    timings: dict[str, float] = {}
    for epoch in run.history:
        for part, seconds in epoch.timings_s.items():
            timings[part] = timings.get(part, 0.0) + seconds
    return PretrainResult(
        encoder=run.encoder.eval(),
        history=tuple(run.history),
        steps=run.step,
        encoder_steps=run.encoder_steps,
        timings_s=timings,
    )
