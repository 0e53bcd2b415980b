"""What a study would do and cost, without starting it."""

import dataclasses
import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from handssl.data import Store
from handssl.encoders import build_encoder
from handssl.evaluation import linear_probe
from handssl.records import Record
from handssl.training import PretrainConfig, pretraining
from search.cluster.resources import fit_at_once, local_resources
from search.config.schema import Config
from search.observers.display import duration
from search.storage.disk import DiskBudget, estimate_disk
from search.studies.sampled import trials_again
from search.trials.resolve import Trial

_CALIBRATION_S = 20.0
"""About how long the timed batches may take; the first, untimed one comes on top."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one trial takes on this machine.

    Attributes:
        step_s: Seconds of an optimiser step, all its accumulated batches.
        probe_s: Seconds of the probe.
    """

    step_s: float
    probe_s: float


def steps_of(pretrain: PretrainConfig, images: int) -> int:
    """Optimiser steps of a pretraining on so many images."""
    return pretrain.epochs * (images // (pretrain.batch_size * pretrain.accumulation))


def calibrate(trial: Trial, config: Config, store: Store) -> Cost:
    """Measure a few real batches and a small probe, here, on as many threads as a worker has."""
    torch.set_num_threads(max(1, int(config.trial.cpus)))
    device = "cuda" if torch.cuda.is_available() and config.trial.gpus > 0 else "cpu"
    train, val = store.split("train"), store.split("val")
    optimizer = dataclasses.replace(trial.pretrain.optimizer, warmup_epochs=0.0)
    short = dataclasses.replace(trial.pretrain, epochs=1, accumulation=1, optimizer=optimizer)

    def batches(count: int) -> float:
        rows = np.arange(count * short.batch_size) % len(train)
        return next(pretraining(short, train.select(rows), seed=0, device=device)).timings_s[
            "total"
        ]

    first = batches(1)
    count = int(np.clip(_CALIBRATION_S / first, 1, 10))
    step_s = batches(count) / count * trial.pretrain.accumulation
    encoder = build_encoder(dataclasses.replace(trial.pretrain.encoder, weights="random"))
    some = train.select(np.arange(min(len(train), 200)))
    start = time.perf_counter()
    linear_probe(encoder, some, val.select(np.arange(min(len(val), 20))), config.trial.probe)
    views = (1 + config.trial.probe.augmented_passes) * len(some) + min(len(val), 20)
    all_views = (1 + config.trial.probe.augmented_passes) * len(train) + len(val)
    return Cost(
        step_s=step_s,
        probe_s=(time.perf_counter() - start) / views * all_views,
    )


def print_plan(
    config: Config,
    trials: Sequence[Trial],
    existing: Mapping[str, Record],
    store: Store,
    console: Console,
) -> None:
    """Print the trials, their steps, time, cost and disk, and what each holds of the cluster.

    Args:
        config: The configuration.
        trials: The planned trials; of a sampled search, one that stands for all.
        existing: Records that are there already.
        store: The images of the study.
        console: Where to print.
    """
    sampled = config.search.kind != "grid"
    total = (config.search.trials if sampled else len(trials)) + trials_again(config)
    left = max(0, total - (len(existing) if sampled else sum(t.id in existing for t in trials)))
    pretrain, trial = trials[0].pretrain, config.trial
    train, val = store.split("train"), store.split("val")
    steps = steps_of(pretrain, len(train))
    cost = calibrate(trials[0], config, store)
    seconds = steps * cost.step_s + cost.probe_s
    cpus, _ = local_resources(config.cluster)
    at_once = fit_at_once(trial, cpus)
    at_once = min(at_once, config.search.concurrent or at_once)
    hours = left * seconds / 3600
    room = forecast_disk(config, trials, left)
    facts = Table.grid(padding=(0, 2))
    rows = {
        "study": f"{config.study.name}: {config.study.label}".rstrip(": "),
        "data": f"{config.data.name}: {len(train)} train, {len(val)} validation images",
        "trials": f"{total}: {total - left} with a record, {left} to run",
        "a trial": f"{config.study.epochs} epochs, {steps} steps of {pretrain.batch_size} x "
        f"{pretrain.accumulation} images at {pretrain.size_px} px, {pretrain.encoder.name}",
        "holds": f"{trial.workers_shown} x ({trial.cpus:g} CPU, {trial.gpus:g} GPU), "
        f"{trial.runs_in} executor, {at_once} at a time here",
        "measured here": f"{cost.step_s:.2f} s a step, {duration(cost.probe_s)} a probe, "
        f"{duration(seconds)} a trial of {trials[0].point.objective} {pretrain.composition}",
        "all steps": f"{steps * left:,}",
        "all time": f"{duration(left * seconds / at_once)} (a trial's time x {left} / {at_once})",
        "all cost": "give cluster.price_per_hour=PRICE of what one trial holds"
        if config.cluster.price_per_hour is None
        else f"{hours * config.cluster.price_per_hour:.2f} ({hours:.2f} trial hours at "
        f"{config.cluster.price_per_hour:g})",
        "disk": f"{(room.result_bytes + room.working_bytes) / 1e6:,.0f} MB more"
        + ("" if room.free_bytes is None else f"; {room.free_bytes / 1e9:,.0f} GB free"),
    }
    for name, text in rows.items():
        facts.add_row(name, text)
    console.print(facts)
    if not sampled:
        for number, planned in enumerate(trials, start=1):
            state = existing[planned.id].status if planned.id in existing else "to run"
            console.print(f"{number:4d}  {planned.id}  seed {planned.seed}  {state}", markup=False)


def forecast_disk(config: Config, trials: Sequence[Trial], left: int) -> DiskBudget:
    """What so many more trials need of the disk."""
    return estimate_disk(
        trials[0].pretrain,
        trials=left,
        concurrent=fit_at_once(config.trial, local_resources(config.cluster)[0]),
        keep_encoder=config.trial.keep_encoder,
        results=config.results,
    )
