"""Baselines beside the compositions: rows of tables 1 and 5, lines in the bars, or a note."""

from pathlib import Path

import numpy as np
import pytest

from analysis.baselines import baselines, best_of_kinds
from analysis.compact import write_compact
from analysis.figures import composition_drawings
from analysis.grid import arrange
from analysis.metrics import rank_by
from analysis.reading import read_study
from analysis.records import Study
from analysis.tables import Table, best_table, composition_tables, to_csv, to_latex, to_markdown
from tests.analysis.conftest import Make, StudyMaker

METRICS = {"median_pje_cm": 8.0, "ra_median_pje_cm": 6.0, "uv_pck_10pct": 0.5}


def compared(make_study: Make, name: str = "embedded") -> StudyMaker:
    study = make_study(name)
    study.add("T", "contrastive", median=10.0)
    study.add("T", "relative", median=20.0)
    study.add_baselines(METRICS)
    return study


def texts(table: Table) -> dict[str, list[str]]:
    return {" ".join(e.text for e in row[:1]): [e.text for e in row[1:]] for row in table.rows}


def test_table_5_ends_with_each_image_blind_answer_and_random_weights(make_study: Make) -> None:
    (table,) = composition_tables(compared(make_study).grid())
    rows = texts(table)
    assert [*rows][-5:] == [
        "Image-blind: camera mean", "Image-blind: crop mean", "Image-blind: crop depth",
        "Image-blind: medoid", "Random weights",
    ]  # fmt: skip
    # RA, PA, PCK, MPJE and median of relative, with the published; then of contrastive.
    heads = [column.heading for column in table.columns[1:8]]
    assert heads[2] == "PCK@10 % ↑"
    absent = "not recorded"
    assert rows["Image-blind: crop depth"] == [
        "6.00", absent, "0.500", absent, "–", "8.00", "–",
    ] * 2  # fmt: skip
    # The mean of 3, 4 and 5, and their standard deviation.
    assert rows["Random weights"][0] == "4.00 ± 1.00"
    assert rows["Random weights"][5] == "5.00 ± 1.00"
    assert "crop depth, the mean pose at the depth that the crop's side implies" in table.caption
    assert "has no records" not in table.caption
    for write in (to_csv, to_markdown, to_latex):
        assert "Image-blind: medoid" in write(table)


def test_table_1_ends_with_them_too_without_published_numbers(make_study: Make) -> None:
    table = best_table(compared(make_study).grid())
    last = [[entry.text for entry in row] for row in table.rows[-5:]]
    assert [row[:2] for row in last][2:] == [
        ["Image-blind: crop depth", "–"], ["Image-blind: medoid", "–"], ["Random weights", "–"],
    ]  # fmt: skip
    assert [row[-4:] for row in last] == [["–"] * 4] * 5
    assert not any(entry.best for row in table.rows for entry in row)


def test_each_study_has_its_baselines(make_study: Make) -> None:
    one, two = compared(make_study, "one"), make_study("two")
    two.add("T", "contrastive", median=10.0)
    grid = arrange([one.read(), two.read()])
    (table,) = composition_tables(grid)
    row = texts(table)["Image-blind: crop depth"]
    assert [row[0], row[14]] == ["6.00", "not recorded"]
    words = "two has no records of image-blind answers and random weights"
    assert words in table.caption
    assert "one has no records" not in table.caption
    assert "Image-blind: medoid · one" in texts(best_table(grid))


def test_a_study_without_baselines_says_so(make_study: Make) -> None:
    study = make_study()
    study.add("T", "contrastive")
    grid = study.grid()
    (table,) = composition_tables(grid)
    for caption in (table.caption, best_table(grid).caption):
        assert "embedded has no records of image-blind answers and random weights" in caption
    assert len(table.rows) == 15
    (drawing,) = composition_drawings(grid)
    assert "No baselines are recorded." in drawing.caption


def best(study: Study) -> list[tuple[str, float]]:
    return [(item.title, value) for item, value in best_of_kinds(study)]


def test_the_bars_have_a_labelled_line_for_the_best_of_each_kind(make_study: Make) -> None:
    maker = compared(make_study)
    (study,) = rank_by([maker.read()], "ra_median_pje_cm")
    expected = [("Image-blind: crop depth", 6.0), ("Random weights", 4.0)]
    assert best(study) == expected
    for drawing in composition_drawings(arrange([study])):
        axes = drawing.figure.axes[0]
        drawn = {text.get_text() for text in axes.texts}
        lines = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert [np.asarray(line.get_xdata(), float).mean() for line in lines] == [6.0, 4.0]
        assert axes.get_xlim()[1] > 6.0
        for title, value in expected:
            assert f"{title}, {value:.2f} cm" in drawn
            assert f"{title}: {value:.2f} cm." in drawing.alt
    assert best(rank_by([study], "median_pje_cm")[0])[0] == ("Image-blind: crop depth", 8.0)


def test_baselines_survive_the_compact_form_and_are_no_trials(
    make_study: Make, tmp_path: Path
) -> None:
    study = compared(make_study).read()
    write_compact(study, tmp_path / "compact")
    compact = read_study(str(tmp_path / "compact"))
    assert len(compact.records) == len(study.records) == 2
    titles = [item.title for item in baselines(study)]
    assert [item.title for item in baselines(compact)] == titles
    assert best(compact) == best(study)
    assert not compact.problems


@pytest.mark.parametrize("content", ["{", '{"schema": 2, "status": "finished"}'])
def test_a_broken_baseline_is_named_and_left_out(make_study: Make, content: str) -> None:
    maker = compared(make_study)
    path = maker.folder / "baselines" / "image_blind-medoid" / "record.json"
    path.write_text(content)
    study = maker.read()
    assert [problem.file for problem in study.problems] == [
        "baselines/image_blind-medoid/record.json"
    ]
    assert len(baselines(study)) == 4
