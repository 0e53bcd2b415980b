"""Sentences about the numbers; a difference whose interval includes zero is never claimed."""

from collections.abc import Iterable, Sequence

from analysis.baselines import unbeaten
from analysis.comparison import Agreement, RankedComposition
from analysis.contribution import Contribution
from analysis.grid import Grid, GridColumn
from analysis.hypothesis import ALL, WITHIN, Link
from analysis.lowshot import Margin
from analysis.notation import objective_title, plural
from analysis.records import Metric
from analysis.statistics import Correlation, Interval
from analysis.uncertainty import Uncertainty
from analysis.verdict import Change, Gap, Verdict

_ALPHA = 0.05
_THESE = "for these encoders; the spread between seeds is unknown"
_MIN_PAIRS = 8
"""With fewer pairs a rank correlation has no interval, and no claim is made."""


def _span(interval: Interval) -> str:
    return f"95% interval {interval.low:.2f} to {interval.high:.2f}"


def _apart(difference: float, metric: Metric) -> str:
    return f"{abs(difference):.2f} {metric.unit} {'above' if difference > 0 else 'below'}"


def gate_sentences(
    uncertainty: Uncertainty,
    rankings: Iterable[tuple[GridColumn, Sequence[RankedComposition]]],
) -> list[str]:
    """The objectives whose best row is not shown to beat every baseline, with the reason."""
    sentences = []
    for column, ranked in rankings:
        if ranked:
            draws = uncertainty.of(column, ranked[0].label)
            if reason := unbeaten(column.study, draws):
                text = f"{column.title}: the {column.metric.noun} shows nothing at this fidelity, "
                sentences.append(f"{text}because its best row, {ranked[0].label}, {reason}.")
    return sentences


def best_sentences(
    grid: Grid, rankings: Iterable[tuple[GridColumn, Sequence[RankedComposition]]]
) -> list[str]:
    """The best composition of each objective, and those that do not differ significantly."""
    sentences = []
    for column, ranked in rankings:
        if not ranked:
            sentences.append(f"{column.title}: no finished trials yet.")
            continue
        best = ranked[0]
        run, candidates = grid.finished(column), grid.candidates(column)
        among = " of the repeated ones" if len(candidates) < len(run) else ""
        text = f"{column.title}: {best.label} has the lowest {column.metric.noun}{among}, "
        text += f"{best.setting.score:.2f} {column.metric.unit}"
        seeds_only = best.interval is not None and best.interval.sources == "seeds"
        suffix = " over seeds only" if seeds_only else ""
        text += f" ({_span(best.interval)}{suffix})" if best.interval else ""
        if best.setting.seeds == 1:
            text += ", from one seed"
        tried = grid.cell(column, best.label).settings
        if tried > 1 and best.setting.first.stage == 1:
            text += f"; the best of {tried} configurations (selection bias)"
        if len(run) < len(rows := grid.rows(column)):
            text += f"; {len(run)} of {len(rows)} compositions are finished"
        text += "."
        over = {s.interval.sources for s in ranked if s.interval}
        if best.rank:
            text += f" It is the best in {best.rank.best:.0%} of the bootstrap draws"
            if over == {"poses"}:
                text += " of poses; another seed may change the ranking."
            else:
                text += ", in which some rows vary poses alone." if "poses" in over else "."
        spans = {s.label: s.behind.interval for s in ranked if s.behind and s.behind.interval}
        close = [label for label, span in spans.items() if not span.excludes_zero]
        apart = {label: span for label, span in spans.items() if label not in close}
        undecided = [label for label, span in apart.items() if not span.decides]
        if close:
            text += f" No significant difference to: {', '.join(close)}."
        if undecided and len(undecided) < len(ranked) - 1:
            text += " Different over poses only, so other seeds may change it: "
            text += f"{', '.join(undecided)}."
        elif len(spans) == len(ranked) - 1 > 0 and not close:
            text += " For every other composition the interval of the difference excludes zero"
            text += " (over poses only)." if undecided else "."
        sentences.append(text)
    return sentences


