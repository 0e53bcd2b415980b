"""The hypothesis: equivariant features lower the error of the probe, invariant ones raise it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.grid import Setting
from analysis.records import Record, Study
from analysis.statistics import Correlation, spearman, spearman_within

GEOMETRIC = ("translate", "scale", "rotate", "crop")
DIAGNOSTICS = ("equivariance", "invariance")
ALL, WITHIN = "all configurations", "within the objectives"
"""Scopes over more than one objective."""

_SEED = 11
_MIN_VALUES = {"equivariance": 0.0}
"""Any negative R² means that the features predict nothing, so all count as 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosedSetting:
    """One configuration with diagnostics; its seeds are averaged, as they are not independent.

    Attributes:
        setting: Its finished runs that have the diagnostic.
        title: Objective variant, for colours.
        comparable_key: Data and fidelity of its study.
        x: Mean of the diagnostic over seeds and the recorded geometric augmentations.
        error_cm: The probe's error, mean over seeds.
    """

    setting: Setting = field(repr=False)
    title: str
    comparable_key: tuple[str, str]
    x: float
    error_cm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Rank correlation of a diagnostic with the error.

    Attributes:
        diagnostic: `"equivariance"` or `"invariance"`.
        scope: `ALL`, `WITHIN` or an objective variant.
        correlation: Spearman's over configurations; for `WITHIN`, of ranks within each objective.
    """

    diagnostic: str
    scope: str
    correlation: Correlation


def _diagnosed(record: Record, diagnostic: str) -> float | None:
    names = (f"{diagnostic}/{name}" for name in GEOMETRIC)
    values = [record.metrics[name] for name in names if name in record.metrics]
    if record.status != "finished" or not values or record.score is None:
        return None
    return float(np.mean(np.maximum(values, _MIN_VALUES.get(diagnostic, -np.inf))))


def diagnosed_settings(studies: Iterable[Study], diagnostic: str) -> list[DiagnosedSetting]:
    """Configurations with a run that recorded the diagnostic for a geometric augmentation."""
    groups: dict[tuple[str, str, str], list[tuple[Record, float]]] = defaultdict(list)
    keys = {}
    for study in studies:
        keys[study.name] = study.comparable_key
        for record in study.records:
            value = _diagnosed(record, diagnostic)
            if value is not None and not record.is_transfer:
                groups[study.name, record.variant, record.setting].append((record, value))
    return [
        DiagnosedSetting(
            setting=Setting(records=tuple(record for record, _ in members)),
            title=variant,
            comparable_key=keys[name],
            x=float(np.mean([value for _, value in members])),
            error_cm=float(np.mean([record.score for record, _ in members])),
        )
        for (name, variant, _), members in groups.items()
    ]


def links(studies: Iterable[Study]) -> list[Link]:
    """Correlation of each diagnostic with the error: over all, within objectives, in each.

    Errors on other data or at another fidelity cannot be compared, so studies that differ in these
    are never pooled over all configurations.
    """
    studies = list(studies)
    result = []
    for diagnostic in DIAGNOSTICS:
        cloud = diagnosed_settings(studies, diagnostic)
        groups: dict[str, list[DiagnosedSetting]] = {WITHIN: cloud}
        for point in cloud:
            groups.setdefault(point.title, []).append(point)
        scopes = {scope: _within(members) for scope, members in groups.items()}
        if len(groups) == 2:  # a single objective needs no stratification
            del scopes[WITHIN]
        elif len({point.comparable_key for point in cloud}) == 1:
            scopes = {ALL: _spearman(cloud), **scopes}
        result += [
            Link(diagnostic=diagnostic, scope=scope, correlation=correlation)
            for scope, correlation in scopes.items()
            if correlation.n >= 3
        ]
    return result


def _within(members: Sequence[DiagnosedSetting]) -> Correlation:
    strata = [(point.title, point.comparable_key) for point in members]
    if len(set(strata)) == 1:
        return _spearman(members)
    x, y = [point.x for point in members], [point.error_cm for point in members]
    return spearman_within(x, y, strata, np.random.default_rng(_SEED))


def _spearman(members: Sequence[DiagnosedSetting]) -> Correlation:
    return spearman(
        [point.x for point in members],
        [point.error_cm for point in members],
        np.random.default_rng(_SEED),
    )
