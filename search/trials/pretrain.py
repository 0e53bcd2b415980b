"""A trial that pretrains an encoder, probes it and diagnoses its features."""

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

from handssl import distributed
from handssl.encoders import EncoderConfig, export_encoder
from handssl.evaluation import DiagnosticsConfig, ProbeConfig, ProbeResult, diagnose, linear_probe
from handssl.objectives import ContrastiveConfig
from handssl.records import Kind
from handssl.training import EpochReport, PretrainConfig, Pretraining
from search.config.typed import to_dict
from search.storage.folder import Folder
from search.trials.build_record import epoch_row, write_errors
from search.trials.images import Images
from search.trials.trial import Outcome, Trial

ENCODER_FILE = "encoder.safetensors"
"""The encoder's weights, beside the record."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PretrainTrial(Trial):
    """A pretraining, fully determined; its seed derives from its hash (D9).

    Attributes:
        rungs: Epochs, besides the last, after which the probe runs too.
        pretrain: The pretraining.
        probe: The linear probe of its features.
        diagnostics: Further measures of its features.
        images: Its images, training and validation.
        keep_encoder: Leave the encoder's weights beside the record.
    """

    kind: ClassVar[Kind] = "pretrain"
    rungs: tuple[int, ...] = ()
    pretrain: PretrainConfig
    probe: ProbeConfig
    diagnostics: DiagnosticsConfig
    images: Images
    keep_encoder: bool = False

    @property
    def encoder(self) -> EncoderConfig:
        """The encoder that it pretrains."""
        return self.pretrain.encoder

    @property
    def epochs(self) -> int:
        """Epochs of the pretraining."""
        return self.pretrain.epochs

    def settings(self) -> dict[str, Any]:
        """Its configuration, for the record."""
        return to_dict(self.pretrain) | {
            "probe": to_dict(self.probe),
            "diagnostics": to_dict(self.diagnostics),
            "images": self.images.count,
        }

    def hyperparameters(self) -> dict[str, Any]:
        """Learning rate and temperature."""
        values = {"lr": self.pretrain.optimizer.base_lr}
        if isinstance(self.pretrain.objective, ContrastiveConfig):
            values["temperature"] = self.pretrain.objective.temperature
        return values

    def start(self, folder: Folder, *, device: str) -> "_Execution":
        """See `Trial`."""
        return _Execution(self, folder, device)


class _Execution:
    def __init__(self, trial: PretrainTrial, folder: Folder, device: str) -> None:
        store = trial.images.open()
        checkpoint = folder.local_path / "checkpoint.pt"
        self._trial = trial
        self._device = device
        self._train, self._val = store.split("train"), store.split("val")
        self._run = Pretraining(
            trial.pretrain,
            self._train,
            seed=trial.seed,
            device=device,
            resume=checkpoint if checkpoint.exists() else None,
            checkpoint=checkpoint,
        )

    @property
    def history(self) -> list[EpochReport]:
        return self._run.history

    def __iter__(self) -> Iterator[EpochReport]:
        return self._run

    def row(self, epoch: EpochReport) -> dict[str, Any]:
        encoder_steps = self._run.encoder_steps * epoch.step // self._run.step
        row = epoch_row(epoch, encoder_steps=encoder_steps, workers=distributed.world_size())
        rung = epoch.epoch in self._trial.rungs and epoch.epoch < self._trial.epochs
        # After a crash, the encoder may be an epoch further than the epoch that is reported.
        if rung and distributed.rank() == 0 and epoch.epoch == len(self.history):
            result = self._linear_probe()
            row |= result.metrics
            row["timings_s"]["probe"] = result.timings_s["total"]
        return row

    def finish(self, folder: Folder) -> Outcome:
        trial, encoder = self._trial, self._run.encoder
        result = self._linear_probe()
        diagnostics = diagnose(
            encoder, self._val, trial.diagnostics, device=self._device, seed=trial.seed
        )
        write_errors(folder, "errors.npz", result)
        if trial.keep_encoder:
            path = folder.local_path / ENCODER_FILE
            export_encoder(encoder, path, size_px=trial.pretrain.size_px)
        return Outcome(metrics=result.metrics | diagnostics)

    def _linear_probe(self) -> ProbeResult:
        trial = self._trial
        data = self._train, self._val
        return linear_probe(
            self._run.encoder, *data, trial.probe, device=self._device, seed=trial.seed
        )
