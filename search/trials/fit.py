"""A trial that fits an encoder to a data set and evaluates it: one row of a transfer table."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from handssl.data import Store
from handssl.encoders import EncoderConfig, build_encoder
from handssl.errors import ConfigError
from handssl.evaluation import (
    Evaluated,
    FinetuneConfig,
    Finetuning,
    PoseModel,
    ProbeConfig,
    evaluate_model,
    linear_probe,
)
from handssl.records import Kind
from handssl.training import EpochReport
from handssl.training.randomness import random_parameters
from search.config.typed import from_dict
from search.storage.folder import Folder
from search.trials.build_record import epoch_row, write_errors
from search.trials.images import Images
from search.trials.pretrain import ENCODER_FILE
from search.trials.trial import Outcome, Trial


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FitTrial(Trial):
    """A fit, fully determined.

    Its seed is the same for all fits to the same data with the same repeat, so that they see the
    same labels, and differences between them are paired.

    Attributes:
        fit: Data set that it is fitted to.
        evaluate: Data sets that it is evaluated on; the metrics of the first are the record's.
        split: Split that it is evaluated on.
        images: Images of each data set.
        finetune: How it is trained; None for a probe. Weights of the encoder are `random` or
            `imagenet`, and are replaced by those of the pretraining.
        probe: The linear probe; None for training.
        config: Its configuration, for the record.
    """

    kind: ClassVar[Kind] = "fit"
    fit: str
    evaluate: tuple[str, ...]
    split: str
    images: Mapping[str, Images]
    finetune: FinetuneConfig | None
    probe: ProbeConfig | None
    config: Mapping[str, Any]

    @property
    def epochs(self) -> int:
        """Epochs of training; 0 for a probe."""
        return self.finetune.epochs if self.finetune else 0

    @property
    def encoder(self) -> EncoderConfig:
        """Architecture, and weights if it starts without a pretraining."""
        return from_dict(EncoderConfig, self.config["encoder"])

    def settings(self) -> dict[str, Any]:
        """Its configuration, for the record."""
        return dict(self.config)

    def hyperparameters(self) -> dict[str, Any]:
        """Its part of the transfer tables."""
        return {key: self.transfer[key] for key in ("pretrain", "fit", "mode", "label_fraction")}

    def encoder_file(self, trials: Path) -> Path | None:
        """Weights that it starts from, in the folder of the study's trials; None without."""
        return trials / self.pretraining / ENCODER_FILE if self.pretraining else None

    def start(self, folder: Folder, *, device: str) -> "_Execution":
        """See `Trial`."""
        return _Execution(self, folder.local_path, device)


class _Execution:
    def __init__(self, trial: FitTrial, folder: Path, device: str) -> None:
        self._trial = trial
        self._device = device
        self._train = trial.images[trial.fit].open().split("train")
        weights = trial.encoder_file(folder.parent)
        self._encoder = trial.encoder
        if weights is not None:
            self._encoder = dataclasses.replace(self._encoder, weights=str(weights))
        self._run = self._finetuning(trial.finetune, folder) if trial.finetune else None

    @property
    def history(self) -> list[EpochReport]:
        return self._run.history if self._run else []

    def __iter__(self) -> Iterator[EpochReport]:
        return self._run or iter(())

    def row(self, epoch: EpochReport) -> dict[str, Any]:
        return epoch_row(epoch, encoder_steps=epoch.step)

    def finish(self, folder: Folder) -> Outcome:
        results: dict[str, Evaluated] = {}
        if self._run is None:
            model, results[self._trial.evaluate[0]] = self._probed()
        else:
            model = self._run.model
        for index, name in enumerate(self._trial.evaluate):
            if name not in results:
                results[name] = evaluate_model(model, self._test(name), device=self._device)
            write_errors(folder, f"errors-{name}.npz" if index else "errors.npz", results[name])
        evaluations = {name: result.metrics for name, result in results.items()}
        return Outcome(metrics=evaluations[self._trial.evaluate[0]], evaluations=evaluations)

    def _finetuning(self, config: FinetuneConfig, folder: Path) -> Finetuning:
        checkpoint = folder / "checkpoint.pt"
        start = functools.partial(
            Finetuning,
            dataclasses.replace(config, encoder=self._encoder),
            self._train,
            seed=self._trial.seed,
            device=self._device,
            checkpoint=checkpoint,
        )
        if checkpoint.exists():
            try:
                return start(resume=checkpoint)
            except ConfigError:
                # It names the encoder's file, which changes if the results are moved.
                checkpoint.unlink()
        return start()

    def _probed(self) -> tuple[PoseModel, Evaluated]:
        """The encoder with the probe's layer, and the probe's result on the first data set."""
        trial = self._trial
        assert trial.probe is not None
        with random_parameters(trial.seed, "finetune", "parameters"):
            encoder = build_encoder(self._encoder)
        data = self._train, self._test(trial.evaluate[0])
        result = linear_probe(encoder, *data, trial.probe, device=self._device, seed=trial.seed)
        model = PoseModel.from_probe(
            encoder, result, name=self._encoder.name, size_px=trial.probe.size_px
        )
        return model, result

    def _test(self, name: str) -> Store:
        return self._trial.images[name].open().split(self._trial.split)
