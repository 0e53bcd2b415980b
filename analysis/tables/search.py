"""Trials by status, search efficiency, and importance of the hyperparameters."""

from collections import Counter
from collections.abc import Iterable

from analysis.efficiency import Efficiency
from analysis.grid import Grid
from analysis.records import ABSOLUTE, Metric, Study
from analysis.sampling import Sampling
from analysis.tables.model import Entry, Table, columns, number, section, texts

_STATUSES = ("finished", "pruned", "failed")


def coverage_table(grid: Grid, studies: Iterable[Study]) -> Table:
    """Number of finished, pruned and failed trials of each study and objective."""
    sections = []
    for study in studies:
        counts = Counter[tuple[str, str]]((r.variant, r.status) for r in study.records)
        rows = [
            (*texts(column.title), *(number(counts[column.variant, s], 0) for s in _STATUSES))
            for column in grid.columns
            if column.study is study
        ]
        sections.append(section(rows, _progress_line(study)))
    return Table(
        key="coverage",
        title="Trials by status",
        columns=columns("*Objective", *(f"{status} (trials)" for status in _STATUSES)),
        sections=tuple(sections),
        caption="Failed and pruned trials are counted here and never part of a mean.",
    )


def _progress_line(study: Study) -> str:
    planned = study.description.get("plan")
    parts = [f"{study.name}: {len(study.records)} records"]
    if isinstance(planned, list | tuple) and planned:  # a sampler has no plan
        parts[0] += f" of {len(planned)} planned trials"
    if study.unfinished:
        parts.append(f"{len(study.unfinished)} running or interrupted")
    if study.missing:
        parts.append(f"{len(study.missing)} not started")
    if study.problems:
        parts.append(f"{len(study.problems)} with problems")
    return ", ".join(parts)


def efficiency_table(
    searches: Iterable[Efficiency], price_per_hour: float | None, metric: Metric = ABSOLUTE
) -> Table:
    """Encoder steps, time and cost of each study, and its steps until close to the best.

    Without a price there is no cost column.
    """
    rows = []
    for item in searches:
        hours = None if item.total_s is None else item.total_s / 3600
        done = item.steps[-1] if item.steps else 0.0
        row = [
            *texts(item.study.name, item.sampler),
            number(len(item.steps), 0),
            Entry(text=f"{done:,.0f}", value=done),
            number(item.best_cm[-1] if item.best_cm else None),
            _close(item.steps_to_close, done),
            number(hours, absent="not recorded"),
            number(None if item.goodput is None else 100 * item.goodput, 0),
        ]
        if price_per_hour is not None:
            price = None if hours is None else hours * price_per_hour
            row.append(number(price, absent="not recorded"))
        rows.append(row)
    search = ("trials", "encoder steps", f"best {metric.axis} ↓", "steps to within 2% ↓")
    rate = "" if price_per_hour is None else f", at {price_per_hour:g} an hour"
    cost = ("device hours", "time in the encoder (%) ↑", "cost")
    return Table(
        key="efficiency",
        title="Search efficiency of each study",
        columns=(
            *columns("*Study", "*Sampler"),
            *columns(*search, group="Search"),
            *columns(*(cost if price_per_hour is not None else cost[:2]), group="Cost"),
        ),
        sections=(section(rows),),
        caption="Best: the lowest error of a single trial, biased by selection. Within 2%: of the "
        "best of all studies here on the same data and fidelity; in brackets the share of the "
        "study's steps. Steps include those of pruned and failed trials. Device hours: sum of the "
        f"trials' wall times{rate}.",
    )


def _close(steps: float | None, done: float) -> Entry:
    if steps is None:
        return Entry(text="never", absent=True)
    return Entry(text=f"{steps:,.0f} ({steps / done:.0%})" if done else "0", value=steps)


def importance_table(samplings: Iterable[Sampling], metric: Metric = ABSOLUTE) -> Table:
    """fANOVA: the share of the error's variance that each parameter explains alone."""
    sections = tuple(
        section(
            (
                (*texts(p.name), number(100 * share, 1), *texts(_range(p.values, p.choices)))
                for p, share in item.importances
            ),
            f"{item.study.name}: {item.trials} finished trials",
        )
        for item in samplings
    )
    return Table(
        key="importances",
        title="Importance of the parameters (fANOVA)",
        columns=columns("*Parameter", "variance explained (%)", "*tried"),
        sections=sections,
        caption=f"Share of the variance of the {metric.noun} over the search space that the "
        "parameter explains alone (Hutter et al. 2014, Optuna's evaluator). The rest, up to 100%, "
        "are interactions. Pruned trials have no final error and are left out, and a sampler that "
        "prefers good regions leaves few trials in the others.",
    )


def _range(values: tuple[object, ...], choices: tuple[str, ...]) -> str:
    if choices:
        return ", ".join(choices)
    numbers = [value for value in values if isinstance(value, int | float)]
    return f"{min(numbers):.3g} to {max(numbers):.3g}"
