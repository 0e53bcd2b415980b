"""One device per trial: a Trainable whose process runs one trial after another.

A new process takes seconds to import PyTorch and to open the store; a reused one starts the next
trial at once. The process has no state of a trial: all of it is in the generator of `execute`.
"""

from collections.abc import Iterator
from typing import Any, cast

import torch
from ray import tune

from search.config.schema import TrialConfig
from search.trials.execute import execute
from search.trials.trial import Job, Report


class _ActorTrial(tune.Trainable):
    _reports: Iterator[Report]
    _device: str

    def setup(self, config: dict[str, Any]) -> None:
        resources = self.trial_resources
        required = resources.required_resources if resources else {}
        torch.set_num_threads(max(1, int(required.get("CPU", 1))))
        # As under Ray Train: a trial without a GPU must not use one that another process holds.
        self._device = "cuda" if required.get("GPU", 0) > 0 else "cpu"
        self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._start(new_config)
        return True

    def _start(self, config: dict[str, Any]) -> None:
        job: Job = config["job"]
        self._reports = execute(job, device=self._device)

    def step(self) -> dict[str, Any]:
        return dict(next(self._reports))

    def cleanup(self) -> None:
        del self._reports

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Do nothing: the trial writes its checkpoint, which outlives Ray."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Do nothing; see `save_checkpoint`."""


def actor_trainable(trial: TrialConfig) -> type[tune.Trainable]:
    """The Trainable with the resources of one trial."""
    resources = {"CPU": trial.cpus, "GPU": trial.gpus}
    required = {kind: amount for kind, amount in resources.items() if amount > 0}
    return cast("type[tune.Trainable]", tune.with_resources(_ActorTrial, required))
