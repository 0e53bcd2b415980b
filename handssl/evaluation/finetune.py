"""Training an encoder with a head for the pose: frozen, unfrozen, or from scratch."""

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from handssl.augment import Composition, make_views
from handssl.data import Store
from handssl.encoders import build_encoder
from handssl.errors import ConfigError, DataError, NonFiniteLossError
from handssl.evaluation.features import LabelledFeatures, extract_features, label_views
from handssl.evaluation.finetune_config import FinetuneConfig
from handssl.evaluation.lifting import Evaluated, evaluate_pose
from handssl.evaluation.pose_model import PoseModel
from handssl.evaluation.probe import with_labels
from handssl.evaluation.released import pose_loss
from handssl.evaluation.root_refiner import root_loss
from handssl.skeleton import WRIST
from handssl.training import EpochReport
from handssl.training.checkpoint import load_checkpoint, save_checkpoint
from handssl.training.optim import build_optimizer, learning_rate
from handssl.training.precision import Autocast
from handssl.training.randomness import random_parameters, stream
from handssl.training.timing import PartTimer


class Finetuning(Iterator[EpochReport]):
    """A run as an iterator over its epochs, on one worker.

    Everything random comes from the seed, the epoch and the batch, so a resumed run continues
    with the numbers of the uninterrupted one. The last images of an epoch make a smaller batch,
    unless that would be a single one.

    Args:
        config: The run.
        train: Images to train on; `label_fraction` of their groups is used.
        seed: Source of every random number.
        device: Where to train.
        resume: Checkpoint to continue from, if any.
        checkpoint: File to write checkpoints to, if any; `PoseModel.load` reads it too.

    Raises:
        ConfigError: If the run cannot start as configured, or `resume` belongs to another run.
        DataError: If no image has the labels that are needed, or `resume` cannot be read.

    Attributes:
        model: Encoder and head.
        history: Reports of all epochs so far, those before a resume included.
        step: Optimiser steps so far.
    """

    def __init__(
        self,
        config: FinetuneConfig,
        train: Store,
        *,
        seed: int,
        device: str | torch.device = "cpu",
        resume: Path | None = None,
        checkpoint: Path | None = None,
    ) -> None:
        self.config = config
        self._seed = seed
        self._device = torch.device(device)
        self._checkpoint = checkpoint
        self._store = with_labels(train, config.label_fraction, seed)
        self._composition = Composition.parse(config.composition)
        labels = label_views(
            torch.empty(len(self._store), 0),
            torch.eye(3).expand(len(self._store), 3, 3),
            self._store,
            size_px=config.size_px,
        )
        usable = labels.valid.any(1)
        if not usable.any():
            raise DataError(
                "the training split must have labelled joints, but got none whose reference bone "
                "is labelled too; check it with `handssl data doctor`"
            )
        with random_parameters(seed, "finetune", "parameters"):
            self.model = PoseModel(
                build_encoder(config.encoder),
                name=config.encoder.name,
                size_px=config.size_px,
                bone_m=float(labels.bone_m[usable].double().mean()),
                refine_root=config.refine_root,
            ).to(self._device)
        self.model.to(memory_format=torch.channels_last)
        if config.mode == "frozen":
            self.model.encoder.requires_grad_(False)
        self._autocast = Autocast.choose(config.precision, self._device)
        self._scaler = self._autocast.scaler()
        self._timer = PartTimer(self._device)
        self._optimizer = build_optimizer(config.optimizer, [self.model], lr=config.peak_lr)
        _decay_by_stage(self._optimizer, self.model, config.layer_decay)
        self._steps_per_epoch = max(
            1, (len(self._store) + config.batch_size - 2) // (config.batch_size)
        )
        self.total_steps = config.epochs * self._steps_per_epoch
        self.step = 0
        self.history: list[EpochReport] = []
        if resume is not None:
            self._restore(resume)

    def __next__(self) -> EpochReport:
        """Train one epoch, write the checkpoint that is due, and report."""
        if len(self.history) == self.config.epochs:
            raise StopIteration
        report = self._train_epoch(len(self.history) + 1)
        self.history.append(report)
        due = report.epoch % self.config.checkpoint_every == 0
        if self._checkpoint is not None and (due or report.epoch == self.config.epochs):
            self.save(self._checkpoint)
        return report

    def evaluate(self, store: Store) -> Evaluated:
        """Measure the model as it is on unaugmented images."""
        return evaluate_model(self.model, store, device=self._device)

    def save(self, path: Path) -> None:
        """Write a checkpoint from which the run continues exactly."""
        save_checkpoint(
            path,
            {
                **self.model.state(),
                "identity": json.dumps(self._identity(), sort_keys=True),
                "optimizer": self._optimizer.state_dict(),
                "scaler": self._scaler.state_dict(),
                "history": json.dumps([dataclasses.asdict(r) for r in self.history]),
            },
        )

    def _identity(self) -> dict[str, Any]:
        rows = hashlib.sha256(self._store.indices.tobytes()).hexdigest()
        return {
            "finetune": dataclasses.asdict(self.config),
            "seed": self._seed,
            "data": {"fingerprint": self._store.fingerprint, "rows": rows},
        }

    def _restore(self, path: Path) -> None:
        content = load_checkpoint(path)
        theirs, ours = json.loads(content["identity"]), json.loads(json.dumps(self._identity()))
        if theirs != ours:
            differ = [key for key in ours if theirs.get(key) != ours[key]]
            raise ConfigError(
                f"resume must be a checkpoint of the same run, but {path} differs in "
                f"{', '.join(differ)}; delete it to start anew"
            )
        self.model.load_parts(content)
        self._optimizer.load_state_dict(content["optimizer"])
        self._scaler.load_state_dict(content["scaler"])
        self.history = [
            EpochReport(**{**report, "losses": tuple(report["losses"])})
            for report in json.loads(content["history"])
        ]
        self.step = self.history[-1].step if self.history else 0

    def _train_epoch(self, epoch: int) -> EpochReport:
        start = time.perf_counter()
        self.model.train()
        if self.config.mode == "frozen":
            self.model.encoder.eval()
        order = torch.randperm(len(self._store), generator=stream(self._seed, "order", epoch))
        losses: list[float] = []
        lr = 0.0
        for index in range(self._steps_per_epoch):
            lr = learning_rate(
                self.step,
                peak_lr=self.config.peak_lr,
                warmup_steps=self.config.optimizer.warmup_epochs * self._steps_per_epoch,
                total_steps=self.total_steps,
            )
            first = index * self.config.batch_size
            rows = order[first : first + self.config.batch_size]
            losses.append(self._train_step(rows, stream(self._seed, "views", epoch, index), lr))
        timings = {**self._timer.totals_s(), "total": time.perf_counter() - start}
        return EpochReport(
            epoch=epoch,
            step=self.step,
            total_steps=self.total_steps,
            loss=math.fsum(losses) / len(losses),
            terms={},
            lr=lr,
            images_per_s=len(order) / timings["total"],
            losses=tuple(losses),
            timings_s=timings,
        )

    def _train_step(self, rows: Tensor, generator: torch.Generator, lr: float) -> float:
        store, size_px = self._store.select(rows.numpy()), self.config.size_px
        with self._timer("data", on_host=True):
            images = store.batch(torch.arange(len(store)).numpy()).to(self._device)
        with self._timer("augment"):
            views = make_views(
                images,
                self._composition,
                generator,
                size=size_px,
                centre_px=torch.from_numpy(store.centre_px),
                side_px=torch.from_numpy(store.side_px),
            )
            labels = label_views(
                torch.empty(len(store), 0), views.matrix.cpu(), store, size_px=size_px
            )
        with self._timer("encoder"):
            with self._autocast():
                pose = self.model(views.images.contiguous(memory_format=torch.channels_last))
            unit = torch.tensor([size_px, size_px, 1.0], device=self._device)
            predicted = pose.float().view(-1, 21, 3) * unit
            valid = labels.valid.to(self._device)
            loss = pose_loss(predicted, labels.pose.to(self._device) * unit, valid)
            if self.model.root_refiner is not None:
                root = self.model.root_refiner(predicted, labels.intrinsics.to(self._device))
                loss = loss + root_loss(root, _root_depth(store, labels).to(root), valid)
            value = float(loss.detach())
            if not math.isfinite(value):
                last = self.history[-1].losses[-1] if self.history else None
                raise NonFiniteLossError(self.step, last, _norms(self.model))
            self._optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(self._scaler.scale(loss))
        with self._timer("optimizer"):
            for group in self._optimizer.param_groups:
                group["lr"] = lr * group["lr_scale"]
            self._scaler.unscale_(self._optimizer)
            self._scaler.step(self._optimizer)
            self._scaler.update()
        self.step += 1
        return value


