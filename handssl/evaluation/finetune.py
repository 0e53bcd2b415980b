"""Training an encoder with a head for the pose: frozen, unfrozen, or from scratch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from handssl.augment import Composition, make_views
from handssl.data import Store
from handssl.encoders import build_encoder
from handssl.errors import DataError
from handssl.evaluation.features import ViewLabels, extract_features, view_labels
from handssl.evaluation.finetune_config import FinetuneConfig
from handssl.evaluation.lifting import Evaluated, evaluate_pose
from handssl.evaluation.pose_model import PoseModel
from handssl.evaluation.probe import with_labels
from handssl.evaluation.released import pose_loss
from handssl.evaluation.root_refiner import root_loss
from handssl.training.epochs import BackwardResult, EpochLoop, EpochReport
from handssl.training.optim import build_optimizer
from handssl.training.randomness import random_parameters, stream


class Finetuning(EpochLoop):
    """A fine-tuning run as an iterator over its epochs, on one worker.

    The last images of an epoch make a smaller batch, unless that batch would be a single image.

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
        NonFiniteLossError: (while iterating) if the loss stops being finite.

    Attributes:
        config: The run.
        model: Encoder and head.

    Example:
        >>> import tempfile
        >>> from handssl.data import open_or_build_store
        >>> from handssl.encoders import EncoderConfig
        >>> from handssl.synthetic import generate_freihand
        >>> folder = Path(tempfile.mkdtemp())
        >>> generate_freihand(folder / "raw", poses=8, versions=1, workers=1)
        >>> store = open_or_build_store(folder / "raw", folder / "store", processes=1)
        >>> config = FinetuneConfig(
        ...     mode="supervised", encoder=EncoderConfig(name="resnet10t"), size_px=32, epochs=1
        ... )
        >>> run = Finetuning(config, store.split("train"), seed=0)
        >>> [report.epoch for report in run]
        [1]
        >>> sorted(run.evaluate(store.split("val")).metrics)[:2]
        ['auc_50cm', 'auc_5cm']
    """

    config_key = "finetune"

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
        store = with_labels(train, config.label_fraction, seed)
        super().__init__(
            config,
            store,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            steps_per_epoch=max(1, (len(store) + config.batch_size - 2) // config.batch_size),
            images_per_epoch=len(store),
        )
        self._composition = Composition.parse(config.composition)
        unaugmented = torch.eye(3).expand(len(store), 3, 3)
        labels = view_labels(unaugmented, store, size_px=config.size_px)
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
        optimizer = build_optimizer(config.optimizer, [self.model], lr=config.peak_lr)
        _decay_by_layer_group(optimizer, self.model, config.layer_decay)
        self._start(optimizer, resume)

    def evaluate(self, store: Store) -> Evaluated:
        """Measure the model as it is on unaugmented images."""
        return evaluate_model(self.model, store, device=self._device)

    def _weights(self) -> dict[str, Any]:
        return self.model.state()

    def _load_weights(self, content: Mapping[str, Any]) -> None:
        self.model.load_parts(content)

    def _modules(self) -> dict[str, nn.Module]:
        return {"encoder": self.model.encoder, "head": self.model.head}

    def _train_epoch(self, epoch: int) -> EpochReport:
        self.model.train()
        if self.config.mode == "frozen":
            self.model.encoder.eval()
        generator = stream(self._seed, "order", epoch)
        self._order = torch.randperm(len(self._store), generator=generator)
        return super()._train_epoch(epoch)

    def _backward(self, epoch: int, index: int) -> BackwardResult:
        first, size_px = index * self.config.batch_size, self.config.size_px
        rows = self._order[first : first + self.config.batch_size]
        store = self._store.select(rows.numpy())
        with self._timer("data", on_host=True):
            images = store.batch(torch.arange(len(store)).numpy()).to(self._device)
        with self._timer("augment"):
            views = make_views(
                images,
                self._composition,
                stream(self._seed, "views", epoch, index),
                size=size_px,
                centre_px=torch.from_numpy(store.centre_px),
                side_px=torch.from_numpy(store.side_px),
            )
            labels = view_labels(views.matrix.cpu(), store, size_px=size_px)
        with self._timer("encoder"):
            with self._autocast():
                pose = self.model(views.images.contiguous(memory_format=torch.channels_last))
            loss = self._loss(pose.float().view(-1, 21, 3), labels, store)
            torch.autograd.backward(self._scaler.scale(loss))
        return BackwardResult(loss=loss.detach(), terms=[])

    def _loss(self, pose: Tensor, labels: ViewLabels, store: Store) -> Tensor:
        """Loss of (B, 21, 3) poses, (u, v) in fractions of the view's side."""
        size_px = self.config.size_px
        unit = torch.tensor([size_px, size_px, 1.0], device=self._device)
        predicted = pose * unit
        valid = labels.valid.to(self._device)
        loss = pose_loss(predicted, labels.pose.to(self._device) * unit, valid)
        if self.model.root_refiner is not None:
            root = self.model.root_refiner(predicted, labels.intrinsics.to(self._device))
            # Depth of the wrist in reference bones, (B,).
            target = labels.root_m / labels.bone_m
            loss = loss + root_loss(root, target.to(root), valid)
        return loss


def evaluate_model(
    model: PoseModel, store: Store, *, device: str | torch.device = "cpu", batch_size: int = 256
) -> Evaluated:
    """Measure a pose model on a store's unaugmented images; see `Finetuning` for an example.

    Raises:
        DataError: If no image has the labels that are needed.
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
                views.features, views.labels, store, size_px=model.size_px, lift=model.lift
            )
    finally:
        model.train(training)


def layer_groups(model: PoseModel) -> list[list[nn.Parameter]]:
    """Parameters by depth, from the image on: the backbone's children, then all else.

    A child that has only vectors and scalars, such as a norm, joins the group before it.
    """
    groups: list[list[nn.Parameter]] = []
    for child in model.encoder.backbone.children():
        parameters = list(child.parameters())
        if groups and all(parameter.ndim <= 1 for parameter in parameters):
            groups[-1] += parameters
        elif parameters:
            groups.append(parameters)
    last = [
        p for name, part in model.parts().items() if name != "encoder" for p in part.parameters()
    ]
    return [*groups, last]


def _decay_by_layer_group(
    optimizer: torch.optim.Optimizer, model: PoseModel, layer_decay: float
) -> None:
    """Split every parameter group by layer group; `lr_scale` = decay^(layer groups after it)."""
    layers = layer_groups(model)
    groups = []
    for group in optimizer.param_groups:
        for after, parameters in enumerate(reversed(layers)):
            ids = {id(parameter) for parameter in parameters}
            members = [p for p in group["params"] if id(p) in ids]
            if members:
                groups.append({**group, "params": members, "lr_scale": layer_decay**after})
    optimizer.param_groups = groups
