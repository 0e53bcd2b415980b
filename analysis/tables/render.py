"""A table as Markdown, CSV, LaTeX (booktabs) and on the console."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.table import Table as ConsoleTable
from rich.text import Text

from analysis.tables.model import Entry, Table

__all__ = ["to_console", "to_csv", "to_latex", "to_markdown", "write_table"]

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "†": r"$^{\dagger}$", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "→": r"$\to$",
    "−": r"$-$", "–": "--", "≤": r"$\le$", "≥": r"$\ge$", "<": r"$<$", ">": r"$>$",
    "·": r"$\cdot$", "²": r"$^2$",
    "×": r"$\times$", "τ": r"$\tau$", "ρ": r"$\rho$", "Δ": r"$\Delta$", "Σ": r"$\Sigma$",
    "σ": r"$\sigma$", "∅": r"$\emptyset$",
}  # fmt: skip


def to_markdown(table: Table) -> str:
    """A GitHub table with its title and caption; the best of a column is bold."""

    def cell(entry: Entry) -> str:
        text = entry.text.replace("|", "\\|")
        return f"**{text}**" if entry.best else text

    lines = [f"### {table.title}", ""]
    lines.append("| " + " | ".join(column.full_heading for column in table.columns) + " |")
    lines.append("|" + "|".join("---:" if c.numeric else ":---" for c in table.columns) + "|")
    for section in table.sections:
        if section.title:
            lines.append(f"| *{section.title}* |" + " |" * (len(table.columns) - 1))
        lines += ["| " + " | ".join(map(cell, row)) + " |" for row in section.rows]
    return "\n".join([*lines, "", table.caption, ""])


def to_csv(table: Table) -> str:
    """Numbers in full; a mean over seeds takes three columns: value, sd, seeds."""
    rows = table.rows
    spread = [any(row[i].n is not None for row in rows) for i in range(len(table.columns))]
    sectioned = any(section.title for section in table.sections)
    header = ["section"] if sectioned else []
    for column, wide in zip(table.columns, spread, strict=True):
        name = f"{column.group}: {column.name}" if column.group else column.name
        name += f" [{column.unit}]" if column.unit else ""
        header += [name, f"{name} sd", f"{name} seeds"] if wide else [name]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for section in table.sections:
        for row in section.rows:
            line: list[object] = [section.title] if sectioned else []
            for entry, wide in zip(row, spread, strict=True):
                line.append(entry.text if entry.value is None else repr(entry.value))
                if wide:
                    line += ["" if entry.sd is None else repr(entry.sd), entry.n or ""]
            writer.writerow(line)
    return out.getvalue()


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def to_latex(table: Table) -> str:
    """A floating table with booktabs rules; needs the package booktabs."""
    columns = table.columns
    lines = [r"\begin{table}", r"\centering", r"\small"]
    lines.append(r"\begin{tabular}{" + "".join("r" if c.numeric else "l" for c in columns) + "}")
    lines.append(r"\toprule")
    if any(column.group for column in columns):
        groups, rules, start = [], [], 1
        for group, width in table.groups:
            groups.append(
                rf"\multicolumn{{{width}}}{{c}}{{{_latex(group)}}}"
                if group
                else " & " * (width - 1)
            )
            if group:
                rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
            start += width
        lines += [" & ".join(groups) + r" \\", " ".join(rules)]
    lines += [" & ".join(_latex(column.heading) for column in columns) + r" \\", r"\midrule"]
    for index, section in enumerate(table.sections):
        if section.title:
            lines += [r"\midrule"] if index else []
            heading = (
                rf"\multicolumn{{{len(columns)}}}{{l}}{{\emph{{{_latex(section.title)}}}}} \\"
            )
            lines.append(heading)
        for row in section.rows:
            texts = (rf"\textbf{{{_latex(e.text)}}}" if e.best else _latex(e.text) for e in row)
            lines.append(" & ".join(texts) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines.append(rf"\caption{{{_latex(table.title)}. {_latex(table.caption)}}}")
    lines += [rf"\label{{tab:{table.key}}}", r"\end{table}", ""]
    return "\n".join(lines)


def to_console(table: Table, width: int = 100) -> list[ConsoleTable]:
    """Rich tables: one where it fits the width, else one for each group of columns.

    Numbers that are absent are dim, the best of a column is bold green.
    """
    everything = range(len(table.columns))
    if not any(column.group for column in table.columns) or _width(table, everything) <= width:
        return [_console(table, everything, table.title, table.caption)]
    parts = []
    groups = list(dict.fromkeys(column.group for column in table.columns[1:]))
    for group in groups:
        chosen = [0, *(i for i in everything if i and table.columns[i].group == group)]
        title = f"{table.title}: {group}" if group else table.title
        parts.append(_console(table, chosen, title, table.caption if group == groups[-1] else ""))
    return parts


def _cell_width(table: Table, index: int) -> int:
    return max((len(row[index].text) for row in table.rows), default=0)


def _width(table: Table, chosen: Iterable[int]) -> int:
    return sum(2 + max(_cell_width(table, i), len(table.columns[i].name)) for i in chosen)


def _console(table: Table, chosen: Sequence[int], title: str, caption: str) -> ConsoleTable:
    shown = ConsoleTable(
        title=title, caption=caption, box=box.SIMPLE_HEAD, title_justify="left",
        caption_justify="left", title_style="bold", pad_edge=False,
    )  # fmt: skip
    whole = len({table.columns[i].group for i in chosen} - {""}) > 1 or len(chosen) == len(
        table.columns
    )
    for index in chosen:
        column = table.columns[index]
        heading = f"{column.group}\n{column.heading}" if column.group and whole else column.heading
        shown.add_column(
            heading, justify="right" if column.numeric else "left",
            min_width=_cell_width(table, index) if column.numeric else None,
        )  # fmt: skip
    for section in table.sections:
        if section.title:
            shown.add_row(Text(section.title, style="italic"), *[""] * (len(chosen) - 1))
        for row in section.rows:
            shown.add_row(*(Text(row[i].text, style=_style(row[i])) for i in chosen))
    return shown


def _style(entry: Entry) -> str:
    return "bold green" if entry.best else "dim" if entry.absent else ""


def write_table(table: Table, folder: Path) -> tuple[Path, ...]:
    """Writes ``<key>.md``, ``<key>.csv`` and ``<key>.tex``; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, text in (
        ("md", to_markdown(table)),
        ("csv", to_csv(table)),
        ("tex", to_latex(table)),
    ):
        path = folder / f"{table.key}.{suffix}"
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return tuple(written)
