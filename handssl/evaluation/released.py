"""The probe as the paper's released code trains it: Adam, L1, fresh views in every epoch."""

import math
from collections.abc import Callable
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handssl.evaluation.features import LabelledFeatures
from handssl.evaluation.ridge import LinearMap
from handssl.training.randomness import random_parameters, stream

_LR: Final = 4.42e-5 * math.sqrt(128)
_WEIGHT_DECAY: Final = 2e-4
_BATCH: Final = 128
_DEPTH_WEIGHT: Final = 5.0


def pose_loss(
    prediction_px: Float[Tensor, "batch 21 3"],
    target_px: Float[Tensor, "batch 21 3"],
    valid: Tensor,
) -> Tensor:
    """The paper's loss: mean |Δ(u, v)| in pixels + 5 × mean |Δz_rel|, over valid joints.

    Args:
        prediction_px: (u px, v px, z_rel).
        target_px: The same; where not valid it may be NaN.
        valid: (batch, 21) bool. A batch without a valid joint has loss 0.
    """
    difference = torch.where(valid[..., None], prediction_px - target_px, 0.0).abs()
    joints = valid.sum().clamp_min(1)
    return difference[..., :2].sum() / (2 * joints) + _DEPTH_WEIGHT * difference[..., 2].sum() / (
        joints
    )


def train_released(
    views: Callable[[int], LabelledFeatures],
    validate: Callable[[LinearMap], dict[str, float]],
    *,
    epochs: int,
    size_px: int,
    seed: int,
) -> tuple[LinearMap, tuple[dict[str, float], ...]]:
    """Train the layer with the released recipe.

    Batches of 128, Adam with learning rate 4.42e-5 · √128 and weight decay 2e-4, which Adam adds
    to the gradient. The layer predicts pixels; the returned map predicts fractions of the view,
    as all probes do.

    Args:
        views: Features and poses of all training images for an epoch (from 0), augmented anew.
        validate: Metrics of a layer; called after every epoch.
        epochs: Passes over the images; the paper's 50.
        size_px: Side of a view.
        seed: Source of the layer's first weights and of the order.

    Returns:
        The layer after the last epoch, and the metrics after every epoch.
    """
    unit = torch.tensor([size_px, size_px, 1.0])
    data = views(0)
    with random_parameters(seed, "probe", "layer"):
        layer = nn.Linear(data.features.shape[1], 63)
    optimizer = torch.optim.Adam(layer.parameters(), lr=_LR, weight_decay=_WEIGHT_DECAY)
    history = []
    for epoch in range(epochs):
        data = views(epoch) if epoch else data
        order = torch.randperm(len(data.features), generator=stream(seed, "probe", "order", epoch))
        for rows in torch.split(order, _BATCH):
            # (batch, D) -> (batch, 21, 3): (u px, v px, z_rel).
            prediction = layer(data.features[rows]).view(-1, 21, 3)
            loss = pose_loss(prediction, data.labels.pose[rows] * unit, data.labels.valid[rows])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        history.append(validate(_in_fractions(layer, unit)))
    return _in_fractions(layer, unit), tuple(history)


def _in_fractions(layer: nn.Linear, unit: Tensor) -> LinearMap:
    scale = 1 / unit.double().repeat(21)
    return LinearMap(
        weight=layer.weight.detach().double().mT * scale, bias=layer.bias.detach().double() * scale
    )
