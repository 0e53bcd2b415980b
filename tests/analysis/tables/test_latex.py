import dataclasses
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis import compile_study
from analysis.tables import Section, Table, to_latex
from tests.analysis.conftest import StudyMaker


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


def test_latex_sets_what_is_wider_or_longer_than_a_page_in_panels_and_further_floats(
    table: Table,
) -> None:
    narrow = to_latex(table, width=20)
    assert narrow.count(r"\begin{tabular}") == 2
    assert narrow.count(r"\begin{table}") == 1
    long = dataclasses.replace(
        table, sections=(Section(title="Many", rows=table.sections[0].rows * 100),)
    )
    floats = to_latex(long).split(r"\begin{table}")[1:]
    assert len(floats) == 3
    assert all(part.count(r"\\") < 50 for part in floats)
    assert sum(part.count("2.00") for part in floats) == 100
    assert [part.count(r"\label") for part in floats] == [1, 0, 0]


def test_latex_stacks_long_headings_and_leaves_the_numbering_to_latex(table: Table) -> None:
    name = "median PJE, published"
    columns = (table.columns[0], dataclasses.replace(table.columns[1], name=name))
    rows = tuple(row[:2] for row in table.rows)
    numbered = dataclasses.replace(
        table, title="Table 5: errors", columns=columns, sections=(Section(rows=rows),)
    )
    text = to_latex(numbered)
    assert r"\shortstack[r]{median PJE,\\published (cm)\\$\downarrow$}" in text
    assert r"\caption{The study's table 5: errors. " in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not on this machine")
def test_every_table_of_a_report_compiles_within_the_page(
    table: Table, make_study: Callable[..., StudyMaker], tmp_path: Path
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
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}"
    (tmp_path / "t.tex").write_text(document + body + r"\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=120
    )
    assert len(texts) > 15
    assert "Overfull" not in done.stdout
    assert "too large for page" not in done.stdout
