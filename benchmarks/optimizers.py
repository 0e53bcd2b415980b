"""Optimisers: how far Adam inside LARS is from Adam.

Two runs from the same weights on the same batches, at the study's peak learning rate 1e-4 · √2048,
with and without the LARS wrapper: the cosine between the changes of the encoder's weights from the
first to the last step, and how far the losses lie apart. LAMB, which the wrapper was meant to be,
is shown beside.
"""

import torch
from torch import Tensor

from benchmarks.figure import Row, row
from benchmarks.hands import embedded
from handssl.data import Store
from handssl.encoders import EncoderConfig
from handssl.training import OptimizerConfig, PretrainConfig, pretraining


def measure(*, quick: bool = False) -> list[Row]:
    """Cosine and mean absolute difference of the loss, lars_adam and lamb each against adam."""
    torch.set_num_threads(1)
    store = embedded(quick=quick).split("train")
    runs = {name: _run(name, store, quick=quick) for name in ("adam", "lars_adam", "lamb")}
    change, losses = runs["adam"]
    rows = []
    for name in ("lars_adam", "lamb"):
        own_change, own_losses = runs[name]
        cosine = torch.nn.functional.cosine_similarity(change, own_change, dim=0)
        apart = (losses - own_losses).abs().mean()
        compared = f"{name} against adam, {len(losses)} steps"
        rows += [
            row(f"{compared}: cosine of the weights' changes", float(cosine)),
            row(f"{compared}: ratio of their lengths", float(own_change.norm() / change.norm())),
            row(f"{compared}: mean |Δ loss|", float(apart)),
        ]
    rows.append(row("loss of adam, first and last step", f"{losses[0]:.3f}, {losses[-1]:.3f}"))
    return rows


def _run(name: str, store: Store, *, quick: bool) -> tuple[Tensor, Tensor]:
    """Change of the encoder's weights from first to last step, and the loss of every step."""
    batch_size, epochs = (16, 1) if quick else (64, 5)
    config = PretrainConfig(
        encoder=EncoderConfig(name="resnet10t"),
        composition="T+CJ+S",
        size_px=32 if quick else 64,
        batch_size=batch_size,
        accumulation=1,
        epochs=epochs,
        optimizer=OptimizerConfig(
            name=name, base_lr=1e-4 * (2048 / batch_size) ** 0.5, warmup_epochs=epochs / 10
        ),
    )
    run = pretraining(config, store, seed=0)
    before = _weights(run.encoder)
    losses = [loss for report in run for loss in report.losses]
    return _weights(run.encoder) - before, torch.tensor(losses)


def _weights(module: torch.nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten().double() for p in module.parameters()])
