"""Hyperparameters of a sampled study: fANOVA importances and partial dependence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.notation import OBJECTIVE_DEFAULTS, assignment
from analysis.records import Record, Study
from analysis.statistics import fanova, partial_dependence
from handssl.records import flatten

MIN_TRIALS = 20
"""With fewer finished trials, a forest only memorises them."""

_MAX_TRIALS = 500  # a random sample of more: the time grows faster than their number
_MAX_CHOICES = 12
_POINTS = 40
_SEED = 3
_IGNORED = ("composition", "seed", "repeat", "trial", "name", "targets", "mixture", "equivariance")
"""Keys that are not parameters, or that are part of the objective variant."""

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One searched parameter.

    Attributes:
        name: Dotted key of the configuration, `with T` for an augmentation, or `objective`.
        values: One per trial.
        choices: Categories in the order of their codes, empty for a number.
        log: Whether it is on a log scale: positive, over more than a factor of ten.
    """

    name: str
    values: tuple[Any, ...] = field(repr=False)
    choices: tuple[str, ...] = ()
    log: bool = False

    def scaled(self) -> FloatArray:
        """(trials,) in [0, 1]."""
        if self.choices:
            codes = [self.choices.index(str(value)) for value in self.values]
            return (np.array(codes) + 0.5) / len(self.choices)
        raw = np.array(self.values, dtype=float)
        raw = np.log(raw) if self.log else raw
        scaled: FloatArray = (raw - raw.min()) / (raw.max() - raw.min())
        return scaled

    def at(self, scaled: FloatArray) -> FloatArray:
        """Values of a number from their scaled positions in [0, 1]."""
        raw = np.array(self.values, dtype=float)
        raw = np.log(raw) if self.log else raw
        unscaled = raw.min() + scaled * (raw.max() - raw.min())
        values: FloatArray = np.exp(unscaled) if self.log else unscaled
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialDependence:
    """Dependence of the error on one number.

    Attributes:
        parameter: The parameter.
        x: Its values.
        mean_cm, low_cm, high_cm: Mean of the forest, 10th and 90th percentile of its trees.
    """

    parameter: Parameter
    x: FloatArray = field(repr=False)
    mean_cm: FloatArray = field(repr=False)
    low_cm: FloatArray = field(repr=False)
    high_cm: FloatArray = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """A sampled study's importances.

    Attributes:
        study: The study.
        trials: Number of finished trials in the forest's training data.
        importances: Parameter to share of the variance, largest first.
        curves: Partial dependence of every number, in the same order.
    """

    study: Study = field(repr=False)
    trials: int
    importances: tuple[tuple[Parameter, float], ...]
    curves: tuple[PartialDependence, ...] = field(repr=False)


def _choices(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted key that are numbers or texts, without those that are ignored."""
    objective = {**OBJECTIVE_DEFAULTS, **config.get("objective", {})}
    return {
        key: value
        for key, value in flatten({**config, "objective": objective}).items()
        if isinstance(value, bool | int | float | str) and key.rpartition(".")[2] not in _IGNORED
    }


def _parameters(records: Sequence[Record]) -> list[Parameter]:
    flat = [_choices(record.config) for record in records]
    used = [assignment(record.composition) for record in records]
    columns: dict[str, list[Any]] = {"objective": [record.variant for record in records]}
    for token in dict.fromkeys(token for tokens in used for token in tokens):
        # An augmentation with assigned objectives has one level for each objective.
        columns[f"with {token}"] = [
            (tokens[token] or "yes") if token in tokens else "no" for tokens in used
        ]
    for key in dict.fromkeys(key for config in flat for key in config):
        columns[key] = [config.get(key) for config in flat]
    return [
        parameter
        for name, values in columns.items()
        if (parameter := _parameter(name, values)) is not None
    ]


def _parameter(name: str, values: Sequence[Any]) -> Parameter | None:
    """A parameter that varies, None for a constant one or one with too many choices.

    Trials without a number (the magnitude of an augmentation that they lack) get the median of the
    others.
    """
    present = [value for value in values if value is not None]
    if present and all(_is_number(value) for value in present):
        low, high = min(present), max(present)
        if low == high:
            return None
        middle = float(np.median(present))
        filled = tuple(middle if value is None else value for value in values)
        return Parameter(name=name, values=filled, log=low > 0 and high > 10 * low)
    choices = sorted({str(value) for value in values})
    if not 2 <= len(choices) <= _MAX_CHOICES:
        return None
    return Parameter(name=name, values=tuple(values), choices=tuple(choices))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_sampled(parameters: Sequence[Parameter]) -> bool:
    return any(not p.choices and p.name != "objective" for p in parameters)


def sampling(study: Study) -> Sampling | None:
    """Importances for a study whose numbers vary between trials, None for a plain grid."""
    records = [
        r
        for r in study.records
        if r.status == "finished" and r.score is not None and not r.is_transfer
    ]
    generator = np.random.default_rng(_SEED)
    if len(records) > _MAX_TRIALS:
        chosen = np.sort(generator.choice(len(records), _MAX_TRIALS, replace=False))
        records = [records[index] for index in chosen]
    if len(records) < MIN_TRIALS:
        return None
    parameters = _parameters(records)
    if not _is_sampled(parameters):
        return None
    x = np.stack([parameter.scaled() for parameter in parameters], axis=1)
    y = np.array([record.score for record in records], dtype=float)
    shares = fanova(x, y, [len(parameter.choices) for parameter in parameters], seed=_SEED)
    order = np.argsort(-shares)
    return Sampling(
        study=study,
        trials=len(records),
        importances=tuple((parameters[i], float(shares[i])) for i in order),
        curves=tuple(_curve(x, y, parameters[i], i) for i in order if not parameters[i].choices),
    )


def _curve(x: FloatArray, y: FloatArray, parameter: Parameter, feature: int) -> PartialDependence:
    scaled = np.linspace(0, 1, _POINTS)
    trees = partial_dependence(x, y, feature, scaled, seed=_SEED)
    low, high = np.percentile(trees, (10, 90), axis=0)
    return PartialDependence(
        parameter=parameter,
        x=parameter.at(scaled),
        mean_cm=trees.mean(axis=0),
        low_cm=low,
        high_cm=high,
    )
