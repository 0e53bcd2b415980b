"""A table as Markdown and CSV, on the console, and in files."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table as ConsoleTable
from rich.text import Text

from analysis.tables.latex import to_latex
from analysis.tables.layout import cell_width, panels
from analysis.tables.model import Entry, Table


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
    """Numbers in full; a mean over seeds takes three columns (value, sd, seeds), a range two."""
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
    """Endings of the columns that a column takes in CSV."""
    entries = [row[index] for row in table.rows]
    if any(entry.high is not None for entry in entries):
        return " low", " high"
    return ("", " sd", " seeds") if any(entry.n is not None for entry in entries) else ("",)


def to_console(table: Table, width: int = 100) -> list[ConsoleTable]:
    """Rich tables: one where it fits the width, else its groups of columns one below the other.

    Numbers that are absent are dim, the best of a column is bold green.
    """
    parts = panels(table, width, [len(column.name) for column in table.columns])
    if len(parts) == 1:
        return [_console(table, parts[0], table.title, table.caption)]
    shown = []
    for chosen in parts:
        groups = dict.fromkeys(table.columns[index].group for index in chosen[1:])
        title = ": ".join([table.title, " and ".join(filter(None, groups))])
        shown.append(_console(table, chosen, title, table.caption if chosen is parts[-1] else ""))
    return shown


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
            min_width=cell_width(table, index) if column.numeric else None,
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
