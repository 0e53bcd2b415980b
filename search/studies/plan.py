"""The plan of a study: its trials, their time, cost and disk, without starting it."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from handssl.data import Store
from handssl.encoders import build_encoder
from handssl.evaluation import FinetuneConfig, Finetuning, linear_probe
from handssl.training import Pretraining
from search.cluster.resources import fit_at_once, local_resources
from search.config.schema import TrialConfig
from search.observers.display import duration
from search.storage.disk import DiskBudget, estimate_disk
from search.studies.study import Records, Study
from search.trials.fit import FitTrial
from search.trials.pretrain import PretrainTrial
from search.trials.trial import Trial

_CALIBRATION_S: Final = 20.0
"""Approximate time of all measured batches; the first batch of each kind comes on top."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of a trial on this machine; a step includes all accumulated batches."""

    step_s: float = 0.0
    probe_s: float = 0.0
    steps: int = 0

    @property
    def total_s(self) -> float:
        """Seconds of the trial."""
        return self.steps * self.step_s + self.probe_s


def print_plan(study: Study, recorded: Records, console: Console) -> None:
    """Print the trials, their steps, time, cost and disk, and the resources that each holds."""
    config, resources, data = study.config, study.config.trial, study.description.data
    trials = study.known
    costs = _measure(trials, study)
    total, remaining = study.remaining({}), study.remaining(recorded)
    # Trials that are not known yet cost as much as the known ones on average.
    missing = [costs[trial.id] for trial in trials if trial.id not in recorded]
    known = missing or list(costs.values())
    steps = remaining * float(np.mean([cost.steps for cost in known]))
    total_s = remaining * float(np.mean([cost.total_s for cost in known]))
    at_once = _at_once(study)
    budget = forecast_disk(study, remaining)
    rows = {
        "study": f"{config.study.name}: {config.study.label}".rstrip(": "),
        "data": f"{data['name']}: {data['images_train']} train, {data['images_val']} validation "
        "images",
        "trials": f"{total}: {total - remaining} with a record, {remaining} to run",
        "a trial": _example(trials[0], costs[trials[0].id]),
        "holds": f"{resources.workers_text} x ({resources.cpus:g} CPU, {resources.gpus:g} GPU), "
        f"{resources.runs_in} executor, {at_once} at a time here",
        "all steps": f"{steps:,.0f}",
        "all time": f"{duration(total_s / at_once)} (measured here, {at_once} at a time)",
        "all cost": _price(total_s / 3600, config.cluster.price_per_hour),
        "disk": f"{(budget.result_bytes + budget.working_bytes) / 1e6:,.0f} MB more"
        + ("" if budget.free_bytes is None else f"; {budget.free_bytes / 1e9:,.0f} GB free"),
    }
    table = Table.grid(padding=(0, 2))
    for name, text in rows.items():
        table.add_row(name, text)
    console.print(table)
    for number, trial in enumerate(study.planned, start=1):
        state = recorded[trial.id].status if trial.id in recorded else "to run"
        console.print(
            f"{number:4d}  {trial.id}  seed {trial.seed}  {duration(costs[trial.id].total_s)}  "
            f"{state}",
            markup=False,
            soft_wrap=True,
        )


def forecast_disk(study: Study, remaining: int) -> DiskBudget:
    """The disk space that the remaining trials need."""
    keeping = [isinstance(t, PretrainTrial) and t.keep_encoder for t in study.known]
    return estimate_disk(
        study.known[0].encoder,
        trials=remaining,
        encoders=round(remaining * sum(keeping) / len(keeping)),
        concurrent=_at_once(study),
        results=study.config.results,
    )


def _at_once(study: Study) -> int:
    """Trials at the same time on this machine."""
    cpus, _ = local_resources(study.config.cluster)
    at_once = fit_at_once(study.config.trial, cpus)
    return min(at_once, study.config.search.concurrent or at_once)


def _example(trial: Trial, cost: Cost) -> str:
    text = f"{trial.point.objective} {trial.point.composition}, {trial.epochs} epochs"
    if isinstance(trial, PretrainTrial):
        pretrain = trial.pretrain
        text += (
            f", {cost.steps} steps of {pretrain.batch_size} x {pretrain.accumulation} images at "
            f"{pretrain.size_px} px, {pretrain.encoder.name}"
        )
    return (
        f"{text}; {duration(cost.total_s)}: {cost.step_s:.2f} s a step, "
        f"{duration(cost.probe_s)} a probe"
    )


def _price(hours: float, price_per_hour: float | None) -> str:
    if price_per_hour is None:
        return "give cluster.price_per_hour=PRICE of the resources that one trial holds"
    return f"{hours * price_per_hour:.2f} ({hours:.2f} trial hours at {price_per_hour:g})"


