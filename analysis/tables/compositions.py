"""Tables 1 and 5 and figure 3 as numbers: errors of the compositions, ours and published."""

from collections.abc import Mapping, Sequence

from analysis.baselines import Baseline, baseline_note, baselines
from analysis.grid import NOT_RUN, Cell, Grid, GridColumn, Setting
from analysis.metrics import METRICS as KNOWN
from analysis.notation import PAPER_ROWS, TOKENS, is_assignment, objective_title, plural
from analysis.published import COMPOSITIONS, Published
from analysis.records import Study
from analysis.tables.model import (
    ONE_SEED,
    Column,
    Entry,
    Table,
    columns,
    number,
    result,
    section,
    texts,
)

METRICS = ("mpjpe_cm", "median_pje_cm")
_NAMES = ("MPJE", "median PJE")
_OURS = tuple(f"{name} (cm) ↓" for name in _NAMES)
_PCK = "uv_pck_10pct"
_GROUPS = {
    "Aligned": ("ra_median_pje_cm", "pa_median_pje_cm"),
    "2D": ("uv_median_pct", _PCK),
    "Absolute": METRICS,
}
"""Metrics of tables 1 and 5; the published numbers are absolute."""

_REGRESSABLE = frozenset({"T", "CJ", "S", "Ro"})
"""Tokens with parameters that the relative objective can predict."""


def cell_state(column: GridColumn, token: str, cell: Cell) -> str:
    """The cell's state; `"not regressable"` where the relative objective cannot be run."""
    impossible = column.base == "relative" and token not in _REGRESSABLE
    return "not regressable" if impossible and cell.state == "not run" else cell.state


def run_caption(grid: Grid, tried: Sequence[GridColumn]) -> str:
    """Caption of the composition tables: fidelity, n, seeds, meaning of the marks."""
    sentences = []
    for study in {column.study.name: column.study for column in tried}.values():
        members = [column for column in tried if column.study is study]
        cells = [grid.cell(column, label) for column in members for label in grid.compositions]
        best = [cell.best for cell in cells if cell.best]
        seeds = sorted({setting.seeds for setting in best})
        data = study.section("data")
        parts = [study.title]
        if data.get("name"):
            parts.append(f"data {data['name']}")
        if isinstance(images := data.get("images_val"), int):
            parts.append(f"evaluated on {images:,} validation images")
        parts.append(plural(sum(setting.seeds for setting in best), "finished run"))
        if seeds:
            spread = f"{seeds[0]} to " if len(seeds) > 1 else ""
            parts[-1] += f", {spread}{plural(seeds[-1], 'seed')} a cell"
        if repeated := sum(setting.first.stage > 1 for setting in best):
            parts.append(
                f"{plural(repeated, 'cell')} from the second stage only, whose seeds were not "
                "used for the selection; the others from the search"
            )
        if any(cell.settings > 1 for cell in cells):
            parts.append("each cell shows the best of several configurations (selection bias)")
        sentences.append("; ".join(parts) + ".")
    if not sentences:
        return "Nothing has been run yet."
    if any(is_assignment(label) for column in tried for label in grid.rows(column)):
        sentences.append(
            "The letter after a colon is the objective assigned to the augmentation: "
            "c contrastive, r relative, e equivariant."
        )
    sentences.append(f"Mean ± standard deviation over seeds; {ONE_SEED} one seed only.")
    if any(column.published for column in tried):
        sentences.append("Published: table 5 of the paper (FreiHAND, ResNet-18).")
    return " ".join(sentences)


def _printed(published: Mapping[str, Published], label: str) -> list[Entry]:
    """The published values of a composition, in the order of `METRICS`."""
    return [number(getattr(published.get(label), metric, None)) for metric in METRICS]


