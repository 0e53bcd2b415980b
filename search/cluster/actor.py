"""One device per trial: a class Trainable whose process runs one trial after another.

A new process costs seconds (importing PyTorch, opening the store); a reused one takes the next
trial at once. Nothing of a trial survives in it: all state is in the generator that `run` returns.
"""

from collections.abc import Iterator
from typing import Any, cast

import torch
from ray import tune

from search.config.schema import TrialConfig
from search.trials.job import Job, Report


class _ActorTrial(tune.Trainable):
    _reports: Iterator[Report]
    _device: str

    def setup(self, config: dict[str, Any]) -> None:
        resources = self.trial_resources
        held = resources.required_resources if resources else {}
        torch.set_num_threads(max(1, int(held.get("CPU", 1))))
        # As under Ray Train: a GPU that the trial was not given belongs to somebody else.
        self._device = "cuda" if held.get("GPU", 0) > 0 else "cpu"
        self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._start(new_config)
        return True

    def _start(self, config: dict[str, Any]) -> None:
        job: Job = config["job"]
        self._reports = job.run(device=self._device)

    def step(self) -> dict[str, Any]:
        return dict(next(self._reports))

    def cleanup(self) -> None:
        del self._reports

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: the trial writes its own checkpoint, which outlives Ray."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing; see `save_checkpoint`."""


def actor_trainable(trial: TrialConfig) -> type[tune.Trainable]:
    """The Trainable, asking Ray for what one trial needs."""
    resources = {"CPU": trial.cpus, "GPU": trial.gpus}
    wanted = {kind: amount for kind, amount in resources.items() if amount > 0}
    return cast("type[tune.Trainable]", tune.with_resources(_ActorTrial, wanted))