def verdict_sentences(verdicts: Sequence[Verdict], changes: Sequence[Change]) -> list[str]:
    """The winner under each target form, and whether the form changes it."""
    several = len({verdict.study for verdict in verdicts}) > 1
    sentences = []
    for v in verdicts:
        where = f" in {v.study}" if several else ""
        text = f"Relative with {v.targets} targets{where}, best against best{v.metric.by}: "
        text += f"{v.relative} "
        gap = v.best
        text += f"is {_apart(gap.difference_cm, v.metric)} contrastive {v.contrastive}"
        text += f" ({_span(gap.interval)})" if gap.interval else ""
        text += f": {_judgement(gap, v)}"
        if v.shared > 1:
            text += f" Contrastive is lower in {v.wins} of {v.shared} compositions"
            if v.mean_interval:
                text += f"; on average over these, relative is {_apart(v.mean_cm, v.metric)}"
                text += f" ({_span(v.mean_interval)})"
            text += "."
        sentences.append(text)
    for change in changes:
        where = f"In {change.released.study}: " if len(changes) > 1 else ""
        sentences.append(where + _change(change))
    return sentences


def _judgement(gap: Gap, verdict: Verdict) -> str:
    if verdict.decided:
        return f"{verdict.decided} wins."
    if gap.interval is None:
        return "without repeats or errors per pose, the significance is unknown."
    if not gap.interval.excludes_zero:
        return "no significant difference."
    if not gap.interval.decides:
        return f"this holds {_THESE}, so no winner is named."
    if gap.lower:
        return f"no winner is named, because the better one {verdict.unbeaten}."
    return "the sign changes when the other seeds choose the best, so no winner is named."


def _change(change: Change) -> str:
    released, standardised = change.released.decided, change.standardised.decided
    if not released or not standardised:
        winners = {"released": released, "standardised": standardised}
        undecided = " and ".join(form for form, winner in winners.items() if not winner)
        text = "It is open whether well-posed targets change the verdict: there is no winner "
        text += f"under {undecided} targets."
    elif released == standardised:
        text = f"The form of the targets does not change the verdict: {released} wins under both."
    else:
        text = f"The form of the targets changes the verdict: {released} wins under released "
        text += f"targets, {standardised} under standardised ones."
    gap = change.gap
    if gap.interval is None:
        return text
    apart = _apart(gap.difference_cm, change.released.metric)
    text += f" The best relative error with standardised targets is {apart}"
    text += f" that with released ones ({_span(gap.interval)})"
    if "seeds" not in gap.interval.sources:
        return f"{text}, {_THESE}."
    return f"{text}{'.' if gap.lower else ': no significant difference.'}"


def link_sentences(links: Sequence[Link]) -> list[str]:
    """Relation of each diagnostic to the error: within the objectives first, then over all."""
    sentences = []
    for name in dict.fromkeys(link.diagnostic for link in links):
        scopes = {link.scope: link for link in links if link.diagnostic == name}
        if all(link.correlation.value is None for link in scopes.values()):
            sentences.append(f"{name.capitalize()} is the same in every configuration.")
            continue
        overall, within = scopes.pop(ALL, None), scopes.pop(WITHIN, None)
        if within is None and len(scopes) == 1:
            ((scope, within),) = scopes.items()
            sentences.append(f"{_claim(name, within)} under {_plain(scope)}{_numbers(within)}.")
            continue
        if within is not None:
            sentences.append(f"{_claim(name, within)} within the objectives{_numbers(within)}.")
        if overall is not None:
            text = f"{_claim(name, overall)} over all configurations{_numbers(overall)}"
            same = within is not None and _direction(within) == _direction(overall)
            if _direction(overall) and not same:
                text += "; not shown within the objectives, which differ in both"
            sentences.append(f"{text}.")
    return sentences


def _plain(scope: str) -> str:
    title = objective_title(scope)
    return title[0].lower() + title[1:]


def _claim(name: str, link: Link) -> str:
    direction = _direction(link)
    if not direction:
        return f"{name.capitalize()} has no significant relation to the error"
    return f"Higher {name} goes with a {direction} error"


