import csv
import dataclasses
import io
import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from analysis import RecordsError
from analysis.statistics import summarise
from analysis.tables import (
    Column,
    Entry,
    Section,
    Table,
    to_console,
    to_csv,
    to_latex,
    to_markdown,
)
from analysis.tables.model import number, p_value, result, signed, span


@pytest.fixture
def table() -> Table:
    repeated, single = summarise([1.0, 3.0]), summarise([5.0])
    return Table(
        key="demo",
        title="A_title & more",
        columns=(
            Column(name="Name", numeric=False),
            Column(name="error", group="Ours", unit="cm", better="↓"),
            Column(name="error", group="Published", unit="cm"),
        ),
        sections=(
            Section(title="First half", rows=(
                (Entry(text="a|b"), result(repeated, "finished", best=True), number(4.5)),
            )),
            Section(title="Second half", rows=(
                (Entry(text="100%"), result(single, "finished"), number(None)),
                (Entry(text="x"), result(None, "failed"), number(2.25)),
            )),
        ),
        caption="n = 3 ± τ",
    )  # fmt: skip


def test_markdown_has_groups_bold_marks_and_escapes(table: Table) -> None:
    text = to_markdown(table)
    assert "| Name | Ours: error (cm) ↓ | Published: error (cm) |" in text
    assert "| a\\|b | **2.00 ± 1.41** | 4.50 |" in text
    assert "| 100% | 5.00† | – |" in text
    assert "| *Second half* | | |" in text
    assert text.rstrip().endswith("n = 3 ± τ")


def test_csv_reads_back_with_full_numbers_deviations_and_seeds(table: Table) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert float(rows[0]["Ours: error [cm]"]) == 2.0
    assert float(rows[0]["Ours: error [cm] sd"]) == pytest.approx(2**0.5)
    assert rows[0]["Ours: error [cm] seeds"] == "2"
    assert rows[1]["Ours: error [cm] sd"] == ""
    assert rows[2]["Ours: error [cm]"] == "failed"
    assert [row["section"] for row in rows] == ["First half", "Second half", "Second half"]


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


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not on this machine")
def test_latex_compiles(table: Table, tmp_path: Path) -> None:
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}"
    long = dataclasses.replace(table, key="long", sections=table.sections * 30)
    text = to_latex(table) + to_latex(long, width=20)
    (tmp_path / "t.tex").write_text(document + text + r"\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)


def test_console_splits_a_table_that_is_too_wide_by_its_groups(table: Table) -> None:
    assert len(to_console(table, width=200)) == 1
    parts = to_console(table, width=20)
    assert len(parts) == 2
    console = Console(width=60, record=True, file=io.StringIO())
    for part in parts:
        console.print(part)
    shown = console.export_text()
    assert "2.00 ± 1.41" in shown
    assert "n = 3 ± τ" in shown


def test_entries_say_what_is_absent_and_mark_one_seed() -> None:
    assert result(None, "not run").text == "not run"
    assert result(summarise([2.0]), "finished").text == "2.00†"
    assert (signed(-1.5).text, signed(None).text) == ("−1.50", "n/a")
    assert (p_value(0.0004).text, p_value(0.25).text, p_value(None).text) == (
        "<0.001", "0.250", "n/a",
    )  # fmt: skip
    assert span(None).absent


def test_a_row_of_the_wrong_length_is_refused(table: Table) -> None:
    with pytest.raises(RecordsError, match="must have 1 entries"):
        Table(key="k", title="t", columns=(Column(name="a"),), sections=table.sections, caption="")
