"""Several workers per trial: a `TorchTrainer` inside a Tune function.

It starts more slowly than an actor, because its workers are new processes, but it spans GPUs and
nodes, and its loss curve is the same. An elastic trial starts with as many workers as fit. When
nodes join or leave, it restarts from its last checkpoint with more or fewer workers, which share
the same batch.
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

from search.cluster.ray_internals import HEAD_RESOURCE
from search.config.schema import TrialConfig
from search.trials.execute import execute
from search.trials.trial import Job

TrainFunction = Callable[[dict[str, Any]], None]


def _worker(config: dict[str, Any]) -> None:
    """Run on every worker, in the process group that Ray Train has initialised."""
    logging.getLogger("ray.train").setLevel(logging.WARNING)
    torch.set_num_threads(config["threads"])
    job: Job = config["job"]
    for report in execute(job, device=str(ray.train.torch.get_device())):
        ray.train.report(dict(report))


def train_trainable(trial: TrialConfig) -> TrainFunction:
    """The Tune function of a trial; the resources of the trial are those of its workers.

    Tune handles retries, because only Tune can restart this function after the loss of its node.
    `max_failures=0` here, or retries would multiply.
    """
    resources = {"CPU": trial.cpus, **({"GPU": trial.gpus} if trial.gpus > 0 else {})}

    def run_trainer(config: dict[str, Any]) -> None:
        job: Job = config["job"]
        trainer = TorchTrainer(
            _worker,
            train_loop_config={"job": job, "threads": max(1, int(trial.cpus))},
            scaling_config=cast("Any", ray.train.ScalingConfig)(  # typed as its first version
                num_workers=trial.workers,
                elastic_resize_monitor_interval_s=trial.resize_s,
                use_gpu=trial.gpus > 0,
                resources_per_worker=resources,
            ),
            run_config=ray.train.RunConfig(
                name=job.trial.id,
                storage_path=job.scratch,
                callbacks=[cast("Any", TuneReportCallback)()],  # untyped in Ray
                failure_config=ray.train.FailureConfig(max_failures=0),
            ),
        )
        trainer.fit()

    # Tune requires some resource: 0.001 of the head's pins this controller to a node that the
    # autoscaler never removes, and leaves all CPUs to the workers.
    return cast("TrainFunction", tune.with_resources(run_trainer, {HEAD_RESOURCE: 0.001}))
