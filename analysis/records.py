"""What a record and a study are, and how one record is understood."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.errors import RecordsError
from analysis.notation import composition_label, objective_variant
from analysis.source import Source

SCHEMA = 1
"""The newest record layout that this reader knows."""

STATUSES = ("finished", "pruned", "failed")

_REQUIRED = ("status", "composition", "objective")
_NOT_SETTINGS = frozenset({"seed", "repeat", "trial", "trial_id", "study", "hash"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in a study's folder that is not as it should be.

    Attributes:
        file: Path of the file, from the study's folder.
        what: What is wrong with it.
        consequence: What the analysis did about it.
    """

    file: str
    what: str
    consequence: str = "left out"

    def __str__(self) -> str:
        return f"{self.file}: {self.what} ({self.consequence})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """An intermediate result: the probe's median error after so many epochs and steps."""

    epoch: float
    step: float
    median_pje_cm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One trial, as its record says; fields are named as in the record.

    Attributes:
        file: Path of the record from the study's folder.
        variant: The objective with its target form (`notation.objective_variant`).
        label: The composition in the study's notation.
        setting: Identity of the configuration without seed and repeat; equal for repeats.
        stage: 2 where it repeats one of the best of a search with a fresh seed, else 1.
        metrics: Finite metrics only.
        evaluations: Metrics on each data set, of a run that was evaluated on several.
        errors: File of the errors behind `metrics`, in the trial's folder.
    """

    file: str
    trial: str
    hash: str
    status: str
    seed: int | None
    repeat: int
    stage: int
    objective: str
    variant: str
    composition: str
    label: str
    setting: str
    config: Mapping[str, Any] = field(repr=False)
    metrics: Mapping[str, float]
    rungs: tuple[Rung, ...] = ()
    encoder_steps: float | None = None
    timings_s: Mapping[str, float]
    versions: Mapping[str, str]
    data: Mapping[str, Any]
    started_at: str
    finished_at: str
    error: Mapping[str, str] | None = None
    evaluations: Mapping[str, Mapping[str, float]] = field(default_factory=dict, repr=False)
    errors: str = "errors.npz"

    @property
    def folder(self) -> str:
        """The trial's folder, from the study's folder."""
        return f"trials/{self.trial}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study's folder as read.

    Attributes:
        name: The study's name; the folder's where `study.json` has none.
        source: Where it was read from.
        description: The content of `study.json`, empty where it cannot be read.
        records: Usable records, in trial order, without duplicates.
        unfinished: Trials that have a folder and no record: running, or interrupted.
        missing: Planned trials without a folder.
        problems: What was left out, and why.
    """

    name: str
    source: Source
    description: Mapping[str, Any] = field(repr=False)
    records: tuple[Record, ...] = field(repr=False)
    unfinished: tuple[str, ...] = ()
    missing: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    problems: tuple[Problem, ...] = ()

    def section(self, key: str) -> Mapping[str, Any]:
        """A part of `study.json` (``fidelity``, ``data``, ``versions``, …), empty if absent."""
        found = self.description.get(key)
        return found if isinstance(found, Mapping) else {}

    @property
    def fidelity(self) -> str:
        """One phrase that says how much the numbers are worth: a label with its sizes."""
        fidelity = self.section("fidelity")
        label = str(fidelity.get("label") or "")
        words = {"images": " images", "epochs": " epochs", "size_px": " px", "encoder": ""}
        sizes = ", ".join(
            (f"{value:,}" if isinstance(value, int) else str(value)) + word
            for key, word in words.items()
            if (value := fidelity.get(key))
        )
        if label and sizes and not re.search(r"\d", label):  # numbers in a label are the sizes
            return f"{label} ({sizes})"
        return label or sizes or "fidelity not recorded"

    @property
    def title(self) -> str:
        """The study's name and fidelity; the name once, where the fidelity begins with it."""
        own = self.fidelity
        return own if own.startswith(self.name) else f"{self.name}: {own}"

    @property
    def comparable_key(self) -> tuple[str, str]:
        """Data and fidelity: errors of studies of one family may be compared."""
        fidelity = sorted(self.section("fidelity").items())
        return str(self.section("data").get("fingerprint")), repr(fidelity)

    @property
    def summary(self) -> str:
        """The fidelity and what may be concluded from it, as a sentence."""
        return f"{self.fidelity}." + (
            ""
            if self.is_evidence or "not evidence" in self.fidelity
            else " A demonstration, not evidence."
        )

    @property
    def progress(self) -> str:
        """What has no record yet, as a sentence; "" for a complete study."""
        here, running, to_come = len(self.records), len(self.unfinished), len(self.missing)
        if not running and not to_come:
            return ""
        parts = [f"{here} trial{'s' if here != 1 else ''} so far"]
        if running:
            parts.append(f"{running} running or interrupted")
        if to_come:
            parts.append(f"{to_come} not started")
        return f"Not complete: {', '.join(parts)}."

    @property
    def is_evidence(self) -> bool:
        """Whether the study itself claims more than a demonstration."""
        return bool(self.section("fidelity").get("evidence", False))


