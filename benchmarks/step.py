"""Training step: the share of its time in the encoder, and where the rest goes.

ResNet-18, T+S+Ro+CJ, one core, the loop's own clock: forward and backward of the encoder against
the whole step, in the second of two epochs.
"""

import torch

from benchmarks.figure import Row, row
from benchmarks.hands import embedded
from handssl.encoders import EncoderConfig
from handssl.objectives import objective_config
from handssl.training import OptimizerConfig, PretrainConfig, Pretraining

_SIZES: dict[int, tuple[int, float | None]] = {128: (64, 0.93), 64: (128, 0.85)}
_QUICK: dict[int, tuple[int, float | None]] = {32: (16, None)}
"""Batch and least share at each size."""


def config_of(
    *, size_px: int, batch_size: int, epochs: int, objective: str = "contrastive", **more: str
) -> PretrainConfig:
    """A run of ResNet-18 on T+S+Ro+CJ, as the study's but for its length."""
    return PretrainConfig(
        encoder=EncoderConfig(name=more.get("encoder", "resnet18")),
        objective=objective_config(objective),
        composition="T+S+Ro+CJ",
        size_px=size_px,
        batch_size=batch_size,
        accumulation=1,
        epochs=epochs,
        optimizer=OptimizerConfig(
            name=more.get("optimizer", "lars_adam"), warmup_epochs=0.0, base_lr=1e-4
        ),
    )


def measure(*, quick: bool = False) -> list[Row]:
    """The share at 128 and at 64 px for both objectives, then each part's."""
    torch.set_num_threads(1)
    store = embedded(quick=quick).split("train")
    rows = []
    for size_px, (batch_size, least) in (_QUICK if quick else _SIZES).items():
        for objective in ("contrastive", "relative"):
            config = config_of(
                size_px=size_px, batch_size=batch_size, epochs=2, objective=objective
            )
            _, report = Pretraining(config, store, seed=0)
            seconds = dict(report.timings_s)
            total = seconds.pop("total")
            own = f"{objective}, {size_px} px, batch {batch_size}"
            share = seconds["encoder"] / total
            rows.append(row(f"encoder's share of a step, {own}", share, least=least))
            seconds["other"] = total - sum(seconds.values())
            parts = sorted(seconds.items(), key=lambda item: -item[1])
            shares = ", ".join(
                f"{name} {100 * value / total:.1f} %" for name, value in parts if value
            )
            rows.append(row(f"where its time goes, {own}", shares))
            rows.append(row(f"images a second, {own}", report.images_per_s, "images/s"))
    return rows
