"""Which rows a figure of compositions has."""

from analysis.figures.bars import composition_drawings
from analysis.notation import PAPER_ROWS
from tests.analysis.conftest import Make


def test_assignments_stand_without_the_study_s_rows_and_those_without_them(
    make_study: Make,
) -> None:
    study = make_study()
    study.add("T", "contrastive")
    for label in ("rotate:relative+translate:contrastive", "rotate:relative+scale:relative"):
        study.add(label, "mixed", config={"objective": {"name": "mixed", "mixture": "shared"}})
    grid = study.grid()
    rows = {
        column.variant: [text.get_text() for text in drawing.figure.axes[0].get_yticklabels()]
        for column, drawing in zip(grid.columns, composition_drawings(grid), strict=True)
    }
    contrastive, mixed = rows.values()
    assert contrastive == list(PAPER_ROWS)
    assert sorted(mixed) == ["S:r+Ro:r", "T:c+Ro:r"]
