"""Trials by status, search efficiency, and importance of the hyperparameters."""

from collections.abc import Iterable

from analysis.efficiency import Efficiency
from analysis.grid import Grid
from analysis.records import Study
from analysis.sampling import Sampling
from analysis.tables.model import Column, Entry, Section, Table, number, one_section


def coverage_table(grid: Grid, studies: Iterable[Study]) -> Table:
    """Number of finished, pruned and failed trials of each study and objective."""
    sections = []
    for study in studies:
        rows = []
        for column in grid.columns:
            if column.study is not study:
                continue
            records = [r for r in study.records if r.variant == column.variant]
            counts = [
                sum(r.status == s for r in records) for s in ("finished", "pruned", "failed")
            ]
            rows.append((Entry(text=column.title), *(Entry(text=str(n), value=n) for n in counts)))
        sections.append(Section(title=_progress_line(study), rows=tuple(rows)))
    names = ("finished", "pruned", "failed")
    return Table(
        key="coverage",
        title="Trials by status",
        columns=(
            Column(name="Objective", numeric=False),
            *(Column(name=name, unit="trials") for name in names),
        ),
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


def efficiency_table(searches: Iterable[Efficiency], price_per_hour: float | None) -> Table:
    """Encoder steps, time and cost of each study, and its steps until close to the best.

    Without a price there is no cost column.
    """
    priced = price_per_hour is not None
    rows = []
    for item in searches:
        hours = None if item.total_s is None else item.total_s / 3600
        done = item.steps[-1] if item.steps else 0.0
        row = [
            Entry(text=item.study.name),
            Entry(text=item.sampler),
            Entry(text=str(len(item.steps)), value=len(item.steps)),
            Entry(text=f"{done:,.0f}", value=done),
            number(item.best_cm[-1] if item.best_cm else None),
            _close(item.steps_to_close, done),
            number(hours, absent="not recorded"),
            number(None if item.goodput is None else 100 * item.goodput, 0),
        ]
        if price_per_hour is not None:
            cost = None if hours is None else hours * price_per_hour
            row.append(number(cost, absent="not recorded"))
        rows.append(row)
    columns = [
        Column(name="Study", numeric=False),
        Column(name="Sampler", numeric=False),
        Column(name="trials", group="Search"),
        Column(name="encoder steps", group="Search"),
        Column(name="best median PJE", unit="cm", better="↓", group="Search"),
        Column(name="steps to within 2%", group="Search", better="↓"),
        Column(name="device hours", group="Cost"),
        Column(name="time in the encoder", unit="%", better="↑", group="Cost"),
    ]
    return Table(
        key="efficiency",
        title="Search efficiency of each study",
        columns=(*columns, *([Column(name="cost", group="Cost")] if priced else [])),
        sections=one_section(rows),
        caption="Best: the lowest error of a single trial, biased by selection. Within 2%: of the "
        "best of all studies here on the same data and fidelity; in brackets the share of the "
        "study's steps. Steps include those of pruned and failed trials. Device hours: sum of the "
        "trials' wall times" + (f", at {price_per_hour:g} an hour." if priced else "."),
    )


def _close(steps: float | None, done: float) -> Entry:
    if steps is None:
        return Entry(text="never", absent=True)
    return Entry(text=f"{steps:,.0f} ({steps / done:.0%})" if done else "0", value=steps)


def importance_table(samplings: Iterable[Sampling]) -> Table:
    """fANOVA: the share of the error's variance that each parameter explains alone."""
    sections = tuple(
        Section(
            title=f"{item.study.name}: {item.trials} finished trials",
            rows=tuple(
                (
                    Entry(text=parameter.name),
                    Entry(text=f"{100 * share:.1f}", value=100 * share),
                    Entry(text=_range(parameter.values, parameter.choices)),
                )
                for parameter, share in item.importances
            ),
        )
        for item in samplings
    )
    return Table(
        key="importances",
        title="Importance of the parameters (fANOVA)",
        columns=(
            Column(name="Parameter", numeric=False),
            Column(name="variance explained", unit="%"),
            Column(name="tried", numeric=False),
        ),
        sections=sections,
        caption="Share of the variance of the median error over the search space that the "
        "parameter explains alone (Hutter et al. 2014, Optuna's evaluator). The rest, up to 100%, "
        "are interactions. Pruned trials have no final error and are left out, and a sampler that "
        "prefers good regions leaves few trials in the others.",
    )


def _range(values: tuple[object, ...], choices: tuple[str, ...]) -> str:
    if choices:
        return ", ".join(choices)
    numbers = [value for value in values if isinstance(value, int | float)]
    return f"{min(numbers):.3g} to {max(numbers):.3g}"
