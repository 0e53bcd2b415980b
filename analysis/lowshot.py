"""Few labels: how the error falls with their share, and whether pretraining pays.

A *curve* is one row, an encoder with what it starts from and how it is fitted, over the shares of
the labels. A *margin* is the distance between two curves at one share: what was pretrained against
the same encoder from random weights. Runs of one repeat were fitted to the same labels, so margins
are taken seed by seed.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.grid import RANKED_BY, Setting, is_transfer
from analysis.joint_errors import JointErrors
from analysis.records import Problem, Record, Study
from analysis.statistics import (
    Interval,
    Spread,
    interval,
    pooled_spread,
    pose_counts,
    pose_medians,
)
from analysis.transfer import TransferKey, evaluated, fraction_of, row_of

_DRAWS = 1000
_SEED = 20260101
FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A curve at one share of the labels, with its 95% interval where there is one."""

    fraction: float
    setting: Setting
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One row over the shares of the labels, smallest first."""

    study: Study = field(repr=False)
    key: TransferKey
    row: str
    title: str
    points: tuple[Point, ...]

    @property
    def frozen(self) -> bool:
        """Whether its encoder stays as it was pretrained."""
        return _frozen(self.row)

    @property
    def from_random(self) -> bool:
        """Whether its encoder starts from random weights."""
        return _from_random(self.row)

    def at(self, fraction: float) -> Setting | None:
        """Its runs at a share of the labels."""
        return next((p.setting for p in self.points if p.fraction == fraction), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The median error of a pretrained encoder minus that of the same from random weights.

    Attributes:
        study: Where both come from.
        key: Encoder and data sets.
        title: The pretrained row.
        against: The row from random weights.
        fraction: Share of the labels.
        value_cm: Mean over the seeds that both have; below zero the pretrained one is better.
        seeds: How many those are.
        interval: 95% interval of the mean, None where nothing is known of it.
        covers: What it covers: ``"poses and seeds"``, ``"poses"``, ``"seeds"`` or nothing.
    """

    study: Study = field(repr=False)
    key: TransferKey
    title: str
    against: str
    fraction: float
    value_cm: float
    seeds: int
    interval: Interval | None
    covers: str

    @property
    def decided(self) -> bool:
        """Whether it is told apart from zero, over seeds."""
        found = self.interval is not None and self.interval.excludes_zero
        return found and "seeds" in self.covers


@dataclass(frozen=True, slots=True, kw_only=True)
class LowShot:
    """All curves and margins of some studies, and the error files that could not be used."""

    curves: tuple[Curve, ...] = ()
    margins: tuple[Margin, ...] = ()
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)


def low_shot(studies: Iterable[Study]) -> LowShot:
    """Curves and margins of the studies that have runs with a part of the labels."""
    curves: list[Curve] = []
    margins: list[Margin] = []
    problems = {}
    for study in studies:
        settings = _settings(study)
        if not settings:
            continue
        reader = _Medians(study)
        own = _curves(study, settings, reader)
        curves += own
        margins += _margins(own, reader)
        problems[study.name] = tuple(reader.files.problems)
    return LowShot(curves=tuple(curves), margins=tuple(margins), problems=problems)


_Settings = dict[tuple[TransferKey, str, str], dict[float, Setting]]


def _settings(study: Study) -> _Settings:
    """Rows with more than one share of the labels: by row, then by share."""
    groups: dict[tuple[TransferKey, str, str], dict[float, dict[str, list[Record]]]]
    groups = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for record in filter(is_transfer, study.records):
        for key, own in evaluated(record):
            if RANKED_BY in own.metrics:
                groups[key, *row_of(own)][fraction_of(own)][own.setting].append(own)
    return {
        row: {
            fraction: Setting(records=tuple(sorted(_most(found), key=lambda r: r.repeat)))
            for fraction, found in sorted(fractions.items())
        }
        for row, fractions in groups.items()
        if len(fractions) > 1
    }


def _most(found: Mapping[str, list[Record]]) -> list[Record]:
    """The configuration with the most seeds, where a row was run with several."""
    return max(found.values(), key=len)


class _Medians:
    """Medians of runs under the same draws of poses."""

    def __init__(self, study: Study) -> None:
        self.files = JointErrors(study)
        self._counts: dict[tuple[str, ...], npt.NDArray[np.integer[Any]]] = {}

    def of(self, record: Record) -> FloatArray | None:
        """(draws,) the run's median error, cm; None without usable errors."""
        errors = self.files.of(record)
        if errors is None:
            return None
        if errors.poses not in self._counts:
            generator = np.random.default_rng(_SEED)
            self._counts[errors.poses] = pose_counts(len(errors.poses), _DRAWS, generator)
        medians = pose_medians(errors, self._counts[errors.poses])
        return medians if np.isfinite(medians).all() else None

    def mean(self, records: Sequence[Record]) -> FloatArray | None:
        """(draws,) mean over seeds; None unless every one has usable errors."""
        found = [self.of(record) for record in records]
        known = [own for own in found if own is not None]
        return np.mean(known, axis=0) if len(known) == len(found) and known else None


