"""Which rows a figure of compositions has."""

from collections.abc import Callable

from analysis.figures.compositions import composition_drawings
from analysis.grid import arrange
from analysis.notation import STUDY_ROWS
from analysis.reading import read_studies
from tests.analysis.conftest import StudyMaker


def test_assignments_stand_without_the_study_s_rows_and_those_without_them(
    make_study: Callable[..., StudyMaker],
) -> None:
    study = make_study()
    study.add("T", "contrastive")
    for label in ("rotate:relative+translate:contrastive", "rotate:relative+scale:relative"):
        study.add(label, "mixed", config={"objective": {"name": "mixed", "mixture": "shared"}})
    study.write_study()
    grid = arrange(read_studies([str(study.folder)]))
    rows = {
        column.variant: [text.get_text() for text in drawing.figure.axes[0].get_yticklabels()]
        for column, drawing in zip(grid.columns, composition_drawings(grid), strict=True)
    }
    contrastive, mixed = rows.values()
    assert contrastive == list(STUDY_ROWS)
    assert sorted(mixed) == ["S:r+Ro:r", "T:c+Ro:r"]
