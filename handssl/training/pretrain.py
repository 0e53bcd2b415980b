"""Pretraining: the epoch loop over pairs of views and an objective."""

import contextlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from handssl import distributed
from handssl.data import Store
from handssl.encoders import build_encoder
from handssl.encoders.weights import preprocessing_of
from handssl.errors import require
from handssl.objectives import ObjectiveOutput, build_objective, from_schema_1
from handssl.training.batches import Batches, worker_rows
from handssl.training.batchnorm import synchronise_batchnorm
from handssl.training.config import PretrainConfig
from handssl.training.epochs import BackwardResult, EpochLoop
from handssl.training.optim import build_optimizer
from handssl.training.randomness import random_parameters
from handssl.training.step import Step, data_parallel
from handssl.training.timing import Mark


class Pretraining(EpochLoop):
    """A pretraining run as an iterator over its epochs; `list(run)` trains to the end.

    Inside an initialised `torch.distributed` group each worker makes the same call, and any
    number of workers gives the same numbers, to rounding.

    Args:
        config: The run.
        store: Images to train on, all of them; pass the training split.
        seed: Source of every random number.
        device: Device of the model and the views.
        resume: Checkpoint to continue from, if any.
        checkpoint: File to write checkpoints to, if any; a new one replaces the last one.

    Raises:
        ConfigError: If the run cannot start as configured, or `resume` belongs to another run.
        DataError: If `resume` cannot be read.
        NonFiniteLossError: (while iterating) if the loss stops being finite.

    Attributes:
        config: The run.
        encoder: The encoder that is trained.
        model: Encoder and objective.

    Example:
        >>> import tempfile
        >>> from handssl.data import open_or_build_store
        >>> from handssl.encoders import EncoderConfig
        >>> from handssl.synthetic import generate_freihand
        >>> from handssl.training import OptimizerConfig, PretrainConfig
        >>> folder = Path(tempfile.mkdtemp())
        >>> generate_freihand(folder / "raw", poses=8, versions=1, workers=1)
        >>> store = open_or_build_store(folder / "raw", folder / "store", processes=1)
        >>> config = PretrainConfig(
        ...     encoder=EncoderConfig(name="resnet10t"),
        ...     composition="translate+color_jitter",
        ...     size_px=32,
        ...     epochs=1,
        ...     batch_size=4,
        ...     accumulation=1,
        ...     optimizer=OptimizerConfig(warmup_epochs=0.5),
        ... )
        >>> run = Pretraining(config, store.split("train"), seed=0)
        >>> [report.epoch for report in run]
        [1]
    """

    config_key = "config"

    def __init__(
        self,
        config: PretrainConfig,
        store: Store,
        *,
        seed: int,
        device: str | torch.device = "cpu",
        resume: Path | None = None,
        checkpoint: Path | None = None,
    ) -> None:
        self.config = config
        require(
            config.size_px <= store.source_px,
            f"size_px must be at most the side of the store's images, {store.source_px}, but got "
            f"size_px={config.size_px}; lower it, or open the store with a larger source_px",
        )
        images_per_step = config.batch_size * config.accumulation
        steps_per_epoch = len(store) // images_per_step
        require(
            steps_per_epoch > 0,
            f"batch_size × accumulation must be at most the number of images, {len(store)}, "
            f"but got batch_size={config.batch_size} and accumulation={config.accumulation}",
        )
        super().__init__(
            config,
            store,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            steps_per_epoch=steps_per_epoch,
            images_per_epoch=steps_per_epoch * images_per_step,
        )
        with random_parameters(seed, "parameters"):
            encoder = build_encoder(config.encoder)
            objective = build_objective(
                config.objective, config.parsed_composition(), encoder.feature_dim
            )
        self._pairs_per_batch = len(objective.pairs)
        workers = distributed.world_size()
        self._batches = Batches(
            store=store,
            compositions=objective.pairs,
            seed=seed,
            size_px=config.size_px,
            batch_size=config.batch_size,
            rows=worker_rows(config.batch_size, rank=distributed.rank(), world_size=workers),
            device=self._device,
            timer=self._timer,
            compiled=config.compile_views,
        )
        encoder = encoder.to(self._device).to(memory_format=torch.channels_last)
        self.model = Step(encoder, objective.to(self._device), self._timer)
        if workers > 1:
            synchronise_batchnorm(self.model, self._device)
        self.model.train()
        self.encoder = self.model.encoder
        modules = [self.encoder, self.model.objective]
        self._start(build_optimizer(config.optimizer, modules, lr=config.peak_lr), resume)
        self._forward: nn.Module = (
            data_parallel(self.model) if distributed.in_group() else self.model
        )

    @property
    def encoder_steps(self) -> int:
        """Forward and backward passes of the encoder so far."""
        return self.step * self.config.accumulation * self._pairs_per_batch

    def first_batch_loss(self) -> Tensor:
        """Loss of the first batch with the present weights, in their precision, with gradient."""
        dtype = next(self.model.parameters()).dtype
        views = [
            (a._replace(images=a.images.to(dtype)), b._replace(images=b.images.to(dtype)))
            for a, b in self._batches.views(1, 0)
        ]
        output: ObjectiveOutput = self.model(views)[0]
        return output.loss

    def _upgrade_identity(self, identity: dict[str, Any]) -> dict[str, Any]:
        config = identity["config"]
        objective = from_schema_1(config["objective"])
        return {**identity, "config": {**config, "objective": objective}}

    def _weights(self) -> dict[str, Any]:
        return {
            "preprocessing": preprocessing_of(self.config.size_px),
            "encoder": self.encoder.backbone.state_dict(),
            "objective": self.model.objective.state_dict(),
        }

    def _load_weights(self, content: Mapping[str, Any]) -> None:
        self.encoder.backbone.load_state_dict(content["encoder"])
        self.model.objective.load_state_dict(content["objective"])

    def _modules(self) -> dict[str, nn.Module]:
        children = dict(self.encoder.backbone.named_children())
        encoder = {f"encoder.{name}": module for name, module in children.items()}
        return {**encoder, "objective": self.model.objective}

    def _backward(self, epoch: int, index: int) -> BackwardResult:
        accumulation = self.config.accumulation
        total = torch.zeros((), device=self._device)
        terms = []
        for part in range(accumulation):
            views = self._batches.views(epoch, index * accumulation + part)
            with self._local_gradients(part + 1 < accumulation):
                with self._autocast():
                    output, features = self._forward(views)
                self._differentiate(output.loss / accumulation, features)
            total += output.loss.detach().float() / accumulation
            terms.append(output.terms)
        return BackwardResult(loss=total, terms=terms)

    def _differentiate(self, loss: Tensor, features: list[Tensor]) -> None:
        """Backward pass, timed as the objective's until a gradient reaches the features."""
        marks: list[Mark] = []
        for encoded in features:
            encoded.register_hook(lambda _: marks.append(self._timer.now()))  # type: ignore[no-untyped-call]
        start = self._timer.now()
        torch.autograd.backward(self._scaler.scale(loss))
        self._timer.add("objective", start, marks[0])
        self._timer.add("encoder", marks[0], self._timer.now())

    def _local_gradients(self, skip_exchange: bool) -> AbstractContextManager[None]:
        if skip_exchange and isinstance(self._forward, DistributedDataParallel):
            return self._forward.no_sync()
        return contextlib.nullcontext()
