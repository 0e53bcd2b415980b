"""The hypothesis: do features that are equivariant help the probe, and does invariance hurt it?"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.grid import RANKED_BY, Setting, is_transfer
from analysis.records import Record, Study
from analysis.statistics import Correlation, spearman, spearman_within

GEOMETRIC = ("translate", "scale", "rotate", "crop")
DIAGNOSTICS = ("equivariance", "invariance")
ALL, WITHIN = "all configurations", "within the objectives"
"""Scopes over more than one objective."""

_SEED = 11
_FLOORS = {"equivariance": 0.0}
"""R² below 0 says that the features predict nothing; how far below, only how the fit failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One configuration with diagnostics; its seeds are one point, for they are no new evidence.

    Attributes:
        setting: Its finished runs that hold the diagnostic.
        title: Objective variant, for colours.
        family: Data and fidelity of its study.
        x: Mean of the diagnostic over seeds and the geometric augmentations that the records hold.
        error_cm: The probe's median error, mean over seeds.
    """

    setting: Setting = field(repr=False)
    title: str
    family: tuple[str, str]
    x: float
    error_cm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A diagnostic against the error.

    Attributes:
        diagnostic: ``"equivariance"`` or ``"invariance"``.
        scope: `ALL`, `WITHIN` or an objective variant.
        correlation: Spearman's over configurations; of ranks within each objective for `WITHIN`.
    """

    diagnostic: str
    scope: str
    correlation: Correlation


def _diagnosed(record: Record, diagnostic: str) -> float | None:
    names = (f"{diagnostic}/{name}" for name in GEOMETRIC)
    values = [record.metrics[name] for name in names if name in record.metrics]
    if record.status != "finished" or not values or RANKED_BY not in record.metrics:
        return None
    floor = _FLOORS.get(diagnostic, -np.inf)
    return float(np.mean(np.maximum(values, floor)))


def points(studies: Iterable[Study], diagnostic: str) -> list[Point]:
    """Configurations of which a run holds the diagnostic for a geometric augmentation."""
    groups: dict[tuple[str, str, str], list[tuple[Record, float]]] = defaultdict(list)
    families = {}
    for study in studies:
        families[study.name] = study.family
        for record in study.records:
            value = _diagnosed(record, diagnostic)
            if value is not None and not is_transfer(record):
                groups[study.name, record.variant, record.setting].append((record, value))
    return [
        Point(
            setting=Setting(records=tuple(record for record, _ in members)),
            title=variant,
            family=families[name],
            x=float(np.mean([value for _, value in members])),
            error_cm=float(np.mean([record.metrics[RANKED_BY] for record, _ in members])),
        )
        for (name, variant, _), members in groups.items()
    ]


def links(studies: Iterable[Study]) -> list[Link]:
    """Correlation of each diagnostic with the error: in all, within objectives, in each.

    Errors at another fidelity or on other data cannot be compared: studies of several families are
    looked at within these, and never in all.
    """
    everything = list(studies)
    found = []
    for diagnostic in DIAGNOSTICS:
        cloud = points(everything, diagnostic)
        groups: dict[str, list[Point]] = {WITHIN: cloud}
        for point in cloud:
            groups.setdefault(point.title, []).append(point)
        scopes = {scope: _within(members) for scope, members in groups.items()}
        if len(groups) == 2:  # one objective: itself is all there is
            del scopes[WITHIN]
        elif len({point.family for point in cloud}) == 1:
            scopes = {ALL: _spearman(cloud), **scopes}
        found += [
            Link(diagnostic=diagnostic, scope=scope, correlation=correlation)
            for scope, correlation in scopes.items()
            if correlation.n >= 3
        ]
    return found


def _within(members: Sequence[Point]) -> Correlation:
    strata = [(point.title, point.family) for point in members]
    if len(set(strata)) == 1:
        return _spearman(members)
    x, y = [point.x for point in members], [point.error_cm for point in members]
    return spearman_within(x, y, strata, np.random.default_rng(_SEED))


def _spearman(members: Sequence[Point]) -> Correlation:
    return spearman(
        [point.x for point in members],
        [point.error_cm for point in members],
        np.random.default_rng(_SEED),
    )
