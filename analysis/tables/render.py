"""A table as Markdown, CSV, LaTeX (booktabs) and on the console."""

import csv
import io
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich import box
from rich.table import Table as ConsoleTable
from rich.text import Text

from analysis.tables.model import Column, Entry, Section, Table

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


_LINE = 40
"""Characters beyond which a column is set as a paragraph."""

_PARAGRAPH = 0.3
"""Width of such a column as a share of the line."""


_FRAME = 6
"""Lines of a tabular that are not its rows."""


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


def to_latex(table: Table, width: int = 96, height: int = 44) -> str:
    """Floating tables with booktabs rules that fit a page; they need the package booktabs.

    Wider than about `width` characters, the groups of columns are set one below the other; longer
    than `height` lines, the table goes on in another float.
    """
    headings = [len(column.heading) for column in table.columns]
    blocks = [
        (chosen, sections)
        for chosen in _panels(table, width, headings)
        for sections in _pages(table.sections, height)
    ]
    floats: list[list[list[str]]] = []
    left = 0
    for chosen, sections in blocks:
        lines = _latex_panel(table, chosen, sections)
        if not floats or len(lines) > left:
            floats.append([])
            left = height + _FRAME
        floats[-1].append(lines)
        left -= len(lines)
    written: list[str] = []
    for index, panels in enumerate(floats):
        written += [r"\begin{table}", r"\centering", r"\footnotesize"]
        written.append(r"\setlength{\tabcolsep}{3pt}")
        written += r"\par\medskip".join("\n".join(lines) + "\n" for lines in panels).splitlines()
        if index:
            written += [rf"\caption[]{{{_latex(table.title)} (continued).}}", r"\end{table}", ""]
        else:
            written.append(rf"\caption{{{_latex(table.title)}. {_latex(table.caption)}}}")
            written += [rf"\label{{tab:{table.key}}}", r"\end{table}", ""]
    return "\n".join(written)


def _pages(sections: Sequence[Section], height: int) -> list[list[Section]]:
    """Sections in runs of no more lines than a page has; a longer one is cut."""
    pages: list[list[Section]] = [[]]
    left = height
    for section in sections:
        rows = section.rows
        if len(rows) >= left:
            pages.append([])
            left = height
        for start in range(0, len(rows), height - 1):
            if start:
                pages.append([])
                left = height
            part = rows[start : start + height - 1]
            pages[-1].append(Section(title=section.title, rows=part))
            left -= len(part) + 1
    return [page for page in pages if page]


def _latex_panel(table: Table, chosen: Sequence[int], sections: Sequence[Section]) -> list[str]:
    columns = [table.columns[index] for index in chosen]
    widest = [
        max(_cell_width(table, index), len(table.columns[index].heading)) for index in chosen
    ]
    kinds = (
        rf"p{{{_PARAGRAPH}\linewidth}}" if wide > _LINE else "r" if column.numeric else "l"
        for column, wide in zip(columns, widest, strict=True)
    )
    lines = [r"\begin{tabular}{" + "".join(kinds) + "}", r"\toprule"]
    if any(column.group for column in columns):
        lines += _latex_groups(columns)
    lines += [" & ".join(_latex(column.heading) for column in columns) + r" \\", r"\midrule"]
    for index, section in enumerate(sections):
        if section.title:
            lines += [r"\midrule"] if index else []
            lines.append(
                rf"\multicolumn{{{len(columns)}}}{{l}}{{\emph{{{_latex(section.title)}}}}} \\"
            )
        for row in section.rows:
            entries = [row[index] for index in chosen]
            texts = (
                rf"\textbf{{{_latex(e.text)}}}" if e.best else _latex(e.text) for e in entries
            )
            lines.append(" & ".join(texts) + r" \\")
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _latex_groups(columns: Sequence[Column]) -> list[str]:
    groups, rules, start = [], [], 1
    for group, members in groupby(columns, key=lambda column: column.group):
        width = len(list(members))
        if group:
            groups.append(rf"\multicolumn{{{width}}}{{c}}{{{_latex(group)}}}")
            rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        else:
            groups.append(" & " * (width - 1))
        start += width
    return [" & ".join(groups) + r" \\", " ".join(rules)]


def to_console(table: Table, width: int = 100) -> list[ConsoleTable]:
    """Rich tables: one where it fits the width, else its groups of columns one below the other.

    Numbers that are absent are dim, the best of a column is bold green.
    """
    panels = _panels(table, width, [len(column.name) for column in table.columns])
    if len(panels) == 1:
        return [_console(table, panels[0], table.title, table.caption)]
    shown = []
    for chosen in panels:
        groups = dict.fromkeys(table.columns[index].group for index in chosen[1:])
        title = ": ".join([table.title, " and ".join(filter(None, groups))])
        shown.append(_console(table, chosen, title, table.caption if chosen is panels[-1] else ""))
    return shown


def _cell_width(table: Table, index: int) -> int:
    return max((len(row[index].text) for row in table.rows), default=0)


def _panels(table: Table, width: int, headings: Sequence[int]) -> list[list[int]]:
    """Indices of the columns side by side: all, or the first with as many groups as there is room.

    Args:
        table: The table.
        width: Characters on a line.
        headings: Width of each column's heading.
    """
    widths = [2 + max(_cell_width(table, i), wide) for i, wide in enumerate(headings)]
    groups = [
        [i for i in range(1, len(widths)) if table.columns[i].group == group]
        for group in dict.fromkeys(column.group for column in table.columns[1:])
    ]
    panels = [[0]]
    for members in groups:
        room = sum(widths[i] for i in [*panels[-1], *members]) <= width
        if room or panels[-1] == [0]:
            panels[-1] += members
        else:
            panels.append([0, *members])
    return panels


def _console(table: Table, chosen: Sequence[int], title: str, caption: str) -> ConsoleTable:
    shown = ConsoleTable(
        title=title, caption=caption, box=box.SIMPLE_HEAD, title_justify="left",
        caption_justify="left", title_style="bold", pad_edge=False,
    )  # fmt: skip
    grouped = {table.columns[i].group for i in chosen} - {""}
    whole = len(grouped) > 1 or len(chosen) == len(table.columns)
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
