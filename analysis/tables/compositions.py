"""Tables 1 and 5: errors of the augmentation compositions, ours beside the published."""

from collections.abc import Sequence

from analysis.grid import Cell, Grid, GridColumn
from analysis.notation import PAPER_ROWS, is_assignment, objective_base, objective_title
from analysis.published import COMPOSITIONS
from analysis.tables.model import ONE_SEED, Column, Entry, Table, number, one_section, result

METRICS = (("MPJE", "mpjpe_cm"), ("median PJE", "median_pje_cm"))


def run_caption(grid: Grid, columns: Sequence[GridColumn]) -> str:
    """Caption of the composition tables: fidelity, n, seeds, meaning of the marks."""
    sentences = []
    for study in {column.study.name: column.study for column in columns}.values():
        members = [column for column in columns if column.study is study]
        cells = [grid.cell(column, label) for column in members for label in grid.compositions]
        seeds = sorted({cell.best.seeds for cell in cells if cell.best})
        finished = sum(cell.best.seeds for cell in cells if cell.best)
        data = study.section("data")
        images = data.get("images_val")
        parts = [study.title]
        if data.get("name"):
            parts.append(f"data {data['name']}")
        if isinstance(images, int):
            parts.append(f"evaluated on {images:,} validation images")
        runs = f"{finished} finished run{'s' if finished != 1 else ''}"
        if seeds:
            spread = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
            runs += f", {spread} seed{'s' if seeds[-1] != 1 else ''} a cell"
        parts.append(runs)
        repeated = sum(cell.best.first.stage > 1 for cell in cells if cell.best)
        if repeated:
            parts.append(
                f"{repeated} cell{'s' if repeated != 1 else ''} from the second stage only, whose "
                "seeds were not used for the selection; the others from the search"
            )
        if any(cell.settings > 1 for cell in cells):
            parts.append("each cell shows the best of several configurations (selection bias)")
        sentences.append("; ".join(parts) + ".")
    if not sentences:
        return "Nothing has been run yet."
    if any(is_assignment(label) for column in columns for label in grid.rows(column)):
        sentences.append(
            "The letter after a colon is the objective assigned to the augmentation: "
            "c contrastive, r relative, e equivariant."
        )
    sentences.append(f"Mean ± standard deviation over seeds; {ONE_SEED} one seed only.")
    if any(_has_published(column.variant) for column in columns):
        sentences.append("Published: table 5 of the paper (FreiHAND, ResNet-18).")
    return " ".join(sentences)


def _ours(cell: Cell | None, metric: str, *, best: bool) -> Entry:
    if cell is None:
        return result(None, "not run")
    return result(cell.best.summary(metric) if cell.best else None, cell.state, best=best)


def _columns(title: str, *, published: bool) -> list[Column]:
    columns = []
    for name, _ in METRICS:
        columns.append(Column(name=name, group=title, unit="cm", better="↓"))
        if published:
            columns.append(Column(name=f"{name}, published", group=title, unit="cm"))
    return columns


def _has_published(variant: str) -> bool:
    return any(objective == objective_base(variant) for objective, _ in COMPOSITIONS)


def composition_tables(grid: Grid) -> tuple[Table, ...]:
    """Table 5 with every composition and objective; then one of assigned objectives, if any.

    The lowest median of each objective is bold. Before any run, table 5 lists the paper's
    objectives as not run.
    """
    assigning = [column for column in grid.columns if grid.assigns(column)]
    result = []
    if grid.plain or not assigning:
        title = "Table 5: hand pose error of each augmentation composition"
        result.append(_table(grid, grid.plain, "table5_compositions", title, "Augmentation"))
    if assigning:
        title = "Hand pose error with one objective assigned to each augmentation"
        result.append(_table(grid, assigning, "assignments", title, "Assignment"))
    return tuple(result)


def _table(grid: Grid, tried: Sequence[GridColumn], key: str, title: str, first: str) -> Table:
    headed: list[tuple[GridColumn | None, str, str]] = [
        (column, column.variant, column.title) for column in tried
    ]
    if not headed:
        objectives = dict.fromkeys(objective for objective, _ in COMPOSITIONS)
        headed = [(None, objective, objective_title(objective)) for objective in objectives]
    columns = [Column(name=first, numeric=False)]
    for _, variant, name in headed:
        columns += _columns(name, published=_has_published(variant))
    best = {column.key: (grid.best(column) or ("",))[0] for column in tried}
    labels = {label for column in tried for label in grid.rows(column)} or set(PAPER_ROWS)
    rows = []
    for label in grid.compositions:
        if label not in labels:
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
        caption=run_caption(grid, tried),
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
        tried = len(finished) if grid.assigns(column) else len(set(finished) & set(PAPER_ROWS))
        count = str(tried) if grid.assigns(column) else f"{tried} of {len(PAPER_ROWS)}"
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
            Column(name="Objective", numeric=False),
            Column(name="Best composition", numeric=False),
            *(Column(name=name, unit="cm", better="↓") for name, _ in METRICS),
            Column(name="Compositions run"),
            Column(name="Best composition", group="Published", numeric=False),
            *(Column(name=name, group="Published", unit="cm") for name, _ in METRICS),
        ),
        sections=one_section(rows),
        caption=run_caption(grid, grid.columns),
    )
