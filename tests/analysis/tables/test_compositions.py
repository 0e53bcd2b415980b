import io

from rich.console import Console

from analysis.grid import arrange
from analysis.metrics import rank_by
from analysis.notation import PAPER_ROWS
from analysis.tables import (
    best_table,
    composition_tables,
    to_console,
    to_csv,
    to_latex,
    to_markdown,
)
from tests.analysis.conftest import Make


def test_table_5_has_the_study_s_rows_and_shows_what_has_not_run(make_study: Make) -> None:
    study = make_study()
    study.add("T+CJ+S", "contrastive", median=3.0)
    study.add("Ro", "contrastive", status="failed")
    study.plan.append({"trial": "later", "objective": "relative", "composition": "T"})
    table = composition_tables(study.grid())[-1]
    assert [row[0].text for row in table.rows] == list(PAPER_ROWS)
    rows = {row[0].text: [entry.text for entry in row] for row in table.rows}
    groups = ["Relative (standardised targets)"] * 6 + ["Contrastive"] * 6
    assert [c.group for c in table.columns[1:]] == groups
    assert rows["T+CJ+S"][1:] == [
        "not run", "not run", "not run", "56.50", "not run", "23.39",
        "1.20†", "0.45†", "4.50†", "26.16", "3.00†", "12.05",
    ]  # fmt: skip
    assert rows["Ro"][7] == "failed"
    for words in ("512 images", "60 validation images", "1 seed", "one seed only", "FreiHAND"):
        assert words in table.caption


def test_table_1_names_the_best_of_each_objective_beside_the_published(make_study: Make) -> None:
    study = make_study()
    study.add_grid(repeats=2, spread=0.01)
    table = best_table(study.grid())
    rows = [[entry.text for entry in row] for row in table.rows]
    assert [row[1] for row in rows] == ["T+CJ+S", "T+CJ+S"]
    assert [row[6] for row in rows] == ["15 of 15", "15 of 15"]
    assert [row[7:] for row in rows] == [["T+S", "64.11", "23.31"], ["T+CJ+S", "26.16", "12.05"]]


def test_a_mixed_or_new_objective_is_a_further_column_without_published_numbers(
    make_study: Make,
) -> None:
    study = make_study()
    study.add("T", "contrastive")
    study.add("rotate:relative+translate:contrastive", "mixed", median=5.0,
              config={"objective": {"name": "mixed", "mixture": "shared"}})  # fmt: skip
    plain, table = composition_tables(study.grid())
    assert [column.group for column in table.columns[-4:]] == ["Mixed (shared)"] * 4
    assert [[entry.text for entry in row] for row in table.rows] == [
        ["T:c+Ro:r", "2.00†", "0.75†", "7.50†", "5.00†"]
    ]
    assert "Published" not in table.caption
    assert [row[0].text for row in plain.rows] == list(PAPER_ROWS)
    # Its assignments are none of the study's 15.
    assert [row[6].text for row in best_table(study.grid()).rows] == ["1 of 15", "1"]


UV = {"uv_median_pct": 4.25, "uv_pck_10pct": 0.875}


def test_tables_1_and_5_have_four_errors_and_bold_the_one_that_ranks(make_study: Make) -> None:
    study = make_study()
    study.add("T", "contrastive", median=10.0, metrics=UV)
    study.add("S", "contrastive", median=20.0)  # an older record without 2D errors
    grid = arrange(rank_by([study.read()], "uv_median_pct"))
    (table,) = composition_tables(grid)
    rows = {row[0].text: row[1:] for row in table.rows}
    # Relative, which is not run, is no column; so contrastive alone.
    assert [column.heading for column in table.columns[1:]] == [
        "RA median PJE (cm) ↓", "PA median PJE (cm) ↓", "2D median (%) ↓", "PCK@10 % ↑",
        "MPJE (cm) ↓", "MPJE, published (cm)", "median PJE (cm) ↓", "median PJE, published (cm)",
    ]  # fmt: skip
    assert [entry.text for entry in rows["T"]] == [
        "4.00†", "1.50†", "4.25†", "0.875†", "15.00†", "52.38", "10.00†", "21.02",
    ]  # fmt: skip
    assert [entry.text for entry in rows["S"]][2:4] == ["not recorded"] * 2
    assert [i for i, entry in enumerate(rows["T"]) if entry.best] == [2]
    assert "Ranked by the 2D median error." in table.caption
    (best,) = best_table(grid).rows
    assert [entry.text for entry in best[1:8]] == [
        "T", "4.00†", "1.50†", "4.25†", "0.875†", "15.00†", "10.00†",
    ]  # fmt: skip
    for write in (to_csv, to_markdown, to_latex):
        assert "0.875" in write(table)
        assert "4.25" in write(best_table(grid))


def test_the_console_continues_a_wide_group_of_errors_below(make_study: Make) -> None:
    study = make_study()
    for repeat in range(2):
        study.add("T", "contrastive", median=10.0 + repeat, repeat=repeat, metrics=UV)
    (table,) = composition_tables(study.grid())
    console = Console(width=60, record=True, file=io.StringIO())
    for part in to_console(table, console.width):
        console.print(part)
    text = console.export_text()
    assert "…" not in text
    for value in ("4.20 ± 0.28", "0.875 ± 0.000", "52.38", "10.50 ± 0.71", "21.02"):
        assert value in text


def test_a_metric_beside_the_four_errors_that_ranks_is_a_further_column(make_study: Make) -> None:
    study = make_study()
    study.add("T", "contrastive", median=10.0)
    table = best_table(arrange(rank_by([study.read()], "ra_mpjpe_cm")))
    assert [(c.group, c.heading) for c in table.columns][6] == ("Ranked by", "RA MPJE (cm) ↓")
    assert table.rows[0][6].text == "5.00†"
