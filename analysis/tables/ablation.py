"""Figure 3 as numbers: each single augmentation under each objective."""

from analysis.grid import Grid
from analysis.notation import TOKENS, is_assignment, objective_base
from analysis.published import FIGURE_3
from analysis.tables.compositions import METRICS, run_caption
from analysis.tables.model import Column, Entry, Table, number, one_section, result

REGRESSABLE = frozenset({"T", "CJ", "S", "Ro"})
"""Tokens with parameters that the relative objective can predict."""


def ablation_table(grid: Grid) -> Table:
    """All single augmentations of the project, run or not, without assigned objectives."""
    tried = {label for _, label in grid.cells if not is_assignment(label)}
    singles = sorted(label for label in tried if "+" not in label and "/" not in label)
    names = {token: name.replace("_", " ") for name, token in TOKENS.items()}
    labels = [*names, *(label for label in singles if label not in names)]
    columns = [Column(name="Augmentation", numeric=False)]
    for column in grid.plain:
        for name, _ in METRICS:
            columns.append(Column(name=name, group=column.title, unit="cm", better="↓"))
        columns.append(Column(name="median, published", group=column.title, unit="cm"))
    rows = []
    for label in labels:
        row = [Entry(text=f"{names.get(label, label)} ({label})")]
        for column in grid.plain:
            cell = grid.cell(column, label)
            base = objective_base(column.variant)
            impossible = base == "relative" and label not in REGRESSABLE
            state = "not regressable" if impossible and cell.state == "not run" else cell.state
            for _, metric in METRICS:
                row.append(result(cell.best.summary(metric) if cell.best else None, state))
            printed = FIGURE_3.get((base, label))
            row.append(number(printed.median_pje_cm if printed else None))
        rows.append(row)
    return Table(
        key="figure3_single",
        title="Figure 3 as numbers: each augmentation alone",
        columns=tuple(columns),
        sections=one_section(rows),
        caption=run_caption(grid, grid.plain)
        + " The paper's figure 3 prints no numbers; four of its bars are rows of its table 5.",
    )
