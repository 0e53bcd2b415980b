"""Sentences that follow from the numbers; a claim whose interval includes zero is not made."""

from collections.abc import Iterable, Sequence

from analysis.comparison import Agreement, Standing
from analysis.contribution import Contribution
from analysis.grid import Column, Grid
from analysis.hypothesis import ALL, WITHIN, Link
from analysis.lowshot import Margin
from analysis.notation import objective_base, objective_title
from analysis.statistics import Correlation, Interval
from analysis.verdict import Change, Gap, Verdict

_ALPHA = 0.05
_THESE = "for these encoders; how seeds differ is not known"
_FEWEST = 8
"""Pairs below which a rank correlation has no interval, and no claim is made."""


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
        run, competing = grid.finished(column), grid.competing(column)
        among = " of those run again" if len(competing) < len(run) else ""
        text = f"{column.title}: {best.label} has the lowest median error{among}, "
        text += f"{best.setting.score:.2f} cm"
        text += f" ({_span(best.interval)})" if best.interval else ""
        if best.setting.seeds == 1:
            text += ", from one seed"
        tried = grid.cell(column, best.label).settings
        if tried > 1 and best.setting.first.stage == 1:
            text += f"; the best of {tried} configurations, so partly luck"
        if len(run) < len(rows := grid.rows(column)):
            text += f"; {len(run)} of {len(rows)} compositions have finished"
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


def verdict_sentences(found: Sequence[Verdict], turned: Sequence[Change]) -> list[str]:
    """Who wins under each target form, and whether the form changes the verdict."""
    several = len({verdict.study for verdict in found}) > 1
    sentences = []
    for v in found:
        where = f" in {v.study}" if several else ""
        text = f"Relative with {v.targets} targets{where}, best against best: {v.relative} "
        gap = v.best
        side = "above" if gap.difference_cm > 0 else "below"
        text += f"is {abs(gap.difference_cm):.2f} cm {side} contrastive {v.contrastive}"
        text += f" ({_span(gap.interval)})" if gap.interval else ""
        text += f": {_judgement(gap, v.decided)}"
        if v.shared > 1:
            text += f" Contrastive is lower in {v.wins} of {v.shared} compositions"
            if v.mean_interval:
                side = "above" if v.mean_cm > 0 else "below"
                text += f"; on average over these, relative is {abs(v.mean_cm):.2f} cm {side}"
                text += f" ({_span(v.mean_interval)})"
            text += "."
        sentences.append(text)
    for change in turned:
        where = f"In {change.released.study}: " if len(turned) > 1 else ""
        sentences.append(where + _change(change))
    return sentences


def _judgement(gap: Gap, winner: str) -> str:
    if winner:
        return f"{winner} wins."
    if gap.interval is None:
        return "without repeats or errors per pose, whether that is chance cannot be said."
    if not gap.interval.excludes_zero:
        return "they cannot be told apart."
    if "seeds" not in gap.covers:
        return f"so it is {_THESE}, so no winner is named."
    return "but not where the best are chosen by the other seeds, so no winner is named."


def _change(change: Change) -> str:
    released, standardised = change.released.decided, change.standardised.decided
    if not released or not standardised:
        open_forms = [
            name for name, own in (("released", released), ("standardised", standardised))
            if not own
        ]  # fmt: skip
        text = "Whether well-posed targets change the verdict cannot be said: under "
        text += f"{' and '.join(open_forms)} targets there is no winner."
    elif released == standardised:
        text = f"The form of the targets does not change the verdict: {released} wins under both."
    else:
        text = f"The form of the targets changes the verdict: {released} wins under released "
        text += f"targets, {standardised} under standardised ones."
    gap = change.gap
    if gap.interval is None:
        return text
    side = "above" if gap.difference_cm > 0 else "below"
    text += (
        f" The best relative error with standardised targets is {abs(gap.difference_cm):.2f} cm"
    )
    text += f" {side} that with released ones ({_span(gap.interval)})"
    if "seeds" not in gap.covers:
        return f"{text}, {_THESE}."
    return f"{text}{'.' if gap.lower else ': no difference is shown.'}"