def parse_json(raw: bytes) -> Mapping[str, Any]:
    """A JSON object of a schema that this version reads; raises RecordsError, saying why not."""
    try:
        found = json.loads(raw)
    except ValueError as error:
        what = "is empty" if not raw.strip() else f"is not complete JSON ({error})"
        raise RecordsError(what) from error
    return check_schema(found)


def check_schema(found: object) -> Mapping[str, Any]:
    """The object itself, if it is one and its schema is not newer than `SCHEMA`."""
    if not isinstance(found, dict):
        raise RecordsError(f"holds a {type(found).__name__} instead of an object")
    schema = found.get("schema", SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise RecordsError(
            f"has schema={schema!r}, newer than the {SCHEMA} that this version reads; update it"
        )
    return found


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _rungs(value: object) -> tuple[Rung, ...]:
    rungs = []
    for item in value if isinstance(value, list) else ():
        numbers = {key: _number(_mapping(item).get(key)) for key in ("epoch", "step")}
        error = _number(_mapping(item).get("median_pje_cm"))
        if error is not None:
            rungs.append(
                Rung(epoch=numbers["epoch"] or 0, step=numbers["step"] or 0, median_pje_cm=error)
            )
    return tuple(rungs)


def setting_of(config: Mapping[str, Any], fallback: str) -> str:
    """Identity of a configuration, seed and repeat left out."""
    kept = {key: value for key, value in config.items() if key not in _NOT_SETTINGS}
    return json.dumps(kept, sort_keys=True, default=str) if kept else fallback


def parse_record(raw: Mapping[str, Any], file: str, trial: str) -> tuple[Record, list[Problem]]:
    """A record from its JSON, with what had to be left out of it.

    Args:
        raw: The JSON object.
        file: Its file, from the study's folder.
        trial: The trial's name.

    Raises:
        RecordsError: Where what every record must have is missing.
    """
    absent = [key for key in _REQUIRED if not isinstance(raw.get(key), str)]
    if absent:
        raise RecordsError(f"has no {' and no '.join(absent)}")
    status, composition, objective = (str(raw[key]) for key in _REQUIRED)
    if status not in STATUSES:
        raise RecordsError(f"has status={status!r}, not one of {', '.join(STATUSES)}")
    problems = []
    metrics = {}
    for name, value in _mapping(raw.get("metrics")).items():
        number = _number(value)
        if number is not None and number < 0 and name.endswith("_cm"):
            number = None  # a distance
        if number is None:
            problems.append(
                Problem(
                    file=file, what=f"metrics.{name} is {value}", consequence="metric left out"
                )
            )
        else:
            metrics[name] = number
    if status == "finished" and not problems and "median_pje_cm" not in metrics:
        problems.append(
            Problem(
                file=file,
                what="is finished and has no metrics.median_pje_cm",
                consequence="not ranked",
            )
        )
    config = _mapping(raw.get("config"))
    timings = {
        name: number
        for name, value in _mapping(raw.get("timings_s")).items()
        if (number := _number(value)) is not None
    }
    error = _mapping(raw.get("error"))
    record = Record(
        file=file,
        trial=trial,
        hash=str(raw.get("hash") or ""),
        status=status,
        seed=_integer(raw.get("seed")),
        repeat=_integer(raw.get("repeat")) or 0,
        stage=_integer(raw.get("stage")) or 1,
        objective=objective,
        variant=objective_variant(objective, config.get("objective")),
        composition=composition,
        label=composition_label(composition),
        setting=setting_of(config, f"{objective} {composition}"),
        config=config,
        metrics=metrics,
        rungs=_rungs(raw.get("rungs")),
        encoder_steps=_number(raw.get("encoder_steps", raw.get("steps"))),
        timings_s=timings,
        versions={name: str(value) for name, value in _mapping(raw.get("versions")).items()},
        data=_mapping(raw.get("data")),
        started_at=str(raw.get("started_at") or ""),
        finished_at=str(raw.get("finished_at") or ""),
        error={key: str(error[key]) for key in ("type", "message") if key in error} or None,
        evaluations={
            str(name): {
                key: own
                for key, value in _mapping(found).items()
                if (own := _number(value)) is not None
            }
            for name, found in _mapping(raw.get("evaluations")).items()
        },
    )
    return record, problems
