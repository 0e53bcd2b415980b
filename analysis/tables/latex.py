"""A table as LaTeX: one float with booktabs rules, shrunk to the page where it is larger."""

import re
import textwrap

from analysis.tables.model import Column, Entry, Table

_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "†": r"$^{\dagger}$", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "→": r"$\to$",
    "−": r"$-$", "–": "--", "≤": r"$\le$", "≥": r"$\ge$", "<": r"$<$", ">": r"$>$",
    "·": r"$\cdot$", "²": r"$^2$",
    "×": r"$\times$", "τ": r"$\tau$", "ρ": r"$\rho$", "Δ": r"$\Delta$", "Σ": r"$\Sigma$",
    "σ": r"$\sigma$", "∅": r"$\emptyset$",
})  # fmt: skip

_NUMBERED = re.compile(r"^(?:Table|Figure) (?=\d)")
"""LaTeX numbers tables; these numbers are the paper's."""

_HEADING = 14
"""Characters after which a heading continues on another line."""


def to_latex(table: Table) -> str:
    """A float with booktabs rules; needs the packages booktabs and adjustbox.

    A table that is wider or higher than the page is scaled down to it.
    """
    columns = table.columns
    kinds = "".join("r" if column.numeric else "l" for column in columns)
    title = _escape(_NUMBERED.sub(lambda match: f"The paper's {match[0].lower()}", table.title))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{title}. {_escape(table.caption)}}}",
        rf"\label{{tab:{table.key}}}",
        r"\begin{adjustbox}{max width=\linewidth, max totalheight=0.75\textheight}",
        rf"\begin{{tabular}}{{{kinds}}}",
        r"\toprule",
    ]
    if any(column.group for column in columns):
        lines += _groups(table)
    lines += [" & ".join(map(_heading, columns)) + r" \\", r"\midrule"]
    for index, section in enumerate(table.sections):
        if section.title:
            lines += [r"\midrule"] if index else []
            title = rf"\emph{{{_escape(section.title)}}}"
            lines.append(rf"\multicolumn{{{len(columns)}}}{{l}}{{{title}}} \\")
        lines += [" & ".join(map(_cell, row)) + r" \\" for row in section.rows]
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{adjustbox}", r"\end{table}", ""]
    return "\n".join(lines)


def _escape(text: str) -> str:
    return text.translate(_LATEX)


def _cell(entry: Entry) -> str:
    return rf"\textbf{{{_escape(entry.text)}}}" if entry.best else _escape(entry.text)


def _heading(column: Column) -> str:
    lines = [_escape(line) for line in textwrap.wrap(column.heading, _HEADING)]
    if len(lines) < 2:
        return "".join(lines)
    return rf"\shortstack[{'r' if column.numeric else 'l'}]{{" + r"\\".join(lines) + "}"


def _groups(table: Table) -> list[str]:
    cells, rules, start = [], [], 1
    for title, width in table.groups:
        cells.append(rf"\multicolumn{{{width}}}{{c}}{{{_escape(title)}}}")
        if title:
            rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    return [" & ".join(cells) + r" \\", " ".join(rules)]