def _with_seeds(
    poses: FloatArray | None, mean: float, seeds: int, spread: Spread | None
) -> tuple[Interval | None, str]:
    """Interval of a mean over seeds, and what it covers."""
    draws, covers = (poses, "poses") if poses is not None else (np.full(_DRAWS, mean), "")
    if spread is not None:
        generator = np.random.default_rng(_SEED + 1)
        scales = spread.scales(_DRAWS, generator)
        moved = scales / math.sqrt(seeds) * generator.standard_normal(_DRAWS)
        draws, covers = draws + moved, "poses and seeds" if covers else "seeds"
    return (interval(draws), covers) if covers else (None, "")


def _values(setting: Setting) -> dict[int, float]:
    return {record.repeat: record.metrics[RANKED_BY] for record in setting.records}


def _curves(study: Study, settings: _Settings, reader: _Medians) -> list[Curve]:
    alike: dict[_Kind, list[list[float]]] = defaultdict(list)
    for (key, row, _), fractions in settings.items():
        for fraction, setting in fractions.items():
            alike[_kind(key, row, fraction)].append(list(_values(setting).values()))
    spreads = {kind: pooled_spread(groups) for kind, groups in alike.items()}
    curves = []
    for (key, row, title), fractions in sorted(settings.items(), key=lambda item: item[0]):
        points = []
        for fraction, setting in fractions.items():
            poses = reader.mean(setting.records)
            found, _ = _with_seeds(
                poses, setting.score, setting.seeds, spreads[_kind(key, row, fraction)]
            )
            points.append(Point(fraction=fraction, setting=setting, interval=found))
        curves.append(Curve(study=study, key=key, row=row, title=title, points=tuple(points)))
    return curves


_Kind = tuple[TransferKey, bool, float]
"""Where seeds may be pooled: encoder and data sets, whether the encoder is frozen, the labels."""


def _kind(key: TransferKey, row: str, fraction: float) -> _Kind:
    return key, _frozen(row), fraction


def _frozen(row: str) -> bool:
    return row.rsplit(":", maxsplit=1)[-1].startswith("frozen")


def _from_random(row: str) -> bool:
    return row == "supervised" or row.startswith("random:")


def _against(row: str) -> str:
    """The row from random weights that a row is measured against; "" for those themselves."""
    if _from_random(row):
        return ""
    return "random:frozen" if _frozen(row) else "supervised"


def _margins(curves: Sequence[Curve], reader: _Medians) -> list[Margin]:
    """Margins of one study; the spread between seeds is pooled over those of one kind."""
    pairs = []
    for curve in curves:
        other = next(
            (c for c in curves if c.key == curve.key and c.row == _against(curve.row)), None
        )
        for point in curve.points if other else ():
            setting = other.at(point.fraction) if other else None
            shared = _shared(point.setting, setting) if setting else []
            if other and shared:
                pairs.append((curve, other, point.fraction, shared))
    groups: dict[_Kind, list[list[float]]] = defaultdict(list)
    for curve, _, fraction, shared in pairs:
        groups[_kind(curve.key, curve.row, fraction)].append(_differences(shared))
    spreads = {kind: pooled_spread(found) for kind, found in groups.items()}
    margins = []
    for curve, other, fraction, shared in pairs:
        first = reader.mean([a for a, _ in shared])
        second = reader.mean([b for _, b in shared])
        known = first is not None and second is not None
        value = float(np.mean(_differences(shared)))
        found, covers = _with_seeds(
            first - second if known else None,  # type: ignore[operator]
            value,
            len(shared),
            spreads[_kind(curve.key, curve.row, fraction)],
        )
        margins.append(
            Margin(
                study=curve.study,
                key=curve.key,
                title=curve.title,
                against=other.title,
                fraction=fraction,
                value_cm=value,
                seeds=len(shared),
                interval=found,
                covers=covers,
            )
        )
    return margins


def _shared(first: Setting, second: Setting) -> list[tuple[Record, Record]]:
    """Runs of the same repeat: fitted to the same labels."""
    others = {record.repeat: record for record in second.records}
    return [(own, others[own.repeat]) for own in first.records if own.repeat in others]


def _differences(shared: Sequence[tuple[Record, Record]]) -> list[float]:
    return [a.metrics[RANKED_BY] - b.metrics[RANKED_BY] for a, b in shared]
