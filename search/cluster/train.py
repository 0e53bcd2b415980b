"""Several workers per trial: a `TorchTrainer` inside a Tune function.

Slower to start than an actor (its workers are new processes every time), but it spans GPUs and
nodes, and gives the same loss curve. An elastic trial begins with as many workers as there is room
for, and begins again from its last checkpoint, with more or fewer, when nodes come or go: the
batch stays the same and is shared among them.
"""

import logging
from collections.abc import Callable
from typing import Any, cast

import ray.train
import ray.train.torch
import torch
from ray import tune
from ray.train.torch import TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback

from search.config.schema import TrialConfig
from search.trials.job import Job

_HEAD = "node:__internal_head__"
"""A resource that Ray gives to the head, and to a machine that is all of a cluster."""

TrainFunction = Callable[[dict[str, Any]], None]


def _worker(config: dict[str, Any]) -> None:
    """Runs on every worker; Ray Train has joined them into one process group."""
    logging.getLogger("ray.train").setLevel(logging.WARNING)
    torch.set_num_threads(config["threads"])
    job: Job = config["job"]
    for report in job.run(device=str(ray.train.torch.get_device())):
        ray.train.report(dict(report))


def train_trainable(trial: TrialConfig) -> TrainFunction:
    """The Tune function of a trial; its workers hold the resources, itself next to nothing.

    A lost worker fails it. Tune starts it again, as it must where the node of this function is
    lost; were it started again here too, each of the retries would be as many.
    """

    def run_trainer(config: dict[str, Any]) -> None:
        job: Job = config["job"]
        trainer = TorchTrainer(
            _worker,
            train_loop_config={"job": job, "threads": max(1, int(trial.cpus))},
            scaling_config=cast("Any", ray.train.ScalingConfig)(  # typed as its elder
                num_workers=trial.workers,
                elastic_resize_monitor_interval_s=trial.resize_s,
                use_gpu=trial.gpus > 0,
                resources_per_worker={"CPU": trial.cpus}
                | ({"GPU": trial.gpus} if trial.gpus > 0 else {}),
            ),
            run_config=ray.train.RunConfig(
                name=job.trial.id,
                storage_path=job.scratch,
                callbacks=[cast("Any", TuneReportCallback)()],  # untyped in Ray
                failure_config=ray.train.FailureConfig(max_failures=0),
            ),
        )
        trainer.fit()

    # Tune demands some resource of a trial: a thousandth of being the head leaves every CPU to the
    # workers, and keeps what steers them off the machines that may be lost.
    return cast("TrainFunction", tune.with_resources(run_trainer, {_HEAD: 0.001}))