def _errors(grid: Grid, tried: Sequence[GridColumn]) -> tuple[str, ...]:
    """The four errors and the metric that ranks, without those that no cell has."""
    settings = [setting for column in tried for setting in grid.finished(column).values()]
    records = [record for setting in settings for record in setting.records]
    records += [record for study in _studies(tried) for record in study.baselines]
    recorded = {name for record in records for name in record.metrics}
    names = [name for group in _GROUPS.values() for name in group]
    names += [column.metric.name for column in tried[:1] if column.metric.name not in names]
    return tuple(name for name in names if name in recorded or name in METRICS)


def _heading(metric: str) -> str:
    return "PCK@10 % ↑" if metric == _PCK else f"{KNOWN[metric].axis} ↓"


def _group(metric: str) -> str:
    return next((group for group, names in _GROUPS.items() if metric in names), "Ranked by")


def _error(
    setting: Setting | Cell | Baseline | None, metric: str, state: str, *, best: bool = False
) -> Entry:
    """An error, bold where it is that of the best composition by the metric that ranks."""
    digits = 3 if metric == _PCK else 2
    return result(setting.summary(metric) if setting else None, state, digits, best=best)


def _baseline_error(baseline: Baseline | None, metric: str) -> Entry:
    """An error of a baseline; an image-blind answer has no seeds."""
    if baseline is None:
        return Entry(text="not recorded", absent=True)
    entry = _error(baseline, metric, "finished")
    digits = 3 if metric == _PCK else 2
    return entry if entry.absent or not baseline.answer else number(entry.value, digits)


def _studies(tried: Sequence[GridColumn]) -> tuple[Study, ...]:
    return tuple({column.study.name: column.study for column in tried}.values())


def _errors_caption(errors: Sequence[str], tried: Sequence[GridColumn]) -> str:
    words = {
        "ra_median_pje_cm": "RA: root-aligned",
        "pa_median_pje_cm": "PA: Procrustes-aligned",
        "uv_median_pct": "2D: in % of the side of the hand's box",
        _PCK: "PCK@10 %: share of the joints within 10 % of that side",
    }
    sentences = [f"Ranked by the {tried[0].metric.noun}."] if tried else []
    if named := [words[name] for name in errors if name in words]:
        sentences.append("; ".join(named) + ".")
    sentences.append(baseline_note(_studies(tried)))
    return "".join(f" {text}" for text in sentences if text)


def composition_tables(grid: Grid) -> tuple[Table, ...]:
    """Table 5 with every composition and objective; then one of assigned objectives, if any.

    The lowest error of each objective, by the metric that ranks, is bold. Before any run, table 5
    lists the paper's objectives as not run.
    """
    assigning = [column for column in grid.columns if grid.assigns(column)]
    tables = []
    if grid.plain or not assigning:
        title = "Table 5: hand pose error of each augmentation composition"
        tables.append(_table(grid, grid.plain, "table5_compositions", title, "*Augmentation"))
    if assigning:
        title = "Hand pose error with one objective assigned to each augmentation"
        tables.append(_table(grid, assigning, "assignments", title, "*Assignment"))
    return tuple(tables)


def _table(grid: Grid, tried: Sequence[GridColumn], key: str, title: str, first: str) -> Table:
    headed: list[tuple[GridColumn | None, str, Mapping[str, Published]]] = [
        (column, column.title, column.published) for column in tried
    ]
    if not headed:
        headed = [(None, objective_title(name), rows) for name, rows in COMPOSITIONS.items()]
    heads: list[Column] = [*columns(first)]
    errors = _errors(grid, tried)
    for _, name, published in headed:
        for metric in errors:
            heads += columns(_heading(metric), group=name)
            if published and metric in METRICS:
                short = KNOWN[metric].short
                heads += columns(f"{short}, published (cm)", group=name)
    best = {column.key: (grid.best(column) or ("",))[0] for column in tried}
    labels = {label for column in tried for label in grid.rows(column)} or set(PAPER_ROWS)
    rows = []
    for label in (label for label in grid.compositions if label in labels):
        row = [Entry(text=label)]
        for column, _, published in headed:
            cell = grid.cell(column, label) if column else NOT_RUN
            is_best = column is not None and best[column.key] == label
            for metric in errors:
                ranks = column is not None and metric == column.metric.name
                row.append(_error(cell, metric, cell.state, best=is_best and ranks))
                if published and metric in METRICS:
                    row.append(number(getattr(published.get(label), metric, None)))
        rows.append(row)
    known = {s.name: {b.title: b for b in baselines(s)} for s in _studies(tried)}
    for label in dict.fromkeys(label for titles in known.values() for label in titles):
        row = [Entry(text=label)]
        for column in tried:
            baseline = known[column.study.name].get(label)
            for metric in errors:
                row.append(_baseline_error(baseline, metric))
                row += [number(None)] if column.published and metric in METRICS else []
        rows.append(row)
    return Table(
        key=key,
        title=title,
        columns=tuple(heads),
        sections=(section(rows),),
        caption=run_caption(grid, tried) + _errors_caption(errors, tried),
    )


