"""Records and studies as the analysis uses them."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from analysis.notation import composition_label, objective_variant
from handssl import records
from handssl.records import Source

_NOT_SETTINGS = frozenset({"seed", "repeat", "trial", "trial_id", "study", "hash"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A defect in a study's folder.

    Attributes:
        file: Path of the file, from the study's folder.
        what: Description of the defect.
        consequence: Its effect on the analysis.
    """

    file: str
    what: str
    consequence: str = "left out"

    def __str__(self) -> str:
        return f"{self.file}: {self.what} ({self.consequence})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """An error of a pose; lower is better.

    A report ranks by one metric. The fields of the analysis that end in `_cm` hold its values,
    which are in % for the 2D errors.

    Attributes:
        name: Key in the metrics of a record.
        noun: Its name in sentences.
        short: Its name in headings and on axes.
        unit: `"cm"`, or `"%"` of the side of the hand's box.
        array: Array of `errors.npz` whose median it is, "" for none: then an interval covers seeds
            alone.
    """

    name: str
    noun: str
    short: str
    unit: str = "cm"
    array: str = ""

    @property
    def heading(self) -> str:
        """The noun as the start of a sentence."""
        return self.noun[0].upper() + self.noun[1:]

    @property
    def by(self) -> str:
        """An addition to a sentence, "" for the paper's metric, which is the default."""
        return "" if self == ABSOLUTE else f" by {self.noun}"

    @property
    def axis(self) -> str:
        """Heading with unit, as in `"median PJE (cm)"`."""
        return f"{self.short} ({self.unit})"


ABSOLUTE = Metric(
    name=records.OBJECTIVE, noun="median error", short="median PJE", array="error_cm"
)
"""The paper ranks by the median: the mean has outliers from the root depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(records.Record):
    """The record of one trial, with the names that the analysis derives from it.

    Attributes:
        file: Path of the record, from the study's folder.
        variant: The objective with its target form (`notation.objective_variant`).
        label: The composition in the paper's notation.
        setting: Identity of the configuration without seed and repeat; equal for repeats.
        metrics: Finite metrics only.
        evaluations: Finite metrics on each data set, for a run with several evaluations.
        errors: File of the errors behind `metrics`, in the trial's folder.
        metric: The metric that ranks.
    """

    file: str
    variant: str
    label: str
    setting: str
    metrics: Mapping[str, float]
    evaluations: Mapping[str, Mapping[str, float]] = field(default_factory=dict, repr=False)
    errors: str = "errors.npz"
    metric: Metric = ABSOLUTE

    @property
    def score(self) -> float | None:
        """The metric that ranks, None where it is absent."""
        return self.metrics.get(self.metric.name)

    @property
    def folder(self) -> str:
        """The trial's folder, from the study's folder."""
        return f"trials/{self.trial}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The content of a study's folder.

    Attributes:
        name: The study's name; the folder's where `study.json` has none.
        source: Its folder or bucket.
        description: The content of `study.json`, empty where it cannot be read.
        records: Usable records, in trial order, without duplicates.
        unfinished: Trials with a folder but no record: running, or interrupted.
        missing: Planned trials without a folder.
        problems: Files left out, with the reasons.
        metric: The metric that ranks.
        baselines: Records of the answers that trials are compared with.
    """

    name: str
    source: Source
    description: Mapping[str, Any] = field(repr=False)
    records: tuple[Record, ...] = field(repr=False)
    unfinished: tuple[str, ...] = ()
    missing: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    problems: tuple[Problem, ...] = ()
    metric: Metric = ABSOLUTE
    baselines: tuple[Record, ...] = field(default=(), repr=False)

    def section(self, key: str) -> Mapping[str, Any]:
        """A part of `study.json` (`fidelity`, `data`, `versions`, …), empty if absent."""
        section = self.description.get(key)
        return section if isinstance(section, Mapping) else {}

    @property
    def fidelity(self) -> str:
        """The label of the study with the sizes of its runs."""
        fidelity = self.section("fidelity")
        label = str(fidelity.get("label") or "")
        words = {"images": " images", "epochs": " epochs", "size_px": " px", "encoder": ""}
        sizes = ", ".join(
            (f"{value:,}" if isinstance(value, int) else str(value)) + word
            for key, word in words.items()
            if (value := fidelity.get(key))
        )
        if label and sizes and not re.search(r"\d", label):  # a label with numbers has the sizes
            return f"{label} ({sizes})"
        return label or sizes or "fidelity not recorded"

    @property
    def title(self) -> str:
        """Name and fidelity of the study."""
        fidelity = self.fidelity
        return fidelity if fidelity.startswith(self.name) else f"{self.name}: {fidelity}"

    @property
    def comparable_key(self) -> tuple[str, str]:
        """Data and fidelity: the errors of studies with equal keys may be compared."""
        fidelity = sorted(self.section("fidelity").items())
        return str(self.section("data").get("fingerprint")), repr(fidelity)

    @property
    def summary(self) -> str:
        """The fidelity, and whether the study is evidence or a demonstration, as a sentence."""
        return f"{self.fidelity}." + (
            ""
            if self.is_evidence or "not evidence" in self.fidelity
            else " A demonstration, not evidence."
        )

    @property
    def progress(self) -> str:
        """Number of trials with and without a record, as a sentence; "" for a complete study."""
        ended, running, missing = len(self.records), len(self.unfinished), len(self.missing)
        if not running and not missing:
            return ""
        parts = [f"{ended} trial{'s' if ended != 1 else ''} so far"]
        if running:
            parts.append(f"{running} running or interrupted")
        if missing:
            parts.append(f"{missing} not started")
        return f"Not complete: {', '.join(parts)}."

    @property
    def is_evidence(self) -> bool:
        """Whether the study is declared as evidence."""
        return bool(self.section("fidelity").get("evidence", False))


def setting_of(config: Mapping[str, Any], transfer: Mapping[str, Any], other: str) -> str:
    """Identity of a configuration without seed and repeat; `other` where it is empty."""
    whole = {**config, "transfer": transfer} if transfer else config
    settings = {key: value for key, value in whole.items() if key not in _NOT_SETTINGS}
    return json.dumps(settings, sort_keys=True, default=str) if settings else other


def prepare(record: records.Record, file: str) -> tuple[Record, list[Problem]]:
    """The record for the analysis, and the metrics left out of it."""
    metrics = _finite(record.metrics)
    problems = [
        Problem(file=file, what=f"metrics.{name} is {value}", consequence="metric left out")
        for name, value in record.metrics.items()
        if name not in metrics
    ]
    values = {f.name: getattr(record, f.name) for f in fields(records.Record)} | {
        "metrics": metrics,
        "evaluations": {name: _finite(m) for name, m in record.evaluations.items()},
        "timings_s": _finite(record.timings_s),
    }
    other = f"{record.objective} {record.composition}"
    return Record(
        **values,
        file=file,
        variant=objective_variant(record.objective, record.config.get("objective")),
        label=composition_label(record.composition),
        setting=setting_of(record.config, record.transfer, other),
    ), problems


def _finite(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """Finite numbers; a distance is not negative."""
    return {
        name: float(value)
        for name, value in metrics.items()
        if value is not None and math.isfinite(value) and not (value < 0 and name.endswith("_cm"))
    }
