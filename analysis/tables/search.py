"""What ran, how efficiently it searched, and which hyperparameters mattered."""

from collections.abc import Iterable

from analysis.efficiency import Progress
from analysis.grid import Grid
from analysis.records import Study
from analysis.sampling import Sampling
from analysis.tables import model
from analysis.tables.model import Entry, Section, Table, number, one_section


def coverage_table(grid: Grid, studies: Iterable[Study]) -> Table:
    """How many trials of each study and objective finished, failed, were pruned, are missing."""
    sections = []
    for study in studies:
        rows = []
        for column in grid.columns:
            if column.study is not study:
                continue
            own = [r for r in study.records if r.variant == column.variant]
            counts = [sum(r.status == s for r in own) for s in ("finished", "pruned", "failed")]
            rows.append((Entry(text=column.title), *(Entry(text=str(n), value=n) for n in counts)))
        sections.append(Section(title=_progress_line(study), rows=tuple(rows)))
    names = ("finished", "pruned", "failed")
    return Table(
        key="coverage",
        title="What has run",
        columns=(
            model.Column(name="Objective", numeric=False),
            *(model.Column(name=name, unit="trials") for name in names),
        ),
        sections=tuple(sections),
        caption="Failed and pruned trials are counted and never enter a mean.",
    )


def _progress_line(study: Study) -> str:
    planned = study.description.get("plan")
    parts = [f"{study.name}: {len(study.records)} records"]
    if isinstance(planned, list) and planned:  # a sampler plans none beforehand
        parts[0] += f" of {len(planned)} planned trials"
    if study.unfinished:
        parts.append(f"{len(study.unfinished)} running or interrupted")
    if study.missing:
        parts.append(f"{len(study.missing)} not started")
    if study.problems:
        parts.append(f"{len(study.problems)} with problems")
    return ", ".join(parts)


def efficiency_table(progress: Iterable[Progress], price_per_hour: float | None) -> Table:
    """Encoder steps, time and cost of each study, and how soon it came close to the best.

    Without a price there is no column of the cost.
    """
    priced = price_per_hour is not None
    rows = []
    for item in progress:
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
        model.Column(name="Study", numeric=False),
        model.Column(name="Sampler", numeric=False),
        model.Column(name="trials", group="Search"),
        model.Column(name="encoder steps", group="Search"),
        model.Column(name="best median PJE", unit="cm", better="↓", group="Search"),
        model.Column(name="steps to within 2%", group="Search", better="↓"),
        model.Column(name="device hours", group="Cost"),
        model.Column(name="time in the encoder", unit="%", better="↑", group="Cost"),
    ]
    return Table(
        key="efficiency",
        title="How efficiently each study searched",
        columns=(*columns, *([model.Column(name="cost", group="Cost")] if priced else [])),
        sections=one_section(rows),
        caption="Best: the lowest of all single trials, so partly luck. Within 2%: of the best of "
        "all given studies on the same data and fidelity; in brackets the share of the study's "
        "own steps. Steps include those of pruned and failed trials. Device hours: the trials' "
        "wall time added up" + (f", at {price_per_hour:g} an hour." if priced else "."),
    )


def _close(steps: float | None, done: float) -> Entry:
    if steps is None:
        return Entry(text="never", absent=True)
    return Entry(text=f"{steps:,.0f} ({steps / done:.0%})" if done else "0", value=steps)


def importance_table(samplings: Iterable[Sampling]) -> Table:
    """fANOVA: the share of the error's variance that each parameter explains by itself."""
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
        title="Which parameters mattered (fANOVA)",
        columns=(
            model.Column(name="Parameter", numeric=False),
            model.Column(name="variance explained", unit="%"),
            model.Column(name="tried", numeric=False),
        ),
        sections=sections,
        caption="Share of the variance of the median error over the search space that the "
        "parameter explains by itself (Hutter et al. 2014, Optuna's evaluator). "
        "What is missing to 100% is interactions. Pruned trials have no final error and are left "
        "out, and a sampler that looks where it is good sees less of the rest.",
    )


def _range(values: tuple[object, ...], choices: tuple[str, ...]) -> str:
    if choices:
        return ", ".join(choices)
    numbers = [value for value in values if isinstance(value, int | float)]
    return f"{min(numbers):.3g} to {max(numbers):.3g}"