def best_table(grid: Grid) -> Table:
    """Table 1: the best composition of each objective, with its four errors."""
    rows, errors = [], _errors(grid, grid.columns)
    for column in grid.columns:
        best = grid.best(column)
        published = column.published
        label = min(published, key=lambda name: published[name].median_pje_cm, default="")
        finished = grid.finished(column)
        tried = len(finished) if grid.assigns(column) else len(set(finished) & set(PAPER_ROWS))
        count = str(tried) if grid.assigns(column) else f"{tried} of {len(PAPER_ROWS)}"
        state = "finished" if finished else "not run"
        rows.append(
            [
                Entry(text=column.title),
                Entry(text=best[0] if best else "not run", absent=best is None),
                *(_error(best[1] if best else None, metric, state) for metric in errors),
                Entry(text=count, value=tried),
                Entry(text=label or "–", absent=not label),
                *_printed(published, label),
            ]
        )
    studies = _studies(grid.columns)
    for study in studies:
        where = f" · {study.name}" if len(studies) > 1 else ""
        for baseline in baselines(study):
            rows.append(
                [
                    *texts(baseline.title + where, "–"),
                    *(_baseline_error(baseline, metric) for metric in errors),
                    *(number(None) for _ in range(2 + len(METRICS))),
                ]
            )
    return Table(
        key="table1_best",
        title="Table 1: the best augmentation composition of each objective",
        columns=(
            *columns("*Objective", "*Best composition"),
            *(head for m in errors for head in columns(_heading(m), group=_group(m))),
            *columns("Compositions run"),
            *columns("*Best composition", *(f"{n} (cm)" for n in _NAMES), group="Published"),
        ),
        sections=(section(rows),),
        caption=run_caption(grid, grid.columns) + _errors_caption(errors, grid.columns),
    )


def ablation_table(grid: Grid) -> Table:
    """Figure 3: all single augmentations of the project, run or not, without assignments."""
    tried = {label for _, label in grid.cells if not is_assignment(label)}
    singles = sorted(label for label in tried if "+" not in label and "/" not in label)
    names = {token: name.replace("_", " ") for name, token in TOKENS.items()}
    rows = []
    for label in [*names, *(label for label in singles if label not in names)]:
        row = [Entry(text=f"{names.get(label, label)} ({label})")]
        for column in grid.plain:
            cell = grid.cell(column, label)
            state = cell_state(column, label, cell)
            row += [result(cell.summary(metric), state) for metric in METRICS]
            row.append(_printed(column.published, label)[1])
        rows.append(row)
    heads = [columns(*_OURS, "median, published (cm)", group=c.title) for c in grid.plain]
    return Table(
        key="figure3_single",
        title="Figure 3 as numbers: each augmentation alone",
        columns=(*columns("*Augmentation"), *(column for head in heads for column in head)),
        sections=(section(rows),),
        caption=run_caption(grid, grid.plain)
        + " The paper's figure 3 prints no numbers; four of its bars are rows of its table 5.",
    )
