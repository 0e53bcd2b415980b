"""The exact probe against the released one: time for the same frozen encoder and images.

The released probe trains the layer for 50 epochs with Adam and an L1 loss, and looks at every
image anew, augmented, and validates, in every epoch. It is written here as that, run for one epoch
after a warm-up one, and counted 50 times; the exact probe is run whole. ResNet-18, 64 px. Nearly
all time is the encoder's in both, so the passes over the images bound the ratio, however fast a
pass is: 50 over training and validation against a plain and two augmented ones over training and
one over validation are 17.9 times as many, with one augmented pass 26.4 times.
"""

import time

import torch

from benchmarks.figure import Row, row
from benchmarks.hands import embedded
from handssl.augment import Composition
from handssl.data import Store
from handssl.encoders import Encoder, EncoderConfig, build_encoder
from handssl.evaluation import ProbeConfig, linear_probe
from handssl.evaluation.features import LabelledFeatures, extract_features
from handssl.training.randomness import stream

_EPOCHS = 50


def measure(*, quick: bool = False) -> list[Row]:
    """Seconds of CPU time of both, and how many times faster the exact one is."""
    torch.set_num_threads(1)
    store = embedded(quick=quick)
    train, val = store.split("train"), store.split("val")
    size_px = 32 if quick else 64
    encoder = build_encoder(EncoderConfig(name="resnet18"))
    released = _EPOCHS * _released_epoch_s(encoder, train, val, ProbeConfig(size_px=size_px))
    rows = [row(f"released probe, {_EPOCHS} × one measured epoch", released, "CPU-s")]
    for passes in (2, 1):
        start = time.process_time()
        linear_probe(encoder, train, val, ProbeConfig(size_px=size_px, augmented_passes=passes))
        exact = time.process_time() - start
        own = f"exact probe, {passes} augmented pass{'es' * (passes > 1)} and a plain one"
        rows.append(row(own, exact, "CPU-s"))
        rows.append(
            row(f"released over {own}", released / exact, "×", least=None if quick else 20)
        )
    return rows


def _released_epoch_s(encoder: Encoder, train: Store, val: Store, config: ProbeConfig) -> float:
    """Seconds of one epoch: features of fresh views, the layer's steps, and validation."""
    layer = torch.nn.Linear(encoder.feature_dim, 63)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
    seconds = 0.0
    for epoch in range(2):
        start = time.process_time()
        rows = _features(encoder, train, config.composition, epoch, config)
        for batch in torch.split(torch.randperm(len(rows.features)), 128):
            target = rows.labels.pose[batch].flatten(1)
            optimizer.zero_grad()
            loss = torch.nn.functional.l1_loss(layer(rows.features[batch]), target)
            torch.autograd.backward(loss)
            optimizer.step()
        layer(_features(encoder, val, "", epoch, config).features)
        seconds = time.process_time() - start  # the last epoch's; the first warms up
    return seconds


def _features(
    encoder: Encoder, store: Store, composition: str, epoch: int, config: ProbeConfig
) -> LabelledFeatures:
    return extract_features(
        encoder,
        store,
        Composition.parse(composition),
        stream(0, "benchmark", epoch),
        size_px=config.size_px,
        device=torch.device("cpu"),
        batch_size=config.batch_size,
    )
