from pathlib import Path

import pytest

from analysis import read_study
from analysis.fidelity import agreement_table, errors_table, main
from analysis.notation import PAPER_ROWS
from tests.analysis.conftest import Make, planted_median


@pytest.fixture
def folders(make_study: Make) -> list[str]:
    """A study, one that keeps its order with two seeds, one that turns it round."""
    cheap, dear, other = (make_study(name) for name in ("cheap", "dear", "other"))
    for row in PAPER_ROWS[:8]:
        truth = planted_median(row, "contrastive")
        cheap.add(row, median=truth)
        for repeat, offset in enumerate((-0.1, 0.1)):
            dear.add(row, median=truth / 2 + offset, repeat=repeat)
        other.add(row, median=50 - truth)
    other.add("T+S", median=1.0)  # which the others have not run
    for study in (cheap, dear, other):
        study.write_study()
    return [str(study.folder) for study in (cheap, dear, other)]


def test_rankings_agree_over_the_rows_that_two_studies_share(folders: list[str]) -> None:
    table = agreement_table([read_study(folder) for folder in folders])
    shown = [[entry.text for entry in row[:4]] for row in table.rows]
    assert shown == [
        ["cheap", "dear", "8", "1.00"],
        ["cheap", "other", "8", "-1.00"],
        ["dear", "other", "8", "-1.00"],
    ]
    assert [row[6].text for row in table.rows] == ["1.00", "-1.00", "-1.00"]


def test_every_row_stands_with_its_errors_at_every_fidelity(folders: list[str]) -> None:
    table = errors_table([read_study(folder) for folder in folders])
    rows = {row[1].text: [entry.text for entry in row[2:]] for row in table.rows}
    truth = planted_median("T", "contrastive")
    assert rows["T"] == [f"{truth:.2f}†", f"{truth / 2:.2f} ± 0.14", f"{50 - truth:.2f}†"]
    assert rows["T+S"] == ["–", "–", "1.00†"]
    assert len(rows) == 9


def test_a_row_with_several_settings_speaks_through_the_best(make_study: Make) -> None:
    study = make_study()
    for rate, median in ((1e-3, 30.0), (1e-2, 20.0)):
        study.add("T", median=median, config={"optimizer": {"base_lr": rate}})
    table = errors_table([study.read()])
    assert [row[2].text for row in table.rows] == ["20.00†"]


def test_the_command_writes_both_tables(folders: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([*folders, "--out", str(out)]) == 0
    assert "dear" in (out / "fidelity_errors.csv").read_text()
    assert "Spearman" in (out / "fidelity_agreement.md").read_text()


def test_one_study_or_none_is_refused(
    folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(folders[:1]) == 2
    assert "study takes at least two" in capsys.readouterr().err
    assert main([folders[0], "nowhere"]) == 2
