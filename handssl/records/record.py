"""The record of a trial: its configuration, its outcome and its provenance."""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from handssl.errors import DataError

SCHEMA: Final = 2
"""Version of the layout of record.json; readers refuse a newer one.

1 had the description of a transfer row inside the configuration, and no `kind`.
"""

OBJECTIVE: Final = "median_pje_cm"
"""The metric of the paper's ranking: the probe's median per-joint error on validation.

A search optimises it unless `search.metric` names another; every rung has it beside that one.
"""

IMAGE_BLIND: Final = "image_blind"
RANDOM_WEIGHTS: Final = "random_weights"
"""Objectives in the records of baselines; the answer's name is in `composition`."""

Kind = Literal["pretrain", "fit", "baseline"]
Status = Literal["finished", "pruned", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """An intermediate result: metrics of the probe after some epochs.

    Attributes:
        epoch: Epochs of training so far.
        step: Optimiser steps so far.
        metrics: `OBJECTIVE`, and the metric that the search optimises.
    """

    epoch: int
    step: int
    metrics: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The error that ended a trial.

    Attributes:
        type: Name of the exception's class.
        message: Its message.
        traceback: Its traceback, which names files of the machine; None in a published record.
        details: Further facts, such as the step at which the loss became infinite.
    """

    type: str
    message: str
    traceback: str | None = field(default=None, compare=False, repr=False)
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        text = {} if self.traceback is None else {"traceback": self.traceback}
        return {"type": self.type, "message": self.message, **text, **self.details}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One trial that has ended.

    Attributes:
        kind: "pretrain" for a pretraining, "fit" for a fit of an encoder to labels, "baseline" for
            an answer that trials are compared with.
        trial: Name of its folder.
        hash: Identity of the computation (`canonical_hash` of all that decides its numbers).
        status: How it ended.
        seed: Derived from the hash.
        composition: Augmentations, as in "T+CJ+S".
        objective: Label of the objective.
        repeat: 0 for the first run of a point, then one more for each further seed.
        stage: 2 where a search repeats one of its best points with a new seed, else 1.
        point: Position in the search space.
        config: Settings of the run.
        transfer: Data sets and mode of a row of the transfer tables; empty elsewhere.
        pretraining: The trial whose encoder a fit starts from.
        metrics: Metrics at the end; None where one was not finite.
        evaluations: Metrics on each data set, of a fit that was evaluated on several.
        rungs: Intermediate results.
        epochs: Epochs of training.
        steps: Optimiser steps.
        encoder_steps: Steps times forward passes of the encoder: the cost of the trial.
        timings_s: Seconds by part of the work.
        error: The error of a failed trial.
        started_at: UTC, ISO 8601.
        finished_at: UTC, ISO 8601.
        study: Name of the study.
        data: Name, fingerprint and size of the data set.
        versions: Versions of the libraries.
        git: Revision of the code.

    Example:
        >>> record = Record(
        ...     kind="pretrain", trial="t1", hash="4f56", status="finished", seed=7,
        ...     composition="T+S", objective="contrastive", metrics={"median_pje_cm": 12.5},
        ... )
        >>> record.is_finished, record.metrics["median_pje_cm"]
        (True, 12.5)
        >>> Record.from_dict(record.to_dict()) == record
        True
    """

    kind: Kind
    trial: str
    hash: str
    status: Status
    seed: int
    composition: str
    objective: str
    repeat: int = 0
    stage: int = 1
    point: Mapping[str, Any] = field(default_factory=dict, repr=False)
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    transfer: Mapping[str, Any] = field(default_factory=dict)
    pretraining: str | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    evaluations: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict, repr=False)
    rungs: tuple[Rung, ...] = field(default=(), repr=False)
    epochs: int = 0
    steps: int = 0
    encoder_steps: int = 0
    timings_s: Mapping[str, float] = field(default_factory=dict, repr=False)
    error: Failure | None = None
    started_at: str = ""
    finished_at: str = ""
    study: str = ""
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    versions: Mapping[str, str] = field(default_factory=dict, repr=False)
    git: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_finished(self) -> bool:
        """Whether it ran to its end."""
        return self.status == "finished"

    @property
    def is_failed(self) -> bool:
        """Whether an error ended it."""
        return self.status == "failed"

    @property
    def is_transfer(self) -> bool:
        """Whether it belongs to the transfer tables."""
        return bool(self.transfer)

    def to_dict(self) -> dict[str, Any]:
        """JSON form, of the present schema; empty fields of transfer tables are left out."""
        values: dict[str, Any] = {"schema": SCHEMA} | {
            f.name: getattr(self, f.name) for f in dataclasses.fields(Record)
        }
        for name in ("transfer", "pretraining", "evaluations"):
            if not values[name]:
                del values[name]
        values["rungs"] = [
            {"epoch": rung.epoch, "step": rung.step, **rung.metrics} for rung in self.rungs
        ]
        values["error"] = self.error and self.error.to_dict()
        return values

    @classmethod
    def from_dict(
        cls, value: Mapping[str, Any], *, file: object = "record.json", trial: str | None = None
    ) -> Self:
        """A record from its JSON form, of this schema or an older one.

        Args:
            value: The JSON object.
            file: Its file, which an error names.
            trial: Name of its folder; by default the one in the record.

        Raises:
            DataError: A field is missing or has the wrong type, or the schema is newer.
        """
        upgraded = upgrade(value, file=file) | ({} if trial is None else {"trial": trial})
        # A null is a missing value: the Parquet form cannot tell them apart.
        names = [f.name for f in dataclasses.fields(cls)]
        values = {name: upgraded[name] for name in names if upgraded.get(name) is not None}
        values.setdefault("encoder_steps", values.get("steps", 0))
        try:
            if "rungs" in values:
                values["rungs"] = tuple(map(_rung, values["rungs"]))
            if "error" in values:
                values["error"] = _failure(values["error"])
            valid = _model().model_validate(values)
            return cls(**{name: getattr(valid, name) for name in values})
        except (AttributeError, TypeError) as error:
            raise DataError(f"{file} has rungs or an error of another form ({error})") from error
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            if first["type"] == "missing":
                raise DataError(f"{file} has no {name}") from error
            reason = first["msg"].removeprefix("Input ")
            raise DataError(f"{file} has {name}={first['input']!r}, which {reason}") from error


