"""One pretraining run, epoch by epoch."""

import contextlib
import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from handssl.data import Store
from handssl.encoders import build_encoder
from handssl.encoders.preprocessing import preprocessing_of
from handssl.errors import ConfigError, NonFiniteLossError
from handssl.objectives import build_objective
from handssl.training.batches import Batches
from handssl.training.batchnorm import synchronise_batchnorm
from handssl.training.checkpoint import load_checkpoint, save_checkpoint
from handssl.training.config import PretrainConfig
from handssl.training.optim import build_optimizer, learning_rate
from handssl.training.precision import Autocast
from handssl.training.randomness import random_parameters
from handssl.training.step import Step
from handssl.training.timing import PartTimer
from handssl.training.workers import Workers, data_parallel


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """What an epoch did.

    Attributes:
        epoch: The epoch, from 1.
        step: Optimiser steps of the run so far.
        total_steps: Optimiser steps of the full run.
        loss: Mean loss over the epoch's steps.
        terms: Means of the objective's terms.
        lr: Learning rate of the last step.
        images_per_s: Source images a second, all workers together.
        losses: Loss of every step.
        timings_s: Seconds of `encoder` (forward and backward), `objective`, `optimizer`,
            `augment`, `data`, `checkpoint`, and `total` of the epoch.
    """

    epoch: int
    step: int
    total_steps: int
    loss: float
    terms: dict[str, float]
    lr: float
    images_per_s: float
    losses: tuple[float, ...]
    timings_s: dict[str, float]


