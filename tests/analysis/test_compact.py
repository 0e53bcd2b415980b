import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from analysis import read_studies, read_study
from analysis.__main__ import main
from analysis.chapters import chapters
from analysis.compact import local_paths, write_compact
from analysis.grid import arrange
from analysis.joint_errors import JointErrors
from analysis.lowshot import low_shot
from analysis.statistics import interval
from analysis.uncertainty import estimate
from tests.analysis.conftest import Make, StudyMaker


def compacted(study: StudyMaker, folder: Path) -> Path:
    study.write_study()
    write_compact(read_study(str(study.folder)), folder)
    return folder


def test_the_compact_form_holds_the_same_records(make_study: Make, tmp_path: Path) -> None:
    study = make_study()
    config = {"diagnostics": {"augmentations": ["translate", "scale"]}, "warmup": 1}
    study.add("T", metrics={"equivariance/rotate": 0.5}, config=config)
    study.add("S", "relative", status="failed", config={**config, "warmup": 0.5})
    study.add("T+S", "relative", status="pruned", config={**config, "warmup": "none"})
    whole = read_study(str(compacted(study, tmp_path / "compact").parent / "results/embedded"))
    compact = read_study(str(tmp_path / "compact"))
    assert compact.problems == ()
    assert compact.missing == ()
    assert compact.description == whole.description
    for ours, theirs in zip(compact.records, whole.records, strict=True):
        assert replace(ours, file=theirs.file) == theirs
    table = pq.read_table(tmp_path / "compact" / "trials.parquet")
    assert table["config.warmup"].to_pylist() == ["1", "0.5", "none"]  # no common type: text
    assert "error.message" in table.column_names
    assert "error.traceback" not in table.column_names
    assert "traceback" not in "".join(table["record"].to_pylist())


def older(folder: Path) -> Path:
    """The compact form without its records as JSON, as it was once written."""
    table = pq.read_table(folder / "trials.parquet").drop_columns(["record"])
    pq.write_table(table, folder / "trials.parquet", compression="zstd")
    return folder


def test_an_older_compact_form_is_read_and_stays_one(make_study: Make, tmp_path: Path) -> None:
    study = make_study()
    config = {"diagnostics": {"augmentations": ["translate", "scale"]}, "warmup": 1}
    study.add("T", metrics={"equivariance/rotate": 0.5}, config=config)
    study.add("S", "relative", status="failed", config={**config, "warmup": "none"})
    folder = older(compacted(study, tmp_path / "compact"))
    whole, compact = read_study(str(study.folder)), read_study(str(folder))
    assert compact.problems == ()
    assert compact.records[0].config["diagnostics"] == config["diagnostics"]
    for ours, theirs in zip(compact.records, whole.records, strict=True):
        same = replace(ours, file=theirs.file, setting=theirs.setting, config=theirs.config)
        assert same == theirs
    write_compact(compact, tmp_path / "again")
    assert pq.read_table(tmp_path / "again" / "trials.parquet").equals(
        pq.read_table(folder / "trials.parquet")
    )


def claims(folder: Path) -> list[str]:
    """What the report says of a study, sentence by sentence."""
    studies = read_studies([str(folder)])
    grid = arrange(studies)
    found = chapters(grid, estimate(grid), studies, low_shot(studies))
    return [sentence for chapter in found for sentence in chapter.sentences]


def test_the_claims_of_the_compact_form_are_those_of_the_whole(
    make_study: Make, tmp_path: Path
) -> None:
    study = make_study(evidence=True)
    study.add_grid(repeats=2, errors=True)
    study.add_baselines({"median_pje_cm": 300.0})
    folder = compacted(study, tmp_path / "compact")
    whole = claims(study.folder)
    shutil.rmtree(study.folder)
    published = claims(folder)
    assert len(whole) > 4
    assert any("wins" in sentence for sentence in whole)
    number = r"\d+\.\d+"
    for ours, theirs in zip(published, whole, strict=True):
        assert re.sub(number, "", ours) == re.sub(number, "", theirs)
        # An error of 60 cm in half precision is off by 0.03 at most, and is rounded when printed.
        assert [float(own) for own in re.findall(number, ours)] == pytest.approx(
            [float(own) for own in re.findall(number, theirs)], rel=5e-4, abs=0.0101
        )


def test_intervals_of_the_compact_form_are_those_of_the_whole_to_half_precision(
    make_study: Make, tmp_path: Path
) -> None:
    study = make_study(images_val=60)
    random = np.random.default_rng(1)
    for composition in ("T", "S"):
        errors = random.gamma(4.0, 3.0, size=(60, 21))
        errors[3, 5:] = np.nan
        errors[4, 0] = 1e6  # beyond half precision
        study.add(composition, errors=errors)
    study.add("CJ", status="failed")
    folder = compacted(study, tmp_path / "compact")
    draws = []
    for path in (study.folder, folder):
        read = read_study(str(path))
        grid = arrange([read])
        found = estimate(grid)
        assert found.problems == {read.name: ()}
        draws.append([found.of(grid.columns[0], label) for label in ("T", "S")])
        files = JointErrors(read)
        assert [files.of(record) is None for record in read.records] == [False, False, True]
        first = files.of(read.records[0])
        assert first is not None
        assert np.isnan(first.error_cm[3]).sum() == 16
        assert len(first.poses) == 30
    for whole, compact in zip(*draws, strict=True):
        assert whole is not None
        assert compact is not None
        assert compact.poses == whole.poses
        assert compact.median_cm == pytest.approx(whole.median_cm, rel=1e-3)
        assert not np.array_equal(compact.median_cm, whole.median_cm)
        assert compact.per_pose_cm == pytest.approx(whole.per_pose_cm, rel=1e-3)
        assert interval(compact.median_cm).low == pytest.approx(
            interval(whole.median_cm).low, rel=1e-3
        )


