"""Few labels: median error at each share of the labels, and the gain by pretraining."""

from collections.abc import Sequence

from analysis.grid import RANKED_BY
from analysis.lowshot import LabelCurve, LowShot, Margin
from analysis.tables.model import ONE_SEED, Column, Entry, Section, Table, result, signed, span


def low_shot_table(results: LowShot) -> Table:
    """Median error of every row at every share of the labels."""
    fractions = sorted({p.fraction for curve in results.curves for p in curve.points})
    sections = []
    for heading in dict.fromkeys(map(_heading, results.curves)):
        curves = [curve for curve in results.curves if _heading(curve) == heading]
        best = {
            f: min((s.score for c in curves if (s := c.at(f))), default=None) for f in fractions
        }
        rows = []
        for curve in curves:
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
            Column(name="Model", numeric=False),
            *(
                Column(name=f"{fraction:.0%}", group="median PJE ↓, labels", unit="cm")
                for fraction in fractions
            ),
        ),
        sections=tuple(sections),
        caption=f"Ours: {_titles(results.curves)}. Mean ± standard deviation over seeds, "
        f"{ONE_SEED} one seed only; every row is trained for the same minimum number of optimiser "
        "steps. The paper has no such table.",
    )


def margin_table(results: LowShot) -> Table:
    """Gain of each pretrained row over the same encoder from random weights."""
    rows = [_margin(margin) for margin in results.margins]
    sections = [
        Section(title=heading, rows=tuple(row for title, row in rows if title == heading))
        for heading in dict.fromkeys(title for title, _ in rows)
    ]
    return Table(
        key="lowshot_margins",
        title="Few labels: pretrained against random weights",
        columns=(
            Column(name="Model", numeric=False),
            Column(name="against", numeric=False),
            Column(name="labels", unit="%"),
            Column(name="difference of the median PJE", unit="cm", better="↓"),
            Column(name="95% interval", unit="cm"),
            Column(name="over", numeric=False),
            Column(name="seeds"),
        ),
        sections=tuple(sections),
        caption=f"Ours: {_titles(results.curves)}. Below zero the pretrained encoder is better. "
        "Differences are paired by seed: both sides are fitted to the same labels. Intervals: "
        "bootstrap over validation poses, and the spread of the differences between seeds, pooled "
        "over the rows that are fitted in the same way to the same labels.",
    )


def _margin(margin: Margin) -> tuple[str, tuple[Entry, ...]]:
    heading = f"{margin.study.name}: {margin.key.encoder}, fitted to {margin.key.fit}"
    return f"{heading}, evaluated on {margin.key.evaluate}", (
        Entry(text=margin.title.removeprefix("+ ")),
        Entry(text=margin.against),
        Entry(text=f"{margin.fraction:.0%}", value=100 * margin.fraction),
        signed(margin.value_cm),
        span(margin.interval),
        Entry(text=margin.interval_sources or "n/a"),
        Entry(text=str(margin.seeds), value=margin.seeds),
    )


def _heading(curve: LabelCurve) -> str:
    key = curve.key
    return f"{curve.study.name}: {key.encoder}, fitted to {key.fit}, evaluated on {key.evaluate}"


def _titles(curves: Sequence[LabelCurve]) -> str:
    return "; ".join(dict.fromkeys(curve.study.title for curve in curves))
