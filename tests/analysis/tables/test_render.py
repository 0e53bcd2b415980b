import csv
import io

import pytest
from rich.console import Console

from analysis.statistics import Interval, summarise
from analysis.tables import (
    Column,
    Section,
    Table,
    to_console,
    to_csv,
    to_markdown,
)
from analysis.tables.model import p_value, result, signed, span
from handssl.errors import ConfigError


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


def test_csv_holds_both_ends_of_a_range() -> None:
    ranges = (span(Interval(low=-1.25, high=0.5)), span(None))
    table = Table(
        key="k",
        title="t",
        columns=(Column(name="95% interval", unit="cm"),),
        sections=(Section(rows=tuple((entry,) for entry in ranges)),),
        caption="",
    )
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert rows == [
        {"95% interval [cm] low": "-1.25", "95% interval [cm] high": "0.5"},
        {"95% interval [cm] low": "n/a", "95% interval [cm] high": ""},
    ]


def test_console_splits_a_table_that_is_too_wide_by_its_groups(table: Table) -> None:
    assert len(to_console(table, width=200)) == 1
    parts = to_console(table, width=20)
    assert len(parts) == 2
    assert parts[0].row_count - parts[1].row_count == 1  # nothing is published of "100%"
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
    with pytest.raises(ConfigError, match="must have 1 entries"):
        Table(key="k", title="t", columns=(Column(name="a"),), sections=table.sections, caption="")
