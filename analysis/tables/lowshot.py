"""Few labels: the median error over their share, and what pretraining gains at each."""

from collections.abc import Sequence

from analysis.grid import RANKED_BY
from analysis.lowshot import Curve, LowShot, Margin
from analysis.tables import model
from analysis.tables.model import ONE_SEED, Entry, Section, Table, result, signed, span


def low_shot_table(found: LowShot) -> Table:
    """Median error of every row at every share of the labels."""
    fractions = sorted({p.fraction for curve in found.curves for p in curve.points})
    sections = []
    for heading in dict.fromkeys(map(_heading, found.curves)):
        own = [curve for curve in found.curves if _heading(curve) == heading]
        best = {f: min((s.score for c in own if (s := c.at(f))), default=None) for f in fractions}
        rows = []
        for curve in own:
            entries = [Entry(text=curve.title.removeprefix("+ "))]
            for fraction in fractions:
                setting = curve.at(fraction)
                summary = setting.summary(RANKED_BY) if setting else None
                is_best = setting is not None and setting.score == best[fraction]
                state = "finished" if setting else "not run"
                entries.append(result(summary, state, best=is_best))
            rows.append(tuple(entries))
        sections.append(Section(title=heading, rows=tuple(rows)))
    return Table(
        key="lowshot",
        title="Few labels",
        columns=(
            model.Column(name="Model", numeric=False),
            *(
                model.Column(name=f"{fraction:.0%}", group="median PJE ↓, labels", unit="cm")
                for fraction in fractions
            ),
        ),
        sections=tuple(sections),
        caption=f"Ours: {_credentials(found.curves)}. Mean ± standard deviation over seeds, "
        f"{ONE_SEED} one seed only; every row takes the same least number of optimiser steps. "
        "The study has no such table.",
    )


def margin_table(found: LowShot) -> Table:
    """What each pretrained row gains over the same encoder from random weights."""
    rows = [_margin(margin) for margin in found.margins]
    sections = [
        Section(title=heading, rows=tuple(row for own, row in rows if own == heading))
        for heading in dict.fromkeys(own for own, _ in rows)
    ]
    return Table(
        key="lowshot_margins",
        title="Few labels: pretrained against random weights",
        columns=(
            model.Column(name="Model", numeric=False),
            model.Column(name="against", numeric=False),
            model.Column(name="labels", unit="%"),
            model.Column(name="difference of the median PJE", unit="cm", better="↓"),
            model.Column(name="95% interval", unit="cm"),
            model.Column(name="over", numeric=False),
            model.Column(name="seeds"),
        ),
        sections=tuple(sections),
        caption=f"Ours: {_credentials(found.curves)}. Below zero the pretrained encoder is "
        "better. Seed by seed, both fitted to the same labels; interval from a bootstrap over "
        "validation poses and the spread of the differences between seeds, pooled over the rows "
        "that are fitted in the same way to the same labels.",
    )


def _margin(margin: Margin) -> tuple[str, tuple[Entry, ...]]:
    heading = f"{margin.study.name}: {margin.key.encoder}, fitted to {margin.key.fit}"
    return f"{heading}, evaluated on {margin.key.evaluate}", (
        Entry(text=margin.title.removeprefix("+ ")),
        Entry(text=margin.against),
        Entry(text=f"{margin.fraction:.0%}", value=100 * margin.fraction),
        signed(margin.value_cm),
        span(margin.interval),
        Entry(text=margin.covers or "n/a"),
        Entry(text=str(margin.seeds), value=margin.seeds),
    )


def _heading(curve: Curve) -> str:
    key = curve.key
    return f"{curve.study.name}: {key.encoder}, fitted to {key.fit}, evaluated on {key.evaluate}"


def _credentials(curves: Sequence[Curve]) -> str:
    return "; ".join(dict.fromkeys(curve.study.credentials for curve in curves))