def upgrade(value: Mapping[str, Any], *, file: object = "record.json") -> dict[str, Any]:
    """The JSON form of a record in the present schema.

    Schema 2 took the description of a transfer row out of the configuration, and added `kind`.

    Raises:
        DataError: The schema is newer.

    Example:
        >>> upgrade({"schema": 1, "config": {"epochs": 2, "transfer": {"mode": "frozen"}}})
        {'schema': 2, 'config': {'epochs': 2}, 'kind': 'fit', 'transfer': {'mode': 'frozen'}}
    """
    if check_schema(value, file) == SCHEMA:
        return dict(value)
    config = value.get("config")
    config = dict(config) if isinstance(config, Mapping) else {}
    transfer = config.pop("transfer", None)
    fits = transfer is not None and transfer.get("mode") != "pretrain"
    upgraded = {**value, "schema": SCHEMA, "config": config, "kind": "fit" if fits else "pretrain"}
    return upgraded if transfer is None else upgraded | {"transfer": transfer}


def check_schema(value: Mapping[str, Any], file: object) -> int:
    """The schema of a file's content, 1 where it has none; a newer one is refused."""
    schema = value.get("schema", 1)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise DataError(
            f"{file} has schema={schema!r}, made by a newer version than this one, which reads "
            f"schema={SCHEMA}; update it"
        )
    return schema


def _rung(values: Mapping[str, Any]) -> Rung:
    metrics = {**values}
    return Rung(epoch=metrics.pop("epoch", 0), step=metrics.pop("step", 0), metrics=metrics)


def _failure(values: Mapping[str, Any]) -> Failure:
    details = {**values}
    kind, message = (details.pop(name, None) or "" for name in ("type", "message"))
    return Failure(
        type=kind, message=message, traceback=details.pop("traceback", None), details=details
    )


@functools.cache
def _model() -> type[BaseModel]:
    """The types of the fields of a record, for pydantic to check without any conversion."""
    types = get_type_hints(Record)
    absent = dataclasses.MISSING
    fields: dict[str, Any] = {
        f.name: (types[f.name], ... if f.default is f.default_factory is absent else None)
        for f in dataclasses.fields(Record)
    }
    return create_model("RecordFields", __config__=ConfigDict(strict=True), **fields)
