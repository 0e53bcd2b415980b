from analysis.grid import Grid
from analysis.notation import PAPER_ROWS
from analysis.tables import best_table, composition_tables
from tests.analysis.conftest import Make, StudyMaker


def arranged(study: StudyMaker) -> Grid:
    return study.grid()


def test_table_5_has_the_study_s_rows_and_shows_what_has_not_run(make_study: Make) -> None:
    study = make_study()
    study.add("T+CJ+S", "contrastive", median=3.0)
    study.add("Ro", "contrastive", status="failed")
    study.plan.append({"trial": "later", "objective": "relative", "composition": "T"})
    table = composition_tables(arranged(study))[-1]
    assert [row[0].text for row in table.rows] == list(PAPER_ROWS)
    rows = {row[0].text: [entry.text for entry in row] for row in table.rows}
    groups = ["Relative (standardised targets)"] * 4 + ["Contrastive"] * 4
    assert [c.group for c in table.columns[1:]] == groups
    assert rows["T+CJ+S"][1:] == [
        "not run", "56.50", "not run", "23.39", "4.50†", "26.16", "3.00†", "12.05",
    ]  # fmt: skip
    assert rows["Ro"][5] == "failed"
    for words in ("512 images", "60 validation images", "1 seed", "one seed only", "FreiHAND"):
        assert words in table.caption


def test_table_1_names_the_best_of_each_objective_beside_the_published(make_study: Make) -> None:
    study = make_study()
    study.add_grid(repeats=2, spread=0.01)
    table = best_table(arranged(study))
    rows = [[entry.text for entry in row] for row in table.rows]
    assert [row[1] for row in rows] == ["T+CJ+S", "T+CJ+S"]
    assert [row[4] for row in rows] == ["15 of 15", "15 of 15"]
    assert [row[5:] for row in rows] == [["T+S", "64.11", "23.31"], ["T+CJ+S", "26.16", "12.05"]]


def test_a_mixed_or_new_objective_is_a_further_column_without_published_numbers(
    make_study: Make,
) -> None:
    study = make_study()
    study.add("T", "contrastive")
    study.add("rotate:relative+translate:contrastive", "mixed", median=5.0,
              config={"objective": {"name": "mixed", "mixture": "shared"}})  # fmt: skip
    plain, table = composition_tables(arranged(study))
    assert [column.group for column in table.columns[-2:]] == ["Mixed (shared)"] * 2
    assert [[entry.text for entry in row] for row in table.rows] == [
        ["T:c+Ro:r", "7.50†", "5.00†"]
    ]
    assert "Published" not in table.caption
    assert [row[0].text for row in plain.rows] == list(PAPER_ROWS)
    # Its assignments are none of the study's 15.
    assert [row[4].text for row in best_table(arranged(study)).rows] == ["1 of 15", "1"]
