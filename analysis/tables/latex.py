"""A table as LaTeX: floats with booktabs rules that fit a page."""

import re
import textwrap
from collections.abc import Sequence
from itertools import groupby

from analysis.tables.layout import cell_width, panels
from analysis.tables.model import Column, Section, Table

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "†": r"$^{\dagger}$", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "→": r"$\to$",
    "−": r"$-$", "–": "--", "≤": r"$\le$", "≥": r"$\ge$", "<": r"$<$", ">": r"$>$",
    "·": r"$\cdot$", "²": r"$^2$",
    "×": r"$\times$", "τ": r"$\tau$", "ρ": r"$\rho$", "Δ": r"$\Delta$", "Σ": r"$\Sigma$",
    "σ": r"$\sigma$", "∅": r"$\emptyset$",
}  # fmt: skip


_NUMBERED = re.compile(r"^(?:Table|Figure) (?=\d)")
"""LaTeX numbers tables itself: those numbers are the study's."""


_HEADING = 14
"""Characters after which a heading goes on in another line."""


_LINE = 30
"""Characters beyond which a column is set as a paragraph."""

_PARAGRAPH = 0.3
"""Width of such a column as a share of the line."""

_FRAME = 6
"""Lines of a tabular that are not its rows."""


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def to_latex(table: Table, width: int = 78, height: int = 44) -> str:
    """Floating tables with booktabs rules that fit a page; they need the package booktabs.

    They fit the 345 pt of the class article, the narrowest page that is common. Wider than about
    `width` characters, the groups of columns are set one below the other; longer than `height`
    lines, the table goes on in another float.
    """
    headings = [max(map(len, _stacked(column))) for column in table.columns]
    blocks = [
        (chosen, sections)
        for chosen in panels(table, width, headings)
        for sections in _pages(table.sections, height)
    ]
    floats: list[list[list[str]]] = []
    left = 0
    for chosen, sections in blocks:
        lines = _tabular(table, chosen, sections)
        if not floats or len(lines) > left:
            floats.append([])
            left = height + _FRAME
        floats[-1].append(lines)
        left -= len(lines)
    title = _latex(_NUMBERED.sub(lambda own: f"The study's {own[0].lower()}", table.title))
    written: list[str] = []
    for index, tabulars in enumerate(floats):
        written += [r"\begin{table}", r"\centering", r"\footnotesize"]
        written.append(r"\setlength{\tabcolsep}{3pt}")
        written += r"\par\medskip".join("\n".join(lines) + "\n" for lines in tabulars).splitlines()
        if index:
            written += [rf"\caption[]{{{title} (continued).}}", r"\end{table}", ""]
        else:
            written.append(rf"\caption{{{title}. {_latex(table.caption)}}}")
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


def _tabular(table: Table, chosen: Sequence[int], sections: Sequence[Section]) -> list[str]:
    columns = [table.columns[index] for index in chosen]
    widest = [
        max(cell_width(table, index), *map(len, _stacked(table.columns[index])))
        for index in chosen
    ]
    kinds = (
        rf"p{{{_PARAGRAPH}\linewidth}}" if wide > _LINE else "r" if column.numeric else "l"
        for column, wide in zip(columns, widest, strict=True)
    )
    lines = [r"\begin{tabular}{" + "".join(kinds) + "}", r"\toprule"]
    if any(column.group for column in columns):
        lines += _latex_groups(columns)
    lines += [" & ".join(map(_latex_heading, columns)) + r" \\", r"\midrule"]
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


def _stacked(column: Column) -> list[str]:
    return textwrap.wrap(column.heading, _HEADING) or [""]


def _latex_heading(column: Column) -> str:
    lines = [_latex(line) for line in _stacked(column)]
    if len(lines) == 1:
        return lines[0]
    side = "r" if column.numeric else "l"
    return rf"\shortstack[{side}]{{" + r"\\".join(lines) + "}"


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