def _measure(trials: Sequence[Trial], study: Study) -> dict[str, Cost]:
    """The cost of each trial; a few steps of one trial of each kind are timed.

    A probe by itself is not timed: it costs as much as that of a pretraining of the same encoder.
    """
    kinds = {_kind(trial): trial for trial in reversed(trials)}
    budget_s, resources = _CALIBRATION_S / len(kinds), study.config.trial
    measured: dict[Any, Cost] = {}
    probes_s: dict[str, float] = {}
    for kind, trial in kinds.items():
        if isinstance(trial, PretrainTrial):
            store = study.stores[trial.images]
            measured[kind] = _pretraining_cost(trial, resources, store, budget_s)
            probes_s[trial.encoder.name] = measured[kind].probe_s
    for kind, trial in kinds.items():
        if isinstance(trial, FitTrial) and trial.finetune is None:
            measured[kind] = Cost(probe_s=probes_s.get(trial.encoder.name, 0.0))
        elif isinstance(trial, FitTrial) and trial.finetune is not None:
            step_s = _finetuning_step_s(trial.finetune, _train_split(trial, study), resources)
            measured[kind] = Cost(step_s=step_s)
    return {
        trial.id: dataclasses.replace(measured[_kind(trial)], steps=_steps(trial, study))
        for trial in trials
    }


def _kind(trial: Trial) -> tuple[object, ...]:
    """Trials of the same kind take the same time a step."""
    if isinstance(trial, FitTrial):
        return "fit", trial.encoder.name, trial.fit, trial.finetune is not None
    assert isinstance(trial, PretrainTrial)
    return "pretrain", trial.encoder.name, trial.point.objective, trial.images


def _steps(trial: Trial, study: Study) -> int:
    """Optimiser steps of a trial."""
    images = len(_train_split(trial, study))
    if isinstance(trial, PretrainTrial):
        pretrain = trial.pretrain
        return pretrain.epochs * (images // (pretrain.batch_size * pretrain.accumulation))
    assert isinstance(trial, FitTrial)
    if trial.finetune is None:
        return 0
    labelled = images * trial.finetune.label_fraction
    return trial.finetune.epochs * max(1, round(labelled / trial.finetune.batch_size))


def _train_split(trial: Trial, study: Study) -> Store:
    if isinstance(trial, PretrainTrial):
        return study.stores[trial.images].split("train")
    assert isinstance(trial, FitTrial)
    return study.stores[trial.images[trial.fit]].split("train")


def _pretraining_cost(
    trial: PretrainTrial, resources: TrialConfig, store: Store, budget_s: float
) -> Cost:
    """Time a few batches and a small probe on this machine, with the threads of a worker."""
    torch.set_num_threads(max(1, int(resources.cpus)))
    device = "cuda" if torch.cuda.is_available() and resources.gpus > 0 else "cpu"
    train, val = store.split("train"), store.split("val")
    optimizer = dataclasses.replace(trial.pretrain.optimizer, warmup_epochs=0.0)
    short = dataclasses.replace(trial.pretrain, epochs=1, accumulation=1, optimizer=optimizer)

    def batches_s(count: int) -> float:
        rows = np.arange(count * short.batch_size) % len(train)
        report = next(Pretraining(short, train.select(rows), seed=0, device=device))
        return report.timings_s["total"]

    count = int(np.clip(budget_s / batches_s(1), 1, 10))
    step_s = batches_s(count) / count * trial.pretrain.accumulation
    encoder = build_encoder(dataclasses.replace(trial.encoder, weights="random"))
    small_train = train.select(np.arange(min(len(train), 200)))
    small_val = val.select(np.arange(min(len(val), 20)))
    start = time.perf_counter()
    linear_probe(encoder, small_train, small_val, trial.probe)
    elapsed_s = time.perf_counter() - start
    passes = 1 + trial.probe.augmented_passes
    share = (passes * len(small_train) + len(small_val)) / (passes * len(train) + len(val))
    return Cost(step_s=step_s, probe_s=elapsed_s / share)


def _finetuning_step_s(finetune: FinetuneConfig, train: Store, resources: TrialConfig) -> float:
    """Seconds of a step: the second of two short epochs, from random weights."""
    torch.set_num_threads(max(1, int(resources.cpus)))
    rows = np.arange(3 * finetune.batch_size) % len(train)
    optimizer = dataclasses.replace(finetune.optimizer, warmup_epochs=0.0)
    short = dataclasses.replace(
        finetune,
        mode="supervised",
        encoder=dataclasses.replace(finetune.encoder, weights="random"),
        epochs=2,
        label_fraction=1.0,
        optimizer=optimizer,
    )
    run = Finetuning(short, train.select(rows), seed=0)
    _, second = next(run), next(run)
    return second.timings_s["total"] / (second.step / 2)
