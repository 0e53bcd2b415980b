"""TensorBoard event files of a study: scalars, hyperparameters, and pictures of views."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tensorboardX import SummaryWriter

from handssl.augment import Composition, make_views
from handssl.data import Store
from handssl.records import Record
from handssl.training import PretrainConfig
from search.config.metric import SearchMetric
from search.trials.build_record import rung_of
from search.trials.images import Images
from search.trials.pretrain import PretrainTrial
from search.trials.trial import Job

_SHEET_IMAGES: Final = 4
_MAX_QUEUE: Final = 1_000_000
"""More events than a trial has. A full disk ends the thread that writes them, and adding to a full
queue would then wait for ever."""


class TensorBoardLog:
    """Event files of a study, one folder per trial.

    The file of a trial is rewritten when a session first starts the trial, so that the curves of
    a resumed trial have no gap and no double points.

    Args:
        folder: Folder of the event files.
        stores: The images, of which a pretraining gets a picture with views.
    """

    def __init__(self, folder: Path, stores: Mapping[Images, Store]) -> None:
        self._folder = folder
        self._stores = stores
        self._writers: dict[str, SummaryWriter] = {}
        self._epochs: dict[str, int] = {}

    def start(self, job: Job) -> None:
        """Begin the file of a trial, if this session has not begun it."""
        trial = job.trial.id
        if trial in self._writers:
            return
        shutil.rmtree(self._folder / trial, ignore_errors=True)
        writer = SummaryWriter(str(self._folder / trial), max_queue=_MAX_QUEUE)
        self._writers[trial], self._epochs[trial] = writer, 0
        if isinstance(job.trial, PretrainTrial) and job.trial.images in self._stores:
            picture = view_sheet(job.trial.pretrain, self._stores[job.trial.images])
            writer.add_image("views", picture, 0, dataformats="HWC")

    def epochs(self, trial: str) -> int:
        """The last epoch in the file of a trial."""
        return self._epochs[trial]

    def write(self, trial: str, row: Mapping[str, Any], metric: SearchMetric) -> None:
        """Append a report, unless the file has its epoch."""
        if row["epoch"] <= self._epochs[trial]:
            return
        self._epochs[trial] = row["epoch"]
        writer, step = self._writers[trial], row["step"]
        for name in ("loss", "lr", "images_per_s"):
            writer.add_scalar(f"pretrain/{name}", row[name], step)
        for name, value in row["terms"].items():
            writer.add_scalar(f"pretrain/{name}", value, step)
        for name, value in rung_of(row, metric).items():
            writer.add_scalar(f"probe/{name}", value, step)

    def flush(self, trial: str) -> None:
        """Write to disk now, where the caller gets the error."""
        self._writers[trial].flush()

    def finish(self, job: Job, record: Record) -> None:
        """Add the hyperparameters of a finished trial, and close the file of any."""
        writer = self._writers.pop(job.trial.id)
        if record.status == "finished":
            writer.add_hparams(
                {
                    "objective": record.objective,
                    "composition": record.composition,
                    "repeat": record.repeat,
                    **job.trial.hyperparameters(),
                },
                {f"probe/{name}": value for name, value in record.metrics.items()},
                name="hparams",
                global_step=record.steps,
            )
        writer.close()


def view_sheet(pretrain: PretrainConfig, store: Store) -> NDArray[np.uint8]:
    """Draw n images of a store, and below each a pair of views of S px; (3 S, n S, 3) uint8."""
    rows = np.linspace(0, len(store) - 1, min(_SHEET_IMAGES, len(store))).astype(np.int64)
    generator = torch.Generator().manual_seed(0)  # no training step uses it
    composition = pretrain.parsed_composition()
    second = composition.second or composition
    strips = [
        make_views(
            store.batch(rows),
            view,
            generator,
            size=pretrain.size_px,
            centre_px=torch.from_numpy(store.centre_px[rows]),
            side_px=torch.from_numpy(store.side_px[rows]),
        ).images
        for view in (Composition.parse(""), composition, second)
    ]
    pixels = (torch.stack(strips).clamp(0, 1) * 255).round().byte()  # (3, n, 3, S, S)
    return np.asarray(pixels.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1))
