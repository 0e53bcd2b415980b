"""Sentences that follow from the numbers; a claim whose interval includes zero is not made."""

from collections.abc import Iterable, Sequence

from analysis.comparison import Agreement, Standing
from analysis.contribution import Contribution
from analysis.grid import Column, Grid
from analysis.hypothesis import Link, Verdict
from analysis.notation import objective_base, objective_title
from analysis.statistics import Correlation, Interval

__all__ = [
    "agreement_sentences",
    "best_sentences",
    "contribution_sentences",
    "link_sentences",
    "verdict_sentences",
]

_ALPHA = 0.05


def _span(interval: Interval) -> str:
    return f"95% interval {interval.low:.2f} to {interval.high:.2f}"


def best_sentences(
    grid: Grid, standings: Iterable[tuple[Column, Sequence[Standing]]]
) -> list[str]:
    """The best composition of each objective, and what cannot be told apart from it."""
    sentences = []
    for column, ranked in standings:
        if not ranked:
            sentences.append(f"{column.title}: nothing has finished yet.")
            continue
        best = ranked[0]
        text = f"{column.title}: {best.label} has the lowest median error, "
        text += f"{best.setting.score:.2f} cm"
        text += f" ({_span(best.interval)})" if best.interval else ""
        if best.setting.seeds == 1:
            text += ", from one seed"
        run = len(grid.finished(column))
        if run < len(grid.compositions):
            text += f"; {run} of {len(grid.compositions)} compositions have finished"
        text += "."
        poses_only = best.covers == "poses"
        if best.rank:
            text += f" It is the best in {best.rank.best:.0%} of the bootstrap draws"
            text += " of poses; another seed may rank differently." if poses_only else "."
        close = [
            s.label
            for s in ranked[1:]
            if s.behind and s.behind.interval and not s.behind.interval.excludes_zero
        ]
        if close:
            text += f" Not told apart from it: {', '.join(close)}."
        elif len(ranked) > 1 and all(s.behind and s.behind.interval for s in ranked[1:]):
            text += " Every other composition is behind it by an interval that excludes zero"
            text += " (over poses alone)." if poses_only else "."
        sentences.append(text)
    return sentences


def verdict_sentences(verdicts: Sequence[Verdict]) -> list[str]:
    """Who wins under each target form, and whether the form changes the verdict."""
    sentences = []
    for v in verdicts:
        head = f"With {v.targets} targets ({v.study}), best against best, relative ({v.relative}) "
        against = f"contrastive ({v.contrastive})"
        gap = f"{abs(v.difference_cm):.2f} cm"
        if v.interval is None:
            where = "above" if v.difference_cm > 0 else "below"
            text = f"{head}is {gap} {where} {against}; without repeats or errors per pose nobody "
            text += "knows whether that is more than chance."
        elif not v.decided:
            text = f"{head}and {against} cannot be told apart: {v.difference_cm:+.2f} cm, "
            text += f"{_span(v.interval)}."
        else:
            where = "above" if v.decided == "contrastive" else "below"
            text = f"{head}is {gap} {where} {against}, {_span(v.interval)}: {v.decided} wins"
            text += (
                " over these poses; the spread between seeds is not known."
                if (v.covers == "poses")
                else "."
            )
        text += f" Contrastive has the lower error in {v.wins} of {v.shared} compositions."
        sentences.append(text)
    forms = {v.targets: v for v in verdicts}
    if {"released", "standardised"} <= forms.keys():
        sentences.append(_change(forms["released"], forms["standardised"]))
    return sentences


def _change(released: Verdict, standardised: Verdict) -> str:
    if not released.decided or not standardised.decided:
        return (
            "Whether well-posed targets change the study's verdict is open: under at least one "
            "form of the targets the interval includes zero or is not known."
        )
    if released.decided == standardised.decided:
        return f"The form of the targets does not change the verdict: {released.decided} wins."
    return (
        f"The form of the targets changes the verdict: {released.decided} wins against released "
        f"targets, {standardised.decided} with standardised ones."
    )


def link_sentences(links: Sequence[Link]) -> list[str]:
    """What each diagnostic says about the error: over all runs, then within each objective."""
    sentences = []
    for name in dict.fromkeys(link.diagnostic for link in links):
        own = [link for link in links if link.diagnostic == name]
        known = [link for link in own if link.correlation.value is not None]
        overall = [link for link in known if link.scope == "all runs"]
        within = [link for link in known if link.scope != "all runs"]
        for link in overall:
            way = _way(link)
            claim = (
                f"More {name} goes with a {way} error"
                if way
                else (f"{name.capitalize()} says nothing certain about the error")
            )
            sentences.append(f"{claim} over all runs ({_numbers(link.correlation)}).")
        if within:
            parts = [
                f"{objective_title(link.scope)} {_way(link) or 'uncertain'} "
                f"({_numbers(link.correlation)})"
                for link in within
            ]
            sentences.append(f"The error where {name} is higher, within: {'; '.join(parts)}.")
    return sentences


def _way(link: Link) -> str:
    """``"lower"`` or ``"higher"`` error with more of it; "" where that is not certain."""
    found = link.correlation
    if found.value is None or found.p is None or found.interval is None:
        return ""
    if found.p >= _ALPHA or not found.interval.excludes_zero:
        return ""
    return "lower" if found.value < 0 else "higher"


def _numbers(found: Correlation) -> str:
    text = f"ρ = {found.value:+.2f}, {found.n} runs"
    text += f", {_span(found.interval)}" if found.interval else ""
    if found.p is not None:
        text += f", p {'<' if found.p < 0.001 else '='} {max(found.p, 0.001):.3f}"
    return text


def agreement_sentences(agreements: Iterable[Agreement]) -> list[str]:
    """Whether our ranking is the published one."""
    sentences = []
    for item in agreements:
        found = item.spearman
        if found.value is None or found.p is None:
            continue
        published = objective_base(item.column.variant)
        if found.p >= _ALPHA:
            text = f"{item.column.title}: no agreement with the published {published} one is shown"
        elif found.value > 0:
            text = f"{item.column.title}: our ranking agrees with the published {published} one"
        else:
            text = f"{item.column.title}: our ranking runs against the published {published} one"
        sentences.append(f"{text} (ρ = {found.value:+.2f}, n = {found.n}, p = {found.p:.3f}).")
    return sentences


def contribution_sentences(contributions: Iterable[Contribution]) -> list[str]:
    """Which augmentation lowers the error more than the average one, for certain."""
    sentences = []
    for item in contributions:
        helps = [s for s in item.shapley if s.interval and s.interval.high < 0]
        harms = [s for s in item.shapley if s.interval and s.interval.low > 0]
        if not helps and not harms:
            known = any(s.interval for s in item.shapley)
            reason = "every interval includes zero" if known else "no intervals can be given"
            sentences.append(f"{item.column.title}: no augmentation stands out, {reason}.")
            continue
        parts = []
        for shares, verb in ((helps, "lower"), (harms, "raise")):
            if shares:
                names = ", ".join(f"{s.name} ({s.value_cm:+.2f} cm)" for s in shares)
                parts.append(f"{names} {verb}{'s' if len(shares) == 1 else ''} the error")
        sentences.append(
            f"{item.column.title}: relative to the average augmentation, {' and '.join(parts)}."
        )
    return sentences
