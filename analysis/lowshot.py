"""Few labels: median error against the share of the labels, with and without pretraining.

A *curve* is one row (an encoder, its initial weights and how it is fitted) over the shares of the
labels. A *margin* is the distance between two curves at one share: a pretrained encoder against
the same encoder from random weights. Runs of one repeat are fitted to the same labels, so margins
are paired by repeat.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from analysis.grid import Setting
from analysis.records import Metric, Problem, Record, Study
from analysis.statistics import Interval
from analysis.transfer import TransferKey, settings_of
from analysis.uncertainty import (
    SEED,
    Contrast,
    Draws,
    PoseBootstrap,
    contrast,
    family,
    paired,
    with_seeds,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FractionResult:
    """A row at one share of the labels, with its 95% interval where there is one."""

    fraction: float
    setting: Setting
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCurve:
    """One row over the shares of the labels, smallest share first."""

    study: Study = field(repr=False)
    key: TransferKey
    row: str
    title: str
    points: tuple[FractionResult, ...]

    @property
    def metric(self) -> Metric:
        """The metric that ranks."""
        return self.study.metric

    @property
    def frozen(self) -> bool:
        """Whether the encoder stays frozen."""
        return _frozen(self.row)

    @property
    def from_random(self) -> bool:
        """Whether the encoder starts from random weights."""
        return self.row == "supervised" or self.row.startswith("random:")

    @property
    def model(self) -> str:
        """Its title without the paper's plus sign."""
        return self.title.removeprefix("+ ")

    def at(self, fraction: float) -> Setting | None:
        """The runs at a share of the labels."""
        return next((p.setting for p in self.points if p.fraction == fraction), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The error of a pretrained encoder minus that of the same from random weights.

    Attributes:
        curve: The curve of the pretrained encoder.
        against: Title of the row from random weights.
        fraction: Share of the labels.
        value_cm: Mean over the shared seeds; below zero the pretrained encoder is better.
        seeds: Number of shared seeds.
        interval: 95% interval of the mean, simultaneous over all margins; None if unknown.
    """

    curve: LabelCurve = field(repr=False)
    against: str
    fraction: float
    value_cm: float
    seeds: int
    interval: Interval | None

    @property
    def decided(self) -> bool:
        """Whether the interval includes the spread between seeds and excludes zero."""
        return self.interval is not None and self.interval.decides


@dataclass(frozen=True, slots=True, kw_only=True)
class LowShot:
    """All curves and margins of some studies, and the error files that could not be used."""

    curves: tuple[LabelCurve, ...] = ()
    margins: tuple[Margin, ...] = ()
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)


def low_shot(studies: Iterable[Study]) -> LowShot:
    """Curves and margins of the studies that have runs with a part of the labels."""
    curves: list[LabelCurve] = []
    margins: list[tuple[Margin, Contrast | None]] = []
    bootstrap = PoseBootstrap()
    for study in studies:
        if settings := _settings(study):
            study_curves = _curves(study, settings, bootstrap)
            curves += study_curves
            margins += _margins(study_curves, bootstrap)
    spans = family(draws for _, draws in margins)
    return LowShot(
        curves=tuple(curves),
        margins=tuple(
            replace(m, interval=span) for (m, _), span in zip(margins, spans, strict=True)
        ),
        problems=bootstrap.problems,
    )


_Settings = dict[tuple[TransferKey, str, str], dict[float, Setting]]
_Kind = tuple[TransferKey, bool, float]
"""Cells whose spreads may be pooled: encoder and data sets, frozen or not, the labels."""
_Row = tuple[list[float], Draws | None]


def _settings(study: Study) -> _Settings:
    """Rows with more than one share of the labels: by row, then by share.

    Where a row was run with several configurations, the one with the most seeds.
    """
    rows: dict[tuple[TransferKey, str, str], dict[float, list[Setting]]] = defaultdict(dict)
    for (key, row, title, fraction), settings in settings_of(study, study.metric.name).items():
        rows[key, row, title][fraction] = settings
    return {
        row: {f: max(s, key=lambda s: s.seeds) for f, s in sorted(fractions.items())}
        for row, fractions in rows.items()
        if len(fractions) > 1
    }


def _curves(study: Study, rows: _Settings, bootstrap: PoseBootstrap) -> list[LabelCurve]:
    groups: dict[_Kind, dict[tuple[str, float], tuple[list[float], Draws | None]]] = defaultdict(
        dict
    )
    for (key, row, _), fractions in rows.items():
        for fraction, setting in fractions.items():
            poses = bootstrap.draws(study, setting.records)
            groups[key, _frozen(row), fraction][row, fraction] = setting.errors_cm, poses
    generator = np.random.default_rng(SEED + 1)
    draws = {kind: with_seeds(group, generator) for kind, group in groups.items()}
    curves = []
    for (key, row, title), fractions in sorted(rows.items(), key=lambda item: item[0]):
        points = []
        for fraction, setting in fractions.items():
            known = draws[key, _frozen(row), fraction].get((row, fraction))
            span = known.interval if known else None
            points.append(FractionResult(fraction=fraction, setting=setting, interval=span))
        curves.append(LabelCurve(study=study, key=key, row=row, title=title, points=tuple(points)))
    return curves


def _frozen(row: str) -> bool:
    return row.rsplit(":", maxsplit=1)[-1].startswith("frozen")


def _baseline(curve: LabelCurve, curves: Sequence[LabelCurve]) -> LabelCurve | None:
    """The curve of the same encoder from random weights; None for such a curve itself."""
    row = "random:frozen" if curve.frozen else "supervised"
    matches = (c for c in curves if c.key == curve.key and c.row == row)
    return None if curve.from_random else next(matches, None)


def _margins(
    curves: Sequence[LabelCurve], bootstrap: PoseBootstrap
) -> Iterator[tuple[Margin, Contrast | None]]:
    """Margins of one study, without intervals, and their draws."""
    generator = np.random.default_rng(SEED + 1)
    for curve in curves:
        baseline, name = _baseline(curve, curves), curve.metric.name
        for point in curve.points if baseline else ():
            setting = baseline.at(point.fraction) if baseline else None
            if baseline and setting and (shared := _shared(point.setting, setting)):
                differences = [a.metrics[name] - b.metrics[name] for a, b in shared]
                margin = Margin(
                    curve=curve,
                    against=baseline.title,
                    fraction=point.fraction,
                    value_cm=float(np.mean(differences)),
                    seeds=len(shared),
                    interval=None,
                )
                first, second = (
                    bootstrap.draws(curve.study, runs) for runs in zip(*shared, strict=True)
                )
                poses = contrast([(1, first), (-1, second)])
                yield margin, paired(poses, differences, generator)


def _shared(first: Setting, second: Setting) -> list[tuple[Record, Record]]:
    """Pairs of runs of one repeat, which were fitted to the same labels."""
    others = {record.repeat: record for record in second.records}
    return [(run, others[run.repeat]) for run in first.records if run.repeat in others]
