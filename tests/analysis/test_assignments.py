"""A study of assignments beside one of compositions: neither fills the other's rows."""

from pathlib import Path

from analysis.compilation import Report, compile_study
from tests.analysis.conftest import Make, StudyMaker

MIXED = {"objective": {"name": "mixed", "mixture": "shared"}}


def compiled(study: StudyMaker, out: Path, *objectives: str) -> Report:
    for objective in objectives:
        labels = ("T", "T+S") if objective == "contrastive" else ("rotate:contrastive",)
        for label in labels:
            study.add(label, objective, config=MIXED if objective == "mixed" else {})
    study.plan.clear()
    study.write_study()
    return compile_study(study.folder, out)


def test_assignments_have_a_table_of_their_own_and_no_part_in_figure_3(
    make_study: Make, tmp_path: Path
) -> None:
    report = compiled(make_study(), tmp_path, "contrastive", "mixed")
    rows = [row[0].text for row in report.table("assignments").rows]
    assert rows == ["Ro:c"]
    singles = report.table("figure3_single")
    assert not [row for row in singles.rows if ":" in row[0].text]
    assert {column.group for column in singles.columns[1:]} == {"Contrastive"}
    said = " ".join(next(own.sentences for own in report.chapters if own.key == "best"))
    assert "2 of 15 compositions are finished" in said
    assert said.count("compositions are finished") == 1


def test_a_study_of_assignments_alone_has_neither_table_5_nor_figure_3(
    make_study: Make, tmp_path: Path
) -> None:
    report = compiled(make_study(), tmp_path, "mixed")
    written = {path.stem for path in report.files}
    assert "assignments" in written
    assert not written & {"table5_compositions", "figure3_single"}


def test_a_sampled_study_is_not_said_to_have_planned_nothing(
    make_study: Make, tmp_path: Path
) -> None:
    report = compiled(make_study(), tmp_path, "mixed")
    line = (report.folder / "tables" / "coverage.md").read_text()
    assert "1 records" in line
    assert "planned" not in line
