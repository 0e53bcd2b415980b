"""Few labels: the error at each share of the labels, and the gain by pretraining."""

from analysis.lowshot import LabelCurve, LowShot
from analysis.records import Metric
from analysis.tables.model import (
    ONE_SEED,
    Entry,
    Table,
    columns,
    number,
    result,
    section,
    signed,
    span,
    texts,
)


def low_shot_table(results: LowShot) -> Table:
    """Error of every row at every share of the labels."""
    metric = _metric(results)
    fractions = sorted({p.fraction for curve in results.curves for p in curve.points})
    sections = []
    for heading in dict.fromkeys(map(_heading, results.curves)):
        curves = [curve for curve in results.curves if _heading(curve) == heading]
        best = {
            f: min((s.score for c in curves if (s := c.at(f))), default=None) for f in fractions
        }
        rows = []
        for curve in curves:
            row = [*texts(curve.model)]
            for fraction, lowest in best.items():
                setting = curve.at(fraction)
                summary = setting.summary(setting.metric.name) if setting else None
                is_best = setting is not None and setting.score == lowest
                row.append(result(summary, "finished" if setting else "not run", best=is_best))
            rows.append(row)
        sections.append(section(rows, heading))
    shares = [f"{fraction:.0%} ({metric.unit})" for fraction in fractions]
    return Table(
        key="lowshot",
        title="Few labels",
        columns=(*columns("*Model"), *columns(*shares, group=f"{metric.short} ↓, labels")),
        sections=tuple(sections),
        caption=f"Ours: {_titles(results)}. Mean ± standard deviation over seeds, "
        f"{ONE_SEED} one seed only; every row is trained for the same minimum number of optimiser "
        "steps. The paper has no such table.",
    )


def margin_table(results: LowShot) -> Table:
    """Gain of each pretrained row over the same encoder from random weights."""
    metric = _metric(results)
    sections: dict[str, list[tuple[Entry, ...]]] = {}
    for margin in results.margins:
        row = (
            *texts(margin.curve.model, margin.against),
            Entry(text=f"{margin.fraction:.0%}", value=100 * margin.fraction),
            signed(margin.value_cm),
            span(margin.interval),
            *texts(margin.interval.sources if margin.interval else "n/a"),
            number(margin.seeds, 0),
        )
        sections.setdefault(_heading(margin.curve), []).append(row)
    return Table(
        key="lowshot_margins",
        title="Few labels: pretrained against random weights",
        columns=columns(
            "*Model",
            "*against",
            "labels (%)",
            f"difference of the {metric.axis} ↓",
            f"95% interval ({metric.unit})",
            "*over",
            "seeds",
        ),
        sections=tuple(section(rows, heading) for heading, rows in sections.items()),
        caption=f"Ours: {_titles(results)}. Below zero the pretrained encoder is better. "
        "Differences are paired by seed: both sides are fitted to the same labels. Intervals: "
        "bootstrap over validation poses, and Student's t of the paired differences where there "
        "are three or more; all margins hold together (max-t).",
    )


def _metric(results: LowShot) -> Metric:
    return results.curves[0].metric


def _heading(curve: LabelCurve) -> str:
    key = curve.key
    return f"{curve.study.name}: {key.encoder}, fitted to {key.fit}, evaluated on {key.evaluate}"


def _titles(results: LowShot) -> str:
    return "; ".join(dict.fromkeys(curve.study.title for curve in results.curves))
