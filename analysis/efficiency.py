"""Search efficiency: best error so far against encoder steps, time and cost."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from analysis.grid import config_section
from analysis.records import Record, Study

CLOSE = 0.02
"""A search counts as close to the best when it is within 2% of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """One study as a search.

    Attributes:
        study: The study.
        sampler: Name of its sampler.
        steps: Encoder steps done when each trial ended, in order of ending.
        best_cm: Lowest error of a finished trial by then; None before the first.
        names: Objective and composition of each trial, for tooltips.
        total_s: Wall time summed over trials; None where it is not recorded.
        goodput: Share of that time in the encoder.
        steps_to_close: Encoder steps until within 2% of `target_cm`, None if never.
        target_cm: The best error of all studies on the same data and fidelity.
    """

    study: Study = field(repr=False)
    sampler: str
    steps: tuple[float, ...] = field(repr=False)
    best_cm: tuple[float | None, ...] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    total_s: float | None
    goodput: float | None
    steps_to_close: float | None = None
    target_cm: float | None = None


def _sampler(study: Study) -> str:
    search = config_section(study, "search")
    return str(search.get("sampler") or search.get("kind") or "not recorded")


def _steps(record: Record) -> float:
    if record.encoder_steps is not None:
        return record.encoder_steps
    return record.rungs[-1].step if record.rungs else 0.0


def _efficiency(study: Study) -> Efficiency:
    records = sorted(
        (r for r in study.records if not r.is_transfer), key=lambda r: (r.finished_at, r.trial)
    )
    done, best = 0.0, None
    steps, bests, names = [], [], []
    for record in records:
        done += _steps(record)
        error = record.score if record.status == "finished" else None
        if error is not None and (best is None or error < best):
            best = error
        steps.append(done)
        bests.append(best)
        names.append(f"{record.objective} {record.label}")
    timed = [r.timings_s for r in records if "total" in r.timings_s]
    total = sum(t["total"] for t in timed)
    encoder = sum(t.get("encoder", 0.0) for t in timed)
    return Efficiency(
        study=study,
        sampler=_sampler(study),
        steps=tuple(steps),
        best_cm=tuple(bests),
        names=tuple(names),
        total_s=total if timed else None,
        goodput=encoder / total if total else None,
    )


def efficiencies(studies: Iterable[Study]) -> list[Efficiency]:
    """Every study as a search; studies on the same data and fidelity share one target."""
    searches = [_efficiency(study) for study in studies]
    targets: dict[tuple[str, str], float] = {}
    for item in searches:
        last = item.best_cm[-1] if item.best_cm else None
        if last is not None:
            key = item.study.comparable_key
            targets[key] = min(targets.get(key, last), last)
    complete = []
    for item in searches:
        target = targets.get(item.study.comparable_key)
        reached = None
        if target is not None:
            close = (
                done
                for done, best in zip(item.steps, item.best_cm, strict=True)
                if best is not None and best <= target * (1 + CLOSE)
            )
            reached = next(close, None)
        complete.append(replace(item, steps_to_close=reached, target_cm=target))
    return complete
