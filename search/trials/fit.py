"""One row of a transfer table from start to record: fit an encoder, evaluate it, write.

Pretrainings are trials as those of a grid, on joined data sets; the encoders that they leave
behind are what rows start from.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from handssl import records
from handssl.data import Store, join_stores, open_store
from handssl.encoders import build_encoder
from handssl.errors import ConfigError, NonFiniteLossError
from handssl.evaluation import (
    Evaluated,
    Finetuning,
    PoseModel,
    evaluate_model,
    linear_probe,
)
from handssl.training.randomness import random_parameters
from search.config.metric import SearchMetric
from search.storage import folder as folders
from search.studies.rows import Fit
from search.trials.job import Report
from search.trials.pretrain import Stopwatch, TrialJob, epoch_row, record_of, write_record

ENCODER_FILE = "encoder.safetensors"
"""Beside the record of a pretraining."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Where a worker finds images.

    Attributes:
        stores: Paths; several are joined.
        source_px: Side of their decoded images.
        count: How many of each are used; None for all.
        shares: Of each among the images of an epoch; None counts every image once.
    """

    stores: tuple[str, ...]
    source_px: tuple[int, ...]
    count: int | None
    shares: tuple[float, ...] | None = None

    def open(self) -> Store:
        """All of them as one store; kept, because a reused actor runs job after job."""
        return _open(self)


@functools.lru_cache(maxsize=4)
def _open(images: Images) -> Store:
    stores = [
        open_store(path, source_px=side)
        for path, side in zip(images.stores, images.source_px, strict=True)
    ]
    if images.count is not None:
        stores = [store.take(images.count) for store in stores]
    return stores[0] if len(stores) == 1 else join_stores(stores, weights=images.shares)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PretrainJob(TrialJob):
    """A pretraining on joined data sets.

    Attributes:
        joined: Its images.
        transfer: What its record says of it.
    """

    joined: Images
    transfer: Mapping[str, Any]

    def splits(self) -> tuple[Store, Store]:
        """Training and validation images of all data sets."""
        store = self.joined.open()
        return store.split("train"), store.split("val")

    def settings(self) -> dict[str, Any]:
        """What was run, with the part that makes it one of the transfer tables' records."""
        return TrialJob.settings(self) | {"transfer": dict(self.transfer)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FitJob:
    """All that a worker needs to run a row.

    Attributes:
        trial: What to run.
        data: Images of each data set that it needs.
        encoder: File of the pretrained encoder; None where it starts from none.
        metric, directory, scratch, context: As of any job.
    """

    trial: Fit
    data: Mapping[str, Images]
    encoder: str | None
    metric: SearchMetric
    directory: str
    scratch: str
    context: Mapping[str, Any]

    @property
    def epochs(self) -> int:
        """Epochs of training; none where it is probed."""
        return self.trial.finetune.epochs if self.trial.finetune else 0

    def settings(self) -> dict[str, Any]:
        """What was run, as the record's `config`."""
        return dict(self.trial.settings)

    def hyperparameters(self) -> dict[str, Any]:
        """What TensorBoard compares rows by."""
        part = self.trial.settings["transfer"]
        return {key: part[key] for key in ("pretrain", "fit", "mode", "label_fraction")}

    def run(self, *, device: str) -> Iterator[Report]:
        """Run it, from its checkpoint if it has one.

        Yields a report after each epoch of training, and a last one with done=True once the
        record is on disk. A loss that turns non-finite ends it with status "failed"; every other
        error is the executor's to handle.
        """
        started_at, stopwatch = records.now(), Stopwatch()
        rows: list[dict[str, Any]] = []
        try:
            if self.trial.probe is not None:
                results = self._probed(device)
            else:
                run = self._training(device)
                yield from self._epochs(run, rows, stopwatch)
                results = {
                    name: evaluate_model(run.model, self._tested(name), device=device)
                    for name in self.trial.evaluate
                }
        except NonFiniteLossError as error:
            record = record_of(self, "failed", rows, started_at=started_at, error=error)
            write_record(folders.scratch_copy(self.directory), record)
            yield {
                "trial": self.trial.id,
                "done": True,
                "status": "failed",
                "epoch": len(rows),
            }
            return
        metrics = self._write_errors(results)
        seconds = stopwatch.lap()
        ending = {"timings_s": {"probe": seconds, "total": seconds}}
        record = record_of(
            self, "finished", [*rows, ending], metrics=metrics, started_at=started_at
        )
        record["evaluations"] = {name: own.metrics for name, own in results.items()}
        write_record(folders.scratch_copy(self.directory), record)
        yield {
            "trial": self.trial.id,
            "done": True,
            "status": "finished",
            "epoch": self.epochs,
            **metrics,
        }

    def _train(self) -> Store:
        return self.data[self.trial.fit].open().split("train")

    def _tested(self, name: str) -> Store:
        return self.data[name].open().split(self.trial.settings["transfer"]["split"])

    def _probed(self, device: str) -> dict[str, Evaluated]:
        assert self.trial.probe is not None
        config = self.trial.encoder
        if self.encoder is not None:
            config = dataclasses.replace(config, weights=self.encoder)
        with random_parameters(self.trial.seed, "finetune", "parameters"):
            encoder = build_encoder(config)
        first, *others = self.trial.evaluate
        result = linear_probe(
            encoder,
            self._train(),
            self._tested(first),
            self.trial.probe,
            device=device,
            seed=self.trial.seed,
        )
        model = PoseModel(
            encoder,
            name=config.name,
            size_px=self.trial.probe.size_px,
            bone_m=result.bone_m,
            head="linear",
        )
        model.set_layer(result.layer)
        return {first: result} | {
            name: evaluate_model(model, self._tested(name), device=device) for name in others
        }

    def _training(self, device: str) -> Finetuning:
        config = self.trial.finetune
        assert config is not None
        if self.encoder is not None:
            config = dataclasses.replace(
                config, encoder=dataclasses.replace(config.encoder, weights=self.encoder)
            )
        checkpoint = Path(self.directory) / "checkpoint.pt"
        start = functools.partial(
            Finetuning,
            config,
            self._train(),
            seed=self.trial.seed,
            device=device,
            checkpoint=checkpoint,
        )
        if checkpoint.exists():
            try:
                return start(resume=checkpoint)
            except ConfigError:
                # It names the encoder's file, which is elsewhere if the results were moved.
                checkpoint.unlink()
        return start()

    def _epochs(
        self, run: Finetuning, rows: list[dict[str, Any]], stopwatch: Stopwatch
    ) -> Iterator[Report]:
        """Train to the end; rows are those of `metrics.jsonl`, earlier runs' included."""
        log = Path(self.directory) / "metrics.jsonl"
        done = len(run.history)
        rows += [row for row in records.read_jsonl(log) if row["epoch"] <= done]
        unreported = run.history[len(rows) :]
        records.write_jsonl(log, rows)
        for epoch in itertools.chain(unreported, run):
            row = epoch_row(epoch, encoder_steps=epoch.step)
            row["timings_s"]["total"] = stopwatch.lap()
            rows.append(row)
            records.append_jsonl(log, row)
            yield {"trial": self.trial.id, "done": False, **row}

    def _write_errors(self, results: Mapping[str, Evaluated]) -> dict[str, float]:
        """Joint errors of every data set, the first one's under the name that all records use."""
        directory = Path(self.directory)
        for number, (name, own) in enumerate(results.items()):
            records.write_npz(
                directory / (f"errors-{name}.npz" if number else "errors.npz"),
                error_cm=own.error_cm.astype("float32"),
                group=own.groups,
            )
        return dict(results[self.trial.evaluate[0]].metrics)