def evaluate_model(
    model: PoseModel, store: Store, *, device: str | torch.device = "cpu", batch_size: int = 256
) -> Evaluated:
    """Measure a pose model on a store's unaugmented images.

    Raises:
        DataError: If none has the labels that are needed.
    """
    training = model.training
    model.eval()
    try:
        views = extract_features(
            model.to(torch.device(device)),
            store,
            Composition.identity(),
            stream(0, "evaluate"),
            size_px=model.size_px,
            device=torch.device(device),
            batch_size=batch_size,
        )
        with torch.no_grad():
            return evaluate_pose(
                views.features, views, store, size_px=model.size_px, lift=model.lift
            )
    finally:
        model.train(training)


def stages(model: PoseModel) -> list[list[nn.Parameter]]:
    """Parameters by depth, from the image on: the backbone's children, then all else.

    A child without kernels or matrices of its own, such as a norm, belongs to the one before.
    """
    found: list[list[nn.Parameter]] = []
    for child in model.encoder.backbone.children():
        own = list(child.parameters())
        if found and all(parameter.ndim <= 1 for parameter in own):
            found[-1] += own
        elif own:
            found.append(own)
    last = [
        p for name, part in model.parts().items() if name != "encoder" for p in part.parameters()
    ]
    return [*found, last]


def _root_depth(store: Store, labels: LabelledFeatures) -> Tensor:
    """(n,) depth of the wrist in reference bones."""
    return torch.from_numpy(store.joints_m)[:, WRIST, 2] / labels.bone_m


def _decay_by_stage(
    optimizer: torch.optim.Optimizer, model: PoseModel, layer_decay: float
) -> None:
    """Divide every parameter group by stage, with `lr_scale` = decay^(stages after it)."""
    by_stage = stages(model)
    groups = []
    for group in optimizer.param_groups:
        for after, own in enumerate(reversed(by_stage)):
            ids = {id(parameter) for parameter in own}
            members = [p for p in group["params"] if id(p) in ids]
            if members:
                groups.append({**group, "params": members, "lr_scale": layer_decay**after})
    optimizer.param_groups = groups


def _norms(model: PoseModel) -> dict[str, float]:
    return {
        name: math.sqrt(sum(float(p.detach().double().square().sum()) for p in part.parameters()))
        for name, part in (("encoder", model.encoder), ("head", model.head))
    }
