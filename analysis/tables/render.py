"""A table as Markdown, as CSV, on the console and in files."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table as ConsoleTable
from rich.text import Text

from analysis.tables.latex import to_latex
from analysis.tables.model import Entry, Table


def to_markdown(table: Table) -> str:
    """A GitHub table with title and caption; the best of a column is bold."""

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
    """All digits; a mean over seeds has three columns (value, sd, seeds), a range two."""
    kinds = [_parts(table, index) for index in range(len(table.columns))]
    sectioned = any(section.title for section in table.sections)
    header = ["section"] if sectioned else []
    for column, parts in zip(table.columns, kinds, strict=True):
        name = f"{column.group}: {column.name}" if column.group else column.name
        name += f" [{column.unit}]" if column.unit else ""
        header += [f"{name}{part}" for part in parts]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for section in table.sections:
        for row in section.rows:
            line = [section.title] if sectioned else []
            for entry, parts in zip(row, kinds, strict=True):
                line.append(entry.text if entry.value is None else repr(entry.value))
                rest = {" sd": entry.sd, " seeds": entry.n, " high": entry.high}
                line += ["" if rest[part] is None else repr(rest[part]) for part in parts[1:]]
            writer.writerow(line)
    return out.getvalue()


def _parts(table: Table, index: int) -> tuple[str, ...]:
    """Suffixes of the CSV columns of a column."""
    entries = [row[index] for row in table.rows]
    if any(entry.high is not None for entry in entries):
        return " low", " high"
    return ("", " sd", " seeds") if any(entry.n is not None for entry in entries) else ("",)


def to_console(table: Table, width: int = 100) -> list[ConsoleTable]:
    """Rich tables: one if it fits the width, else its groups of columns one below the other.

    Absent numbers are dim, the best of a column is bold green.
    """
    parts = _panels(table, width)
    if len(parts) == 1:
        return [_console(table, parts[0], table.title, table.caption)]
    panels = []
    for chosen in parts:
        groups = dict.fromkeys(table.columns[index].group for index in chosen[1:])
        title = ": ".join([table.title, " and ".join(filter(None, groups))])
        panels.append(_console(table, chosen, title, table.caption if chosen is parts[-1] else ""))
    return panels


def _cell_width(table: Table, index: int) -> int:
    """Characters of the widest entry of a column."""
    return max((len(row[index].text) for row in table.rows), default=0)


def _panels(table: Table, width: int) -> list[list[int]]:
    """Indices of the columns side by side: the first and as many groups as fit the width.

    A group that is wider than the console continues in the next panel.
    """
    widths = [2 + max(_cell_width(table, i), len(c.name)) for i, c in enumerate(table.columns)]
    groups = [
        [i for i in range(1, len(widths)) if table.columns[i].group == group]
        for group in dict.fromkeys(column.group for column in table.columns[1:])
    ]
    narrow = [  # with headings wrapped at spaces, and a divider
        3 + max(_cell_width(table, i), *map(len, c.heading.split()))
        for i, c in enumerate(table.columns)
    ]
    panels = [[0]]
    for members in groups:
        fits = sum(widths[i] for i in [*panels[-1], *members]) <= width
        if not fits and panels[-1] != [0]:
            panels.append([0])
        for member in members:
            wide = sum(narrow[i] for i in [*panels[-1], member]) > width
            if wide and not fits and panels[-1] != [0]:
                panels.append([0])
            panels[-1].append(member)
    return panels


def _console(table: Table, chosen: Sequence[int], title: str, caption: str) -> ConsoleTable:
    result = ConsoleTable(
        title=title,
        caption=caption,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        pad_edge=False,
    )
    grouped = {table.columns[i].group for i in chosen} - {""}
    whole = len(grouped) > 1 or len(chosen) == len(table.columns)
    for index in chosen:
        column = table.columns[index]
        heading = f"{column.group}\n{column.heading}" if column.group and whole else column.heading
        result.add_column(
            heading,
            justify="right" if column.numeric else "left",
            min_width=_cell_width(table, index) if column.numeric else None,
        )
    for section in table.sections:
        if section.title:
            result.add_row(Text(section.title, style="italic"), *[""] * (len(chosen) - 1))
        for row in section.rows:
            # A panel leaves out the rows that have nothing in its columns.
            if len(chosen) < len(table.columns) and {row[i].text for i in chosen[1:]} == {"–"}:
                continue
            result.add_row(*(Text(row[i].text, style=_style(row[i])) for i in chosen))
    return result


def _style(entry: Entry) -> str:
    return "bold green" if entry.best else "dim" if entry.absent else ""


def write_table(table: Table, folder: Path) -> tuple[Path, ...]:
    """Write `<key>.md`, `<key>.csv` and `<key>.tex` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for suffix, write in (("md", to_markdown), ("csv", to_csv), ("tex", to_latex)):
        path = folder / f"{table.key}.{suffix}"
        path.write_text(write(table), encoding="utf-8")
        paths.append(path)
    return tuple(paths)
