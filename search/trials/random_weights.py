"""The baseline of every objective: the probe of an encoder with random weights."""

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

from handssl.encoders import EncoderConfig, build_encoder
from handssl.evaluation import ProbeConfig, linear_probe
from handssl.records import RANDOM_WEIGHTS, Kind, canonical_hash, seed_from
from handssl.training import EpochReport
from handssl.training.randomness import random_parameters
from search.config.typed import to_dict
from search.space.point import Point
from search.storage.folder import Folder
from search.trials.build_record import epoch_row, write_errors
from search.trials.images import Images
from search.trials.resolve import probe_identity
from search.trials.trial import Outcome, Trial


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RandomWeightsTrial(Trial):
    """A probe of an encoder that was not trained, fully determined.

    Attributes:
        encoder_config: The architecture.
        probe: The probe of the study's trials.
        images: The images of the study's trials.
    """

    kind: ClassVar[Kind] = "baseline"
    encoder_config: EncoderConfig
    probe: ProbeConfig
    images: Images

    @classmethod
    def resolve(
        cls,
        encoder: str,
        probe: ProbeConfig,
        images: Images,
        *,
        fingerprint: str,
        seed: int,
        repeat: int,
    ) -> "RandomWeightsTrial":
        """The probe of an architecture with one initialisation.

        Args:
            encoder: Name of the architecture.
            probe: The probe of the study's trials.
            images: The images of the study's trials.
            fingerprint: That of the images.
            seed: Seed of the study.
            repeat: Number of the initialisation, from 0.
        """
        digest = canonical_hash(
            {
                "baseline": RANDOM_WEIGHTS,
                "encoder": encoder,
                "probe": probe_identity(probe),
                "data": fingerprint,
                "images": images.count,
                "seed": seed,
                "repeat": repeat,
            }
        )
        return cls(
            id=f"{RANDOM_WEIGHTS}_r{repeat}_{digest[:8]}",
            hash=digest,
            seed=seed_from(digest),
            point=Point(objective=RANDOM_WEIGHTS, composition="", repeat=repeat),
            encoder_config=EncoderConfig(name=encoder),
            probe=probe,
            images=images,
        )

    @property
    def encoder(self) -> EncoderConfig:
        """The encoder that is probed."""
        return self.encoder_config

    @property
    def epochs(self) -> int:
        """Nothing is trained."""
        return 0

    def settings(self) -> dict[str, Any]:
        """Its configuration, for the record."""
        return {
            "encoder": to_dict(self.encoder_config),
            "probe": to_dict(self.probe),
            "images": self.images.count,
        }

    def hyperparameters(self) -> dict[str, Any]:
        """It has none."""
        return {}

    def start(self, folder: Folder, *, device: str) -> "_Execution":
        """Start; there is nothing to continue from."""
        return _Execution(self, device)


class _Execution:
    history: tuple[EpochReport, ...] = ()

    def __init__(self, trial: RandomWeightsTrial, device: str) -> None:
        self._trial = trial
        self._device = device

    def __iter__(self) -> Iterator[EpochReport]:
        return iter(())

    def row(self, epoch: EpochReport) -> dict[str, Any]:
        return epoch_row(epoch)

    def finish(self, folder: Folder) -> Outcome:
        trial, store = self._trial, self._trial.images.open()
        with random_parameters(trial.seed, "pretrain", "parameters"):
            encoder = build_encoder(trial.encoder)
        result = linear_probe(
            encoder,
            store.split("train"),
            store.split("val"),
            trial.probe,
            device=self._device,
            seed=trial.seed,
        )
        write_errors(folder, "errors.npz", result)
        return Outcome(metrics=result.metrics)
