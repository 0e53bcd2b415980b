import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from analysis import compile_study
from analysis.tables import Section, Table, to_latex
from tests.analysis.conftest import Make


def test_latex_uses_booktabs_and_escapes_what_latex_would_eat(table: Table) -> None:
    text = to_latex(table)
    pieces = [r"\toprule", r"\midrule", r"\bottomrule", r"\cmidrule(lr){2-2}", r"100\%"]
    for piece in [*pieces, r"\textbf{2.00 $\pm$ 1.41}", r"A\_title \& more", r"$\tau$"]:
        assert piece in text
    rows = [
        line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line
    ]
    assert {line.count(" & ") for line in rows} == {2}
    assert text.isascii()


def test_latex_scales_a_large_table_down_to_the_page(table: Table) -> None:
    long = dataclasses.replace(
        table, sections=(Section(title="Many", rows=table.sections[0].rows * 100),)
    )
    text = to_latex(long)
    assert text.count("2.00") == 100
    assert r"\begin{adjustbox}{max width=\linewidth, max totalheight=0.75\textheight}" in text
    assert [text.count(rf"\{end}{{{name}}}") for end in ("begin", "end")
            for name in ("table", "adjustbox", "tabular")] == [1] * 6  # fmt: skip


def test_latex_stacks_long_headings_and_leaves_the_numbering_to_latex(table: Table) -> None:
    name = "median PJE, published"
    columns = (table.columns[0], dataclasses.replace(table.columns[1], name=name))
    rows = tuple(row[:2] for row in table.rows)
    numbered = dataclasses.replace(
        table, title="Table 5: errors", columns=columns, sections=(Section(rows=rows),)
    )
    text = to_latex(numbered)
    assert r"\shortstack[r]{median PJE,\\published (cm)\\$\downarrow$}" in text
    assert r"\caption{The paper's table 5: errors. " in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not on this machine")
def test_every_table_of_a_report_compiles_within_the_page(
    table: Table, make_study: Make, tmp_path: Path
) -> None:
    study = make_study("a_study_with_a_name")
    study.add_grid(repeats=2)
    for label in ("T", "S", "T+S"):
        config = {"objective": {"name": "relative", "targets": "released"}}
        study.add(label, "relative", config=config, metrics={"equivariance/rotate": 0.5})
    study.write_study()
    folder = compile_study(study.folder, price_per_hour=1.5).folder / "tables"
    long = dataclasses.replace(table, key="long", sections=table.sections * 30)
    texts = [to_latex(long), *(path.read_text() for path in sorted(folder.glob("*.tex")))]
    body = "".join(texts).replace(r"\begin{table}", r"\begin{table}[p]")
    document = r"\documentclass{article}\usepackage{booktabs,adjustbox}\begin{document}"
    (tmp_path / "t.tex").write_text(document + body + r"\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=120
    )
    assert len(texts) > 15
    assert "Overfull" not in done.stdout
    assert "too large for page" not in done.stdout
