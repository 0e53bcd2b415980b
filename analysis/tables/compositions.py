"""Tables 1 and 5: the composition search, ours beside the published."""

from collections.abc import Sequence

from analysis.grid import Cell, Column, Grid
from analysis.notation import STUDY_ROWS, is_assignment, objective_base, objective_title
from analysis.published import COMPOSITIONS
from analysis.tables import model
from analysis.tables.model import Entry, Table, number, one_section, result

METRICS = (("MPJE", "mpjpe_cm"), ("median PJE", "median_pje_cm"))


def run_caption(grid: Grid, shown: Sequence[Column]) -> str:
    """What every caption of the composition tables says: n, seeds, fidelity, marks."""
    sentences = []
    for study in {column.study.name: column.study for column in shown}.values():
        columns = [column for column in shown if column.study is study]
        cells = [grid.cell(column, label) for column in columns for label in grid.compositions]
        seeds = sorted({cell.best.seeds for cell in cells if cell.best})
        finished = sum(cell.best.seeds for cell in cells if cell.best)
        data = study.section("data")
        images = data.get("images_val")
        parts = [study.credentials]
        if data.get("name"):
            parts.append(f"data {data['name']}")
        if isinstance(images, int):
            parts.append(f"evaluated on {images:,} validation images")
        runs = f"{finished} finished run{'s' if finished != 1 else ''}"
        if seeds:
            spread = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
            runs += f", {spread} seed{'s' if seeds[-1] != 1 else ''} a cell"
        parts.append(runs)
        again = sum(cell.best.first.stage > 1 for cell in cells if cell.best)
        if again:
            parts.append(
                f"{again} cell{'s' if again != 1 else ''} from a second stage alone, whose seeds "
                "had no part in the choice; the others from the search"
            )
        if any(cell.settings > 1 for cell in cells):
            parts.append("each cell shows the best of several configurations, so partly luck")
        sentences.append("; ".join(parts) + ".")
    if not sentences:
        return "Nothing has been run yet."
    if any(is_assignment(label) for column in shown for label in grid.rows(column)):
        sentences.append(
            "After a colon, the objective that an augmentation is assigned: c contrastive, "
            "r relative, e equivariant."
        )
    sentences.append(f"Mean ± standard deviation over seeds; {model.ONE_SEED} one seed only.")
    if any(_has_published(column.variant) for column in shown):
        sentences.append("Published: table 5 of the study (FreiHAND, ResNet-18).")
    return " ".join(sentences)


def _ours(cell: Cell | None, metric: str, *, best: bool) -> Entry:
    if cell is None:
        return result(None, "not run")
    return result(cell.best.summary(metric) if cell.best else None, cell.state, best=best)


def _columns(title: str, *, published: bool) -> list[model.Column]:
    columns = []
    for name, _ in METRICS:
        columns.append(model.Column(name=name, group=title, unit="cm", better="↓"))
        if published:
            columns.append(model.Column(name=f"{name}, published", group=title, unit="cm"))
    return columns


def _has_published(variant: str) -> bool:
    return any(objective == objective_base(variant) for objective, _ in COMPOSITIONS)


def composition_tables(grid: Grid) -> tuple[Table, ...]:
    """Table 5, every composition and objective; then one of assignments, where any were tried.

    The lowest median of each objective is bold. Where nothing has been run, the study's own
    objectives stand in table 5 as not run.
    """
    assigning = [column for column in grid.columns if grid.assigns(column)]
    found = []
    if grid.plain or not assigning:
        title = "Table 5: hand pose error of each augmentation composition"
        found.append(_table(grid, grid.plain, "table5_compositions", title, "Augmentation"))
    if assigning:
        title = "Hand pose error where each augmentation has an objective of its own"
        found.append(_table(grid, assigning, "assignments", title, "Assignment"))
    return tuple(found)


def _table(grid: Grid, shown: Sequence[Column], key: str, title: str, first: str) -> Table:
    headed: list[tuple[Column | None, str, str]] = [
        (column, column.variant, column.title) for column in shown
    ]
    if not headed:
        objectives = dict.fromkeys(objective for objective, _ in COMPOSITIONS)
        headed = [(None, objective, objective_title(objective)) for objective in objectives]
    columns = [model.Column(name=first, numeric=False)]
    for _, variant, name in headed:
        columns += _columns(name, published=_has_published(variant))
    best = {column.key: (grid.best(column) or ("",))[0] for column in shown}
    own = {label for column in shown for label in grid.rows(column)} or set(STUDY_ROWS)
    rows = []
    for label in grid.compositions:
        if label not in own:
            continue
        row = [Entry(text=label)]
        for column, variant, _ in headed:
            cell = grid.cell(column, label) if column else None
            printed = COMPOSITIONS.get((objective_base(variant), label))
            for _, metric in METRICS:
                row.append(
                    _ours(cell, metric, best=column is not None and best[column.key] == label)
                )
                if _has_published(variant):
                    row.append(number(getattr(printed, metric) if printed else None))
        rows.append(row)
    return Table(
        key=key,
        title=title,
        columns=tuple(columns),
        sections=one_section(rows),
        caption=run_caption(grid, shown),
    )


def _published_best(objective: str) -> str:
    rows = {label: value for (name, label), value in COMPOSITIONS.items() if name == objective}
    return min(rows, key=lambda label: rows[label].median_pje_cm, default="")


def best_table(grid: Grid) -> Table:
    """Table 1: the best composition of each objective, by median error."""
    rows = []
    for column in grid.columns:
        best = grid.best(column)
        base = objective_base(column.variant)
        label = _published_best(base)
        printed = COMPOSITIONS.get((base, label))
        summaries = [best[1].summary(metric) if best else None for _, metric in METRICS]
        finished = grid.finished(column)
        tried = len(finished) if grid.assigns(column) else len(set(finished) & set(STUDY_ROWS))
        count = str(tried) if grid.assigns(column) else f"{tried} of {len(STUDY_ROWS)}"
        state = "finished" if finished else "not run"
        rows.append(
            [
                Entry(text=column.title),
                Entry(text=best[0] if best else "not run", absent=best is None),
                *(result(summary, state) for summary in summaries),
                Entry(text=count, value=tried),
                Entry(text=label or "–", absent=not label),
                *(number(getattr(printed, metric) if printed else None) for _, metric in METRICS),
            ]
        )
    return Table(
        key="table1_best",
        title="Table 1: the best augmentation composition of each objective",
        columns=(
            model.Column(name="Objective", numeric=False),
            model.Column(name="Best composition", numeric=False),
            *(model.Column(name=name, unit="cm", better="↓") for name, _ in METRICS),
            model.Column(name="Compositions run"),
            model.Column(name="Best composition", group="Published", numeric=False),
            *(model.Column(name=name, group="Published", unit="cm") for name, _ in METRICS),
        ),
        sections=one_section(rows),
        caption=run_caption(grid, grid.columns),
    )