def test_an_error_takes_no_more_than_two_bytes(make_study: Make, tmp_path: Path) -> None:
    study = make_study(images_val=100)
    study.add_grid(("contrastive",), errors=True)
    folder = compacted(study, tmp_path / "compact")
    assert (folder / "errors.parquet").stat().st_size < 2 * 15 * 100 * 21


def test_a_compact_study_is_compacted_again_to_the_same(make_study: Make, tmp_path: Path) -> None:
    study = make_study()
    study.add_grid(("contrastive",), errors=True)
    once = compacted(study, tmp_path / "once")
    write_compact(read_study(str(once)), tmp_path / "twice")
    for path in sorted(once.iterdir()):
        assert (tmp_path / "twice" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_broken_error_table_is_reported_once_and_the_rest_is_analysed(
    make_study: Make, tmp_path: Path
) -> None:
    study = make_study()
    study.add_grid(("contrastive",), errors=True)
    folder = compacted(study, tmp_path / "compact")
    (folder / "errors.parquet").write_bytes(b"PAR1 cut short")
    study_read = read_study(str(folder))
    grid = arrange([study_read])
    found = estimate(grid)
    assert found.cells == {}
    assert [problem.file for problem in found.problems["embedded"]] == ["errors.parquet"]
    (folder / "errors.parquet").unlink()
    assert estimate(grid).problems["embedded"] == ()


def test_the_command_writes_the_compact_form_and_names_what_not_to_publish(
    make_study: Make,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study = make_study()
    study.add_grid(("contrastive",), errors=True)
    study.write_study(command="python search/run_grid.py data.root=/home/me/hands study.name=x")
    folder = tmp_path / "published"
    assert main([str(study.folder), "--compact", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "errors.parquet", "study.json", "trials.parquet",
    ]  # fmt: skip
    said = capsys.readouterr().out
    assert "command names /home/me/hands" in said
    assert f"python -m analysis {folder}" in said
    shutil.rmtree(study.folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.chdir(tmp_path)
    assert main([str(folder)]) == 0
    assert (tmp_path / "outputs" / "published" / "report.html").is_file()
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{study}", "{study}", "--compact", "x"], "--compact takes exactly one study, but got 2"),
        (["{study}", "--compact", "{study}"], "another folder than the study's"),
        (["{study}", "--compact", "{study}/study.json"], "can be written"),
        (["{empty}", "--compact", "x"], "at least one record"),
    ],
)
def test_what_cannot_be_compacted_is_refused(
    make_study: Make, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    study, empty = make_study(), make_study("empty")
    study.add("T")
    study.write_study()
    empty.write_study()
    places = {"study": str(study.folder), "empty": str(empty.folder)}
    assert main([argument.format(**places) for argument in arguments]) == 2
    assert words in capsys.readouterr().err.replace("\n", " ")


def test_the_folder_in_which_a_study_ran_is_not_published(
    make_study: Make, tmp_path: Path
) -> None:
    study = make_study()
    study.add("T")
    ran_in = "/data/of/somebody"
    study.write_study(
        command=f"python search/run_grid.py results={ran_in} study.name=x",
        config={"results": ran_in},
    )
    folder = tmp_path / "compact"
    write_compact(read_study(str(study.folder)), folder)
    assert ran_in not in (folder / "study.json").read_text()
    assert read_study(str(folder)).section("config")["results"] == "results"


def test_only_absolute_paths_of_a_machine_are_named(make_study: Make) -> None:
    study = make_study()
    study.add("T")
    config: dict[str, Any] = {"a": "data/raw", "b": "s3://bucket/x", "c": "24/7", "d": "/mnt/x/y"}
    study.write_study(command="python search/run_grid.py results=/scratch/me", config=config)
    found = [problem.what for problem in local_paths(read_study(str(study.folder)))]
    assert found == ["command names /scratch/me", "config.d names /mnt/x/y"]


def test_lists_come_back_as_lists_and_other_brackets_stay_text(
    make_study: Make, tmp_path: Path
) -> None:
    study = make_study()
    study.add("T", config={"list": [1, "a"], "text": "[not json]"})
    compact = read_study(str(compacted(study, tmp_path / "compact")))
    for form in (compact, read_study(str(older(tmp_path / "compact")))):
        assert json.dumps(form.records[0].config["list"]) == '[1, "a"]'
        assert form.records[0].config["text"] == "[not json]"
