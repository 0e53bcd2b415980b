"""A trial that pretrains an encoder, probes it and diagnoses its features."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from handssl import distributed, records
from handssl.encoders import EncoderConfig, export_encoder
from handssl.evaluation import (
    DiagnosticsConfig,
    ProbeConfig,
    ProbeResult,
    diagnose,
    linear_probe,
)
from handssl.objectives import ContrastiveConfig
from handssl.records import Kind
from handssl.training import EpochReport, PretrainConfig, Pretraining
from search.config.typed import to_dict
from search.space.point import Point
from search.storage.folder import Folder
from search.trials.build_record import epoch_row
from search.trials.images import Images
from search.trials.trial import Outcome

ENCODER_FILE = "encoder.safetensors"
"""The encoder's weights, beside the record."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PretrainTrial:
    """A pretraining, fully determined.

    Attributes:
        id, hash, seed, point, stage: See `Trial`; the seed derives from the hash, so that no two
            trials share one (D9).
        rungs: Epochs, besides the last, after which the probe runs too.
        pretrain: The pretraining.
        probe: The linear probe of its features.
        diagnostics: Further measures of its features.
        images: Its images, training and validation.
        keep_encoder: Leave the encoder's weights beside the record.
        transfer: Data sets of a pretraining for transfer tables; empty elsewhere.
    """

    id: str
    hash: str
    seed: int
    point: Point
    stage: int = 1
    rungs: tuple[int, ...] = ()
    pretrain: PretrainConfig
    probe: ProbeConfig
    diagnostics: DiagnosticsConfig
    images: Images
    keep_encoder: bool = False
    transfer: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """It pretrains."""
        return "pretrain"

    @property
    def pretraining(self) -> None:
        """It starts from no other trial."""
        return None

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
        """The few settings by which TensorBoard compares trials."""
        values = {"lr": self.pretrain.optimizer.base_lr}
        if isinstance(self.pretrain.objective, ContrastiveConfig):
            values["temperature"] = self.pretrain.objective.temperature
        return values

    def start(self, folder: Folder, *, device: str) -> "_Execution":
        """Start, or continue from the checkpoint in the folder."""
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
        records.write_npz(folder.local_path / "errors.npz", **result.arrays())
        if trial.keep_encoder:
            path = folder.local_path / ENCODER_FILE
            export_encoder(encoder, path, size_px=trial.pretrain.size_px)
        return Outcome(metrics=result.metrics | diagnostics)

    def _linear_probe(self) -> ProbeResult:
        trial = self._trial
        return linear_probe(
            self._run.encoder,
            self._train,
            self._val,
            trial.probe,
            device=self._device,
            seed=trial.seed,
        )
