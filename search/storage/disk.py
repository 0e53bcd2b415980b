"""How much room a study's files will take, before it is started."""

import dataclasses
import shutil
from pathlib import Path
from typing import NamedTuple

import torch

from handssl.encoders import build_encoder
from handssl.errors import ConfigError
from handssl.training import PretrainConfig
from search.storage.s3 import is_bucket

_RECORDS = 400_000
"""Of a trial, bytes: record, reports, joint errors, TensorBoard's files; some 150 KB in embedded
studies, more with longer ones."""


class Room(NamedTuple):
    """What a study needs of the disk of its results, in bytes.

    Attributes:
        kept: Records of all its trials, and encoders where they are kept.
        working: Checkpoints of the trials that run at a time.
        free: On that disk; None where results lie in a bucket.
    """

    kept: int
    working: int
    free: int | None


def room_of(
    pretrain: PretrainConfig, *, trials: int, at_once: int, keep_encoder: bool, results: str
) -> Room:
    """The forecast for so many more trials; nothing is written or trained.

    A checkpoint is some four times the weights: they, the optimiser's two moments, the heads.
    """
    with torch.device("meta"):
        encoder = build_encoder(dataclasses.replace(pretrain.encoder, weights="random"))
    weights = sum(p.numel() * p.element_size() for p in encoder.parameters())
    free = None
    if not is_bucket(results):
        path = Path(results).absolute()
        existing = next(p for p in (path, *path.parents) if p.exists())
        free = shutil.disk_usage(existing).free
    return Room(
        kept=trials * (_RECORDS + weights * keep_encoder),
        working=at_once * 4 * weights,
        free=free,
    )


def check_room(room: Room, results: str) -> None:
    """Refuse a study whose files cannot fit.

    Raises:
        ConfigError: With what is needed and what is free.
    """
    if room.free is not None and room.kept + room.working > room.free:
        raise ConfigError(
            f"results={results} has {room.free / 1e9:.1f} GB free, but the study needs "
            f"{room.kept / 1e9:.1f} GB for its records and encoders and {room.working / 1e9:.1f} "
            "GB for checkpoints; free some, choose another disk with results=FOLDER, or set "
            "trial.keep_encoder=false"
        )