def _direction(link: Link) -> str:
    """`"lower"` or `"higher"` error with a higher diagnostic; "" where not significant."""
    if not _certain(link.correlation):
        return ""
    return "lower" if (link.correlation.value or 0) < 0 else "higher"


def _certain(correlation: Correlation) -> bool:
    significant = correlation.p is not None and correlation.p < _ALPHA
    return significant and correlation.interval is not None and correlation.interval.excludes_zero


def _numbers(link: Link) -> str:
    correlation = link.correlation
    if correlation.value is None:
        return ""
    text = f" (ρ = {correlation.value:+.2f}, {correlation.n} configurations"
    text += f", {_span(correlation.interval)}" if correlation.interval else ""
    text += f", {_p(correlation.p)}" if correlation.p is not None else ""
    return f"{text})"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def agreement_sentences(agreements: Iterable[Agreement]) -> list[str]:
    """Whether our ranking agrees with the published one."""
    sentences = []
    for item in agreements:
        rho = item.spearman
        if rho.value is None or rho.p is None:
            continue
        published = f"published {item.column.base} ranking"
        if rho.n < _MIN_PAIRS:
            text = f"{rho.n} compositions are too few to compare with the {published}"
        elif not _certain(rho):
            text = f"no significant agreement with the {published}"
        elif rho.value > 0:
            text = f"our ranking agrees with the {published}"
        else:
            text = f"our ranking is opposite to the {published}"
        numbers = f"ρ = {rho.value:+.2f}, n = {rho.n}, {_p(rho.p)}"
        sentences.append(f"{item.column.title}: {text} ({numbers}).")
    return sentences


def contribution_sentences(contributions: Iterable[Contribution]) -> list[str]:
    """Augmentations that differ significantly from the average one."""
    sentences = []
    for item in contributions:
        helps = [s for s in item.shapley if s.interval and s.interval.high < 0]
        harms = [s for s in item.shapley if s.interval and s.interval.low > 0]
        if not helps and not harms:
            known = any(s.interval for s in item.shapley)
            reason = "every interval includes zero" if known else "there are no intervals"
            sentences.append(
                f"{item.column.title}: no augmentation has a significant effect, {reason}."
            )
            continue
        parts = []
        for effects, verb in ((helps, "lower"), (harms, "raise")):
            if effects:
                names = ", ".join(
                    f"{s.name} ({s.value_cm:+.2f} {item.column.metric.unit})" for s in effects
                )
                parts.append(f"{names} {verb}{'s' if len(effects) == 1 else ''} the error")
        text = f"{item.column.title}: relative to the average augmentation, {' and '.join(parts)}"
        certain = any(s.interval.decides for s in (*helps, *harms) if s.interval)
        sentences.append(text + ("." if certain else f", {_THESE}."))
    return sentences


def low_shot_sentences(margins: Iterable[Margin]) -> list[str]:
    """Whether a pretrained encoder beats the same encoder from random weights with few labels."""
    sentences = []
    for m in (margin for margin in margins if margin.fraction != 1):
        baseline = f"{m.against.lower()} from random weights"
        if m.against == "Random initialisation (frozen)":
            baseline = "the same probe of a random encoder"
        text = f"With {m.fraction:.0%} of the labels of {m.curve.key.fit} ({m.curve.study.name}), "
        side = "below" if m.value_cm < 0 else "above"
        text += f"{m.curve.model} is {abs(m.value_cm):.2f} {m.curve.metric.unit} {side} {baseline}"
        text += f" ({plural(m.seeds, 'seed')}"
        text += f", {_span(m.interval)} over {m.interval.sources})" if m.interval else ")"
        if m.decided:
            text += f": it {'beats it' if m.value_cm < 0 else 'is beaten by it'}."
        elif m.interval is None or "seeds" not in m.interval.sources:
            text += "; significance is unknown without repeated seeds."
        else:
            text += ": no significant difference."
        sentences.append(text)
    return sentences