class Pretraining(Iterator[EpochReport]):
    """A run as an iterator over its epochs; see `pretraining` for the arguments.

    Attributes:
        encoder: The encoder being trained.
        history: Reports of all epochs so far, those before a resume included.
        step: Optimiser steps so far.
    """

    def __init__(
        self,
        config: PretrainConfig,
        store: Store,
        *,
        seed: int,
        device: str | torch.device,
        resume: Path | None,
        checkpoint: Path | None,
    ) -> None:
        self.config = config
        self._store = store
        self._seed = seed
        self._workers = Workers.current()
        self._device = self._workers.device_for(device)
        self._checkpoint = checkpoint
        source_px = store.source_px
        if config.size_px > source_px:
            raise ConfigError(
                f"size_px must be at most the side of the store's images, {source_px}, but got "
                f"size_px={config.size_px}; lower it, or open the store with a larger source_px"
            )
        images_per_step = config.batch_size * config.accumulation
        self._steps_per_epoch = len(store) // images_per_step
        if not self._steps_per_epoch:
            raise ConfigError(
                f"batch_size × accumulation must be at most the number of images, {len(store)}, "
                f"but got batch_size={config.batch_size} and accumulation={config.accumulation}"
            )
        self.total_steps = config.epochs * self._steps_per_epoch
        self._autocast = Autocast.choose(config.precision, self._device)
        self._scaler = self._autocast.scaler()
        self._timer = PartTimer(self._device)

        composition = config.parsed_composition()
        with random_parameters(seed, "parameters"):
            encoder = build_encoder(config.encoder)
            objective = build_objective(config.objective, composition, encoder.feature_dim)
        self._pairs_per_batch = len(objective.pairs)
        self._batches = Batches(
            store,
            tuple(objective.pairs),
            seed=seed,
            size_px=config.size_px,
            batch_size=config.batch_size,
            device=self._device,
            workers=self._workers,
            timer=self._timer,
            compiled=config.compile_views,
        )
        encoder = encoder.to(self._device).to(memory_format=torch.channels_last)
        self._model = Step(encoder, objective.to(self._device), self._timer)
        if self._workers.count > 1:
            synchronise_batchnorm(self._model, self._device)
        self._model.train()
        self.encoder = self._model.encoder
        self._optimizer = build_optimizer(
            config.optimizer, [self.encoder, self._model.objective], lr=config.peak_lr
        )
        self.step = 0
        self.history: list[EpochReport] = []
        self._last_loss: float | None = None
        if resume is not None:
            self._restore(resume)
        self._forward: nn.Module = (
            data_parallel(self._model) if self._workers.grouped else self._model
        )

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return len(self.history)

    @property
    def encoder_steps(self) -> int:
        """Forward and backward passes of the encoder so far."""
        return self.step * self.config.accumulation * self._pairs_per_batch

    def __next__(self) -> EpochReport:
        """Train one epoch, write the checkpoint that is due, and report."""
        if self.epoch == self.config.epochs:
            raise StopIteration
        report = self._train_epoch(self.epoch + 1)
        self.history.append(report)
        last = report.epoch == self.config.epochs
        if self._checkpoint is not None and (
            last or report.epoch % self.config.checkpoint_every == 0
        ):
            start = time.perf_counter()
            self.save(self._checkpoint)
            timings = {**report.timings_s, "checkpoint": time.perf_counter() - start}
            timings["total"] += timings["checkpoint"]
            report = self.history[-1] = dataclasses.replace(report, timings_s=timings)
        return report

    def save(self, path: Path) -> None:
        """Write a checkpoint from which the run continues exactly; all workers call this."""
        if self._workers.rank == 0:
            save_checkpoint(
                path,
                {
                    "identity": json.dumps(self._identity(), sort_keys=True),
                    "preprocessing": preprocessing_of(self.config.size_px),
                    "encoder": self.encoder.backbone.state_dict(),
                    "objective": self._model.objective.state_dict(),
                    "optimizer": self._optimizer.state_dict(),
                    "scaler": self._scaler.state_dict(),
                    "history": json.dumps([dataclasses.asdict(r) for r in self.history]),
                },
            )
        self._workers.wait()

    def _identity(self) -> dict[str, Any]:
        """What two runs must share for one to continue the other."""
        return {
            "config": self.config.to_dict(),
            "seed": self._seed,
            "data": {
                "fingerprint": self._store.fingerprint,
                "rows": hashlib.sha256(self._store.indices.tobytes()).hexdigest(),
            },
        }

    def _restore(self, path: Path) -> None:
        content = load_checkpoint(path)
        theirs = _flat(json.loads(content["identity"]))
        ours = _flat(json.loads(json.dumps(self._identity())))
        for key in sorted(theirs.keys() | ours.keys()):
            if theirs.get(key) != ours.get(key):
                raise ConfigError(
                    f"{key} must be that of the checkpoint {path}, {theirs.get(key)}, but got "
                    f"{key.rpartition('.')[2]}={ours.get(key)}; delete it to start anew"
                )
        self.encoder.backbone.load_state_dict(content["encoder"])
        self._model.objective.load_state_dict(content["objective"])
        self._optimizer.load_state_dict(content["optimizer"])
        self._scaler.load_state_dict(content["scaler"])
        self.history = [
            EpochReport(**{**report, "losses": tuple(report["losses"])})
            for report in json.loads(content["history"])
        ]
        if self.history:
            self.step = self.history[-1].step
            self._last_loss = self.history[-1].losses[-1]

    def _train_epoch(self, epoch: int) -> EpochReport:
        start = time.perf_counter()
        losses: list[float] = []
        terms: dict[str, Tensor] = {}
        lr = 0.0
        for _ in range(self._steps_per_epoch):
            lr = learning_rate(
                self.step,
                peak_lr=self.config.peak_lr,
                warmup_steps=self.config.optimizer.warmup_epochs * self._steps_per_epoch,
                total_steps=self.total_steps,
            )
            losses.append(self._train_step(epoch, len(losses), lr, terms))
        passes = self._steps_per_epoch * self.config.accumulation
        means = self._workers.mean(torch.stack([*terms.values()]) / passes)
        timings = self._timer.totals_s()
        timings["total"] = time.perf_counter() - start
        images = passes * self.config.batch_size
        return EpochReport(
            epoch=epoch,
            step=self.step,
            total_steps=self.total_steps,
            loss=math.fsum(losses) / len(losses),
            terms=dict(zip(terms, means.tolist(), strict=True)),
            lr=lr,
            images_per_s=images / timings["total"],
            losses=tuple(losses),
            timings_s={
                "data": 0.0,
                "augment": 0.0,
                "encoder": 0.0,
                "objective": 0.0,
                "optimizer": 0.0,
                "checkpoint": 0.0,
                **timings,
            },
        )

    def _train_step(self, epoch: int, index: int, lr: float, terms: dict[str, Tensor]) -> float:
        """One optimiser step over `accumulation` batches; returns the loss over all workers."""
        accumulation = self.config.accumulation
        total = torch.zeros((), device=self._device)
        self._optimizer.zero_grad(set_to_none=True)
        for part in range(accumulation):
            pairs = self._batches.pairs(epoch, index * accumulation + part)
            with self._local_gradients(part + 1 < accumulation):
                with self._autocast():
                    loss, batch_terms = self._forward(pairs)
                self._backward(loss / accumulation)
            total += loss.detach().float() / accumulation
            for name, value in batch_terms.items():
                terms[name] = terms.get(name, 0.0) + value.detach().to(self._device).float()
        value = float(self._workers.mean(total))
        if not math.isfinite(value):
            raise NonFiniteLossError(self.step, self._last_loss, self._parameter_norms())
        with self._timer("optimizer"):
            for group in self._optimizer.param_groups:
                group["lr"] = lr
            # LARS and LAMB look at the gradients' size: the loss scale must be gone by then.
            self._scaler.unscale_(self._optimizer)
            self._scaler.step(self._optimizer)
            self._scaler.update()
        self.step += 1
        self._last_loss = value
        return value

    def _backward(self, loss: Tensor) -> None:
        start = self._timer.now()
        torch.autograd.backward(self._scaler.scale(loss))
        reached = self._model.features_ready
        assert reached is not None, "the loss depends on the features"
        self._timer.add("objective", start, reached)
        self._timer.add("encoder", reached, self._timer.now())

    def _local_gradients(self, skip_exchange: bool) -> AbstractContextManager[None]:
        if skip_exchange and isinstance(self._forward, DistributedDataParallel):
            return self._forward.no_sync()
        return contextlib.nullcontext()

    def _parameter_norms(self) -> dict[str, float]:
        modules = {
            **{f"encoder.{name}": m for name, m in self.encoder.backbone.named_children()},
            "objective": self._model.objective,
        }
        return {
            name: math.sqrt(sum(float(p.detach().double().square().sum()) for p in parameters))
            for name, module in modules.items()
            if (parameters := list(module.parameters()))
        }


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
