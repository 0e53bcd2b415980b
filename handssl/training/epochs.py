"""The epoch loop that pretraining and fine-tuning share: steps, reports, checkpoints, resuming."""

import dataclasses
import hashlib
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from handssl import distributed
from handssl.data import Store
from handssl.errors import NonFiniteLossError, require
from handssl.records import flatten
from handssl.training.checkpoint import load_checkpoint, save_checkpoint
from handssl.training.config import OptimizerConfig
from handssl.training.optim import learning_rate
from handssl.training.precision import Autocast, existing_device
from handssl.training.timing import PartTimer

_PARTS: Final = ("data", "augment", "encoder", "objective", "optimizer", "checkpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """Result of one epoch.

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


@runtime_checkable
class LoopConfig(Protocol):
    """The settings that the loop reads from the configuration of a run."""

    @property
    def epochs(self) -> int:
        """Passes over the images."""

    @property
    def checkpoint_every(self) -> int:
        """Epochs between checkpoints."""

    @property
    def precision(self) -> str:
        """See `Autocast.choose`."""

    @property
    def optimizer(self) -> OptimizerConfig:
        """The optimiser and its schedule."""

    @property
    def peak_lr(self) -> float:
        """Learning rate at the end of the warm-up."""


class BackwardResult(NamedTuple):
    """Result of the forward and backward passes of one optimiser step.

    Attributes:
        loss: Scalar of this worker; the gradients of the (scaled) loss are accumulated.
        terms: Scalars by name, for each batch of the step.
    """

    loss: Tensor
    terms: list[dict[str, Tensor]]


class EpochLoop(Iterator[EpochReport], ABC):
    """A run as an iterator over its epochs: each `next` trains one and returns its report.

    Everything random comes from the seed, the epoch and the batch, so a run that is resumed from
    a checkpoint continues with the numbers of the uninterrupted one, bit for bit on a CPU.

    A subclass builds its model, calls `_start`, and implements `_backward`, one step's forward
    and backward passes.

    Attributes:
        config_key: Name of the configuration in the checkpoint's identity.
        history: Reports of all epochs so far, those before a resume included.
        step: Optimiser steps so far.
        total_steps: Optimiser steps of the full run.
    """

    config_key: ClassVar[str]

    def __init__(
        self,
        config: LoopConfig,
        store: Store,
        *,
        seed: int,
        device: str | torch.device,
        checkpoint: Path | None,
        steps_per_epoch: int,
        images_per_epoch: int,
    ) -> None:
        self._config = config
        self._store = store
        self._seed = seed
        self._device = existing_device(device)
        self._checkpoint = checkpoint
        self._steps_per_epoch = steps_per_epoch
        self._images_per_epoch = images_per_epoch
        self._autocast = Autocast.choose(config.precision, self._device)
        self._scaler = self._autocast.scaler()
        self._timer = PartTimer(self._device)
        self._optimizer: torch.optim.Optimizer
        self.total_steps = config.epochs * steps_per_epoch
        self.step = 0
        self.history: list[EpochReport] = []

    def _start(self, optimizer: torch.optim.Optimizer, resume: Path | None) -> None:
        """Take over the optimiser, and continue from a checkpoint if there is one."""
        self._optimizer = optimizer
        if resume is not None:
            self._restore(resume)

    @abstractmethod
    def _backward(self, epoch: int, index: int) -> BackwardResult:
        """Accumulate the gradients of step `index` (from 0) of an epoch (from 1)."""

    @abstractmethod
    def _weights(self) -> dict[str, Any]:
        """Weights, and whatever else a checkpoint holds beside the loop's state."""

    @abstractmethod
    def _load_weights(self, content: Mapping[str, Any]) -> None:
        """Load the weights of a checkpoint."""

    @abstractmethod
    def _modules(self) -> dict[str, nn.Module]:
        """Modules whose parameter norms are reported when the loss is not finite."""

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return len(self.history)

    def __next__(self) -> EpochReport:
        """Train one epoch, write the checkpoint that is due, and report."""
        if self.epoch == self._config.epochs:
            raise StopIteration
        report = self._train_epoch(self.epoch + 1)
        self.history.append(report)
        last = report.epoch == self._config.epochs
        due = last or report.epoch % self._config.checkpoint_every == 0
        if self._checkpoint is not None and due:
            start = time.perf_counter()
            self.save(self._checkpoint)
            timings = {**report.timings_s, "checkpoint": time.perf_counter() - start}
            timings["total"] += timings["checkpoint"]
            report = self.history[-1] = dataclasses.replace(report, timings_s=timings)
        return report

    def save(self, path: Path) -> None:
        """Write a checkpoint from which the run continues exactly; all workers call this."""
        if distributed.rank() == 0:
            state = {
                "identity": json.dumps(self._identity(), sort_keys=True),
                "optimizer": self._optimizer.state_dict(),
                "scaler": self._scaler.state_dict(),
                "history": json.dumps([dataclasses.asdict(r) for r in self.history]),
            }
            save_checkpoint(path, {**self._weights(), **state})
        distributed.barrier()

    def _identity(self) -> dict[str, Any]:
        """Settings and data that two runs must share for one to continue the other."""
        return {
            self.config_key: dataclasses.asdict(self._config),  # type: ignore[call-overload]
            "seed": self._seed,
            "data": {
                "fingerprint": self._store.fingerprint,
                "rows": hashlib.sha256(self._store.indices.tobytes()).hexdigest(),
            },
        }

    def _upgrade_identity(self, identity: dict[str, Any]) -> dict[str, Any]:
        """An identity in the present form, whenever it was written."""
        return identity

    def _restore(self, path: Path) -> None:
        content = load_checkpoint(path)
        theirs = flatten(self._upgrade_identity(json.loads(content["identity"])))
        ours = flatten(json.loads(json.dumps(self._identity())))
        for key in sorted(theirs.keys() | ours.keys()):
            require(
                theirs.get(key) == ours.get(key),
                f"{key} must be that of the checkpoint {path}, {theirs.get(key)}, but got "
                f"{key.rpartition('.')[2]}={ours.get(key)}; delete it to start anew",
            )
        self._load_weights(content)
        self._optimizer.load_state_dict(content["optimizer"])
        self._scaler.load_state_dict(content["scaler"])
        self.history = [
            EpochReport(**{**report, "losses": tuple(report["losses"])})
            for report in json.loads(content["history"])
        ]
        self.step = self.history[-1].step if self.history else 0

    def _train_epoch(self, epoch: int) -> EpochReport:
        start = time.perf_counter()
        losses: list[float] = []
        sums: dict[str, Tensor] = {}
        batches, lr = 0, 0.0
        for index in range(self._steps_per_epoch):
            lr = learning_rate(
                self.step,
                peak_lr=self._config.peak_lr,
                warmup_steps=self._config.optimizer.warmup_epochs * self._steps_per_epoch,
                total_steps=self.total_steps,
            )
            self._optimizer.zero_grad(set_to_none=True)
            loss, batch_terms = self._backward(epoch, index)
            for terms in batch_terms:
                batches += 1
                for name, term in terms.items():
                    sums[name] = sums.get(name, 0.0) + term.detach().to(self._device).float()
            losses.append(self._checked(loss, losses))
            self._update(lr)
        means = distributed.mean(torch.stack([*sums.values()]) / batches).tolist() if sums else []
        timings = self._timer.totals_s()
        timings["total"] = time.perf_counter() - start
        return EpochReport(
            epoch=epoch,
            step=self.step,
            total_steps=self.total_steps,
            loss=math.fsum(losses) / len(losses),
            terms=dict(zip(sums, means, strict=True)),
            lr=lr,
            images_per_s=self._images_per_epoch / timings["total"],
            losses=tuple(losses),
            timings_s={**dict.fromkeys(_PARTS, 0.0), **timings},
        )

    def _checked(self, loss: Tensor, losses: list[float]) -> float:
        """Mean loss over the workers, which must be finite; `losses` are the epoch's so far."""
        value = float(distributed.mean(loss))
        if math.isfinite(value):
            return value
        norms = {
            name: math.sqrt(sum(float(p.detach().double().square().sum()) for p in parameters))
            for name, module in self._modules().items()
            if (parameters := list(module.parameters()))
        }
        finite = [loss for report in self.history for loss in report.losses] + losses
        raise NonFiniteLossError(self.step, finite[-1] if finite else None, norms)

    def _update(self, lr: float) -> None:
        """One optimiser step with the accumulated gradients."""
        with self._timer("optimizer"):
            for group in self._optimizer.param_groups:
                group["lr"] = lr * group.get("lr_scale", 1.0)
            # LARS and LAMB look at the gradients' size: the loss scale must be gone by then.
            self._scaler.unscale_(self._optimizer)
            self._scaler.step(self._optimizer)
            self._scaler.update()
        self.step += 1