def link_sentences(links: Sequence[Link]) -> list[str]:
    """What each diagnostic says about the error: within the objectives first, then in all."""
    sentences = []
    for name in dict.fromkeys(link.diagnostic for link in links):
        own = {link.scope: link for link in links if link.diagnostic == name}
        if all(link.correlation.value is None for link in own.values()):
            sentences.append(f"{name.capitalize()} is the same in every configuration.")
            continue
        overall, within = own.pop(ALL, None), own.pop(WITHIN, None)
        if within is None and len(own) == 1:
            ((scope, within),) = own.items()
            sentences.append(f"{_claim(name, within)} under {_plain(scope)}{_numbers(within)}.")
            continue
        if within is not None:
            sentences.append(f"{_claim(name, within)} within the objectives{_numbers(within)}.")
        if overall is not None:
            text = f"{_claim(name, overall)} over all configurations{_numbers(overall)}"
            certain = within is not None and _way(within) == _way(overall)
            if _way(overall) and not certain:
                text += "; not shown within the objectives, which differ in both"
            sentences.append(f"{text}.")
    return sentences


def _plain(scope: str) -> str:
    title = objective_title(scope)
    return title[0].lower() + title[1:]


def _claim(name: str, link: Link) -> str:
    way = _way(link)
    if not way:
        return f"{name.capitalize()} says nothing certain about the error"
    return f"More {name} goes with a {way} error"


def _way(link: Link) -> str:
    """``"lower"`` or ``"higher"`` error with more of it; "" where that is not certain."""
    if not _certain(link.correlation):
        return ""
    return "lower" if (link.correlation.value or 0) < 0 else "higher"


def _certain(found: Correlation) -> bool:
    return (
        found.p is not None
        and found.p < _ALPHA
        and found.interval is not None
        and found.interval.excludes_zero
    )


def _numbers(link: Link) -> str:
    found = link.correlation
    if found.value is None:
        return ""
    text = f" (ρ = {found.value:+.2f}, {found.n} configurations"
    text += f", {_span(found.interval)}" if found.interval else ""
    if found.p is not None:
        text += f", {_p(found.p)}"
    return f"{text})"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def agreement_sentences(agreements: Iterable[Agreement]) -> list[str]:
    """Whether our ranking is the published one."""
    sentences = []
    for item in agreements:
        found = item.spearman
        if found.value is None or found.p is None:
            continue
        published = f"published {objective_base(item.column.variant)} ranking"
        if found.n < _FEWEST:
            text = f"{found.n} compositions are too few to compare with the {published}"
        elif not _certain(found):
            text = f"no agreement with the {published} is shown"
        elif found.value > 0:
            text = f"our ranking goes with the {published}"
        else:
            text = f"our ranking runs against the {published}"
        numbers = f"ρ = {found.value:+.2f}, n = {found.n}, {_p(found.p)}"
        sentences.append(f"{item.column.title}: {text} ({numbers}).")
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
        text = f"{item.column.title}: relative to the average augmentation, {' and '.join(parts)}"
        sentences.append(text + ("." if "seeds" in item.covers else f", {_THESE}."))
    return sentences


def low_shot_sentences(margins: Iterable[Margin]) -> list[str]:
    """Whether a pretrained encoder beats the same from random weights where labels are few."""
    sentences = []
    for m in margins:
        if m.fraction == 1:
            continue
        what = m.title.removeprefix("+ ")
        head = f"With {m.fraction:.0%} of the labels of {m.key.fit} ({m.study.name}), "
        side = "below" if m.value_cm < 0 else "above"
        numbers = f"{abs(m.value_cm):.2f} cm {side} {m.against.lower()} from random weights"
        numbers = numbers.replace(
            "random initialisation (frozen) from random weights",
            "the same probe of a random encoder",
        )
        numbers += f" ({m.seeds} {'seed' if m.seeds == 1 else 'seeds'}"
        numbers += f", {_span(m.interval)} over {m.covers})" if m.interval else ")"
        if m.decided:
            verb = "beats it" if m.value_cm < 0 else "is beaten by it"
            sentences.append(f"{head}{what} is {numbers}: it {verb}.")
        elif m.interval is None or "seeds" not in m.covers:
            sentences.append(
                f"{head}{what} is {numbers}; without repeats nobody knows whether that is more "
                "than chance."
            )
        else:
            sentences.append(f"{head}{what} does not beat it for certain: {numbers}.")
    return sentences
