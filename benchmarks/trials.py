"""Trials of a real study: goodput, and what a trial costs beyond its own work.

`search/run_grid.py` with the actor executor, one core a trial, ResNet-10t at 128 px: relative and
contrastive, repeated. Goodput is the share of a trial's wall time, from its start to its record,
in the encoder's forward and backward passes; the probe and the diagnostics count against it. What
a trial costs beyond its own work is taken from record to record, so that it has all that Ray does
between two trials: nothing but a message for a reused actor, new processes for Ray Train.
"""

import itertools
import time
from statistics import median

import torch

from benchmarks.figure import Row, row
from benchmarks.hands import embedded
from benchmarks.studies import Finished, run_study
from handssl.encoders import EncoderConfig, build_encoder
from handssl.evaluation import DiagnosticsConfig, diagnose
from search.config.compose import compose_config


def measure(*, quick: bool = False) -> list[Row]:
    """Goodput and overhead over all trials, and the diagnostics' share of a quick trial."""
    size_px, epochs, batch_size = (32, 1, 16) if quick else (128, 12, 32)
    trials = run_study(
        [
            "search.augmentations=[rotate]",
            "search.repeats=2",
            f"study.epochs={epochs}",
            f"study.images={96 if quick else 240}",
            f"trial.pretrain.size_px={size_px}",
            f"trial.pretrain.batch_size={batch_size}",
        ],
        quick=quick,
    )
    reused = trials[2:]  # two cores hold two actors, which then take two more trials
    encoder, total = (sum(_seconds(trials, part)) for part in ("encoder", "total"))
    own = f"{size_px} px, {epochs} epochs, actor"
    return [
        row(f"goodput, {own}", encoder / total, least=None if quick else 0.9),
        row(f"the probe's share, {own}", sum(_seconds(trials, "probe")) / total),
        row(
            "overhead of a trial, reused actor",
            median(_seconds(reused, "overhead")),
            "s",
            most=None if quick else 1,
        ),
        *(_between(executor, quick=quick) for executor in ("actor", "train")),
        *_diagnostics(quick=quick),
    ]


def _between(executor: str, *, quick: bool) -> Row:
    """From one record to the next, one trial at a time, less the trial's own work."""
    trials = run_study(
        [
            "search.augmentations=[rotate]",
            f"search.repeats={1 if quick else 3}",
            "search.concurrent=1",
            f"trial.executor={executor}",
            "trial.pretrain.batch_size=16",
        ],
        quick=quick,
    )
    beyond = [
        after.ended_s
        - before.ended_s
        - (after.record["timings_s"]["total"] - after.record["timings_s"]["overhead"])
        for before, after in itertools.pairwise(trials)
    ]
    return row(f"a trial beyond its own work, {executor} executor, median", median(beyond), "s")


def _seconds(trials: list[Finished], part: str) -> list[float]:
    return [float(trial.record["timings_s"][part]) for trial in trials]


def _diagnostics(*, quick: bool) -> list[Row]:
    """Seconds of `diagnose` over those of a whole trial of the embedded quick study's kind."""
    (trial,) = run_study(
        [
            "search.augmentations=[rotate]",
            "~search.objectives.relative",
            "trial.diagnostics.augmentations=[]",
            *(["study.images=96", "trial.pretrain.batch_size=16"] if quick else []),
        ],
        quick=quick,
    )
    images = trial.record["data"]["images_train"]
    parts = trial.record["timings_s"]
    torch.set_num_threads(1)
    encoder = build_encoder(EncoderConfig(name=trial.record["config"]["encoder"]["name"]))
    size_px = trial.record["config"]["size_px"]
    start = time.perf_counter()
    diagnose(encoder, embedded(quick=quick).split("train"), DiagnosticsConfig(size_px=size_px))
    seconds = time.perf_counter() - start
    # The rest of a trial grows with its images.
    embedded_images = round(0.9 * (compose_config().study.images or 0))
    rest = (parts["total"] - parts["overhead"]) * embedded_images / images
    return [
        row("diagnostics of an encoder, embedded study's size", seconds, "s"),
        row(
            f"their share of a trial on {embedded_images:,} images (scaled from {images})",
            seconds / (rest + seconds),
            most=None if quick else 0.05,
        ),
    ]
