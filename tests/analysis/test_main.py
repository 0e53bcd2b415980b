from pathlib import Path

import pytest

from analysis.__main__ import main
from tests.analysis.conftest import Make, StudyMaker


def test_main_prints_the_best_compositions_and_the_paths(
    make_study: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    study = make_study()
    study.add("T")
    study.add("T+CJ+S")
    study.write_study()
    assert main([str(study.folder)]) == 0
    out = capsys.readouterr().out
    assert "T+CJ+S" in out
    assert "report.html" in out
    for name in ("table1_best", "table5_compositions"):
        for suffix in ("md", "csv", "tex"):
            assert (study.folder / "analysis" / "tables" / f"{name}.{suffix}").stat().st_size > 0
    for suffix in ("svg", "png", "pdf"):
        figures = study.folder / "analysis" / "figures"
        assert list(figures.glob(f"compositions_*contrastive.{suffix}"))


def test_main_writes_where_it_is_told(make_study: Make, tmp_path: Path) -> None:
    study = make_study()
    study.add("T+S")
    study.write_study()
    assert main([str(study.folder), "--out", str(tmp_path / "elsewhere")]) == 0
    assert (tmp_path / "elsewhere" / "report.html").exists()
    assert not (study.folder / "analysis").exists()


@pytest.mark.parametrize("case", ["missing", "file", "empty", "out is a file"])
def test_main_refuses_in_one_line_with_status_2(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "study"
    arguments = [str(target)]
    if case == "file":
        target.write_text("x")
    elif case != "missing":
        target.mkdir()
    if case == "out is a file":
        maker = StudyMaker(folder=target)
        maker.add("T")
        maker.write_study()
        (tmp_path / "blocked").write_text("x")
        arguments += ["--out", str(tmp_path / "blocked")]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
