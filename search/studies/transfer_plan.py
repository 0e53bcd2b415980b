"""What a transfer study would do, without starting it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from handssl.data import Store
from handssl.evaluation import FinetuneConfig, Finetuning
from handssl.records import Record
from search.config.transfer import TransferStudyConfig
from search.observers.display import duration
from search.studies.checks import local_resources
from search.studies.plan import Cost, calibrate, steps_of
from search.studies.rows import Fit, Plan, joined


def print_plan(
    config: TransferStudyConfig,
    plan: Plan,
    stores: Mapping[str, Store],
    existing: Mapping[str, Record],
    console: Console,
) -> None:
    """Print the runs, their steps and time, measured here on a few batches of each kind.

    Probes are not timed by themselves: a frozen row is counted as the probe of the pretraining
    of the same encoder.
    """
    machinery = config.machinery()
    seconds: dict[str, float] = {}
    probe_s: dict[str, float] = {}
    costs: dict[Any, Cost] = {}
    for own in plan.pretrainings:
        store = joined(stores, own.data, config.transfer.weights)
        name = own.trial.pretrain.encoder.name
        kind = (name, own.trial.point.objective, own.data)
        if kind not in costs:
            costs[kind] = calibrate(own.trial, machinery, store)
        cost = costs[kind]
        probe_s[name] = cost.probe_s
        steps = steps_of(own.trial.pretrain, len(store.split("train")))
        seconds[own.trial.id] = steps * cost.step_s + cost.probe_s
    step_s: dict[tuple[str, str], float] = {}
    for fit in plan.fits:
        seconds[fit.id] = probe_s.get(fit.encoder.name, 0.0)
        if fit.finetune is not None:
            key = (fit.encoder.name, fit.fit)
            if key not in step_s:
                step_s[key] = _step_s(fit.finetune, stores[fit.fit], config)
            seconds[fit.id] = _steps(fit, stores) * step_s[key]
    left = [trial for trial in plan.trials if trial.id not in existing]
    at_once = max(1, int(local_resources(machinery)["cpus"] // config.trial.cpus))
    at_once = min(at_once, config.search.concurrent or at_once)
    total_s = sum(seconds[trial.id] for trial in left)
    facts = Table.grid(padding=(0, 2))
    rows = {
        "study": f"{config.study.name}: {config.study.label}".rstrip(": "),
        "data": ", ".join(
            f"{name} {len(store.split('train'))} train, "
            f"{len(store.split(config.transfer.evaluate_on))} {config.transfer.evaluate_on}"
            for name, store in stores.items()
        ),
        "runs": f"{len(plan.pretrainings)} pretrainings and {len(plan.fits)} rows, "
        f"{len(plan.trials) - len(left)} with a record, {len(left)} to run",
        "all time": f"{duration(total_s / at_once)}, {at_once} at a time here",
    }
    for name, text in rows.items():
        facts.add_row(name, text)
    console.print(facts)
    for number, trial in enumerate(plan.trials, start=1):
        state = existing[trial.id]["status"] if trial.id in existing else "to run"
        console.print(
            f"{number:4d}  {trial.id}  seed {trial.seed}  {duration(seconds[trial.id])}  {state}",
            markup=False,
            soft_wrap=True,
        )


def _steps(fit: Fit, stores: Mapping[str, Store]) -> int:
    """Optimiser steps of a trained row."""
    assert fit.finetune is not None
    labelled = len(stores[fit.fit].split("train")) * fit.finetune.label_fraction
    return fit.finetune.epochs * max(1, round(labelled / fit.finetune.batch_size))


def _step_s(finetune: FinetuneConfig, store: Store, config: TransferStudyConfig) -> float:
    """Seconds of a step: the second of two short epochs, from random weights."""
    torch.set_num_threads(max(1, int(config.trial.cpus)))
    train = store.split("train")
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
