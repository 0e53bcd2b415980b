import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from analysis import read_studies, read_study
from handssl.errors import DataError
from tests.analysis.conftest import Make, StudyMaker


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / "record.json"
    record = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in record.items() if value != "gone"}))


def test_every_kind_of_damage_is_reported_by_file_and_the_rest_is_read(make_study: Make) -> None:
    study = make_study()
    study.add("T")
    damaged = {name: study.add("S", repeat=i) for i, name in enumerate(
        ("half", "empty", "list", "future", "no status", "no objective", "odd status")
    )}  # fmt: skip
    (damaged["half"] / "record.json").write_text('{"schema": 1, "trial": "t0')
    (damaged["empty"] / "record.json").write_text("")
    (damaged["list"] / "record.json").write_text("[1, 2]")
    rewrite(damaged["future"], schema=3)
    rewrite(damaged["no status"], status="gone")
    rewrite(damaged["no objective"], objective="gone")
    rewrite(damaged["odd status"], status="running")
    study.write_study()

    read = read_study(str(study.folder))

    assert [record.label for record in read.records] == ["T"]
    reasons = {problem.file.split("/")[1]: problem.what for problem in read.problems}
    expected = {
        "half": "is not complete JSON", "empty": "is empty", "list": "holds a list",
        "future": "schema=3", "no status": "has no status", "no objective": "has no objective",
        "odd status": "status='running'",
    }  # fmt: skip
    for name, words in expected.items():
        assert words in reasons[damaged[name].name], name


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, -5.0])
def test_a_metric_that_is_no_finite_number_or_no_distance_is_left_out_and_reported(
    make_study: Make, value: object
) -> None:
    study = make_study()
    trial = study.add("T", metrics={"rankme": 31.5})
    record = json.loads((trial / "record.json").read_text())
    record["metrics"]["median_pje_cm"] = value
    rewrite(trial, metrics=record["metrics"])
    study.write_study()
    read = read_study(str(study.folder))
    assert "median_pje_cm" not in read.records[0].metrics
    assert read.records[0].metrics["rankme"] == 31.5
    assert "metrics.median_pje_cm" in read.problems[0].what


def test_a_duplicate_counts_once_and_a_finished_run_wins_over_a_failed_one(
    make_study: Make,
) -> None:
    study = make_study()
    study.add("T", status="failed")
    study.add("T")
    study.add("T", repeat=1)
    study.write_study()
    read = read_study(str(study.folder))
    assert [(r.status, r.repeat) for r in read.records] == [("finished", 0), ("finished", 1)]
    assert [problem.file for problem in read.problems] == ["trials/t00000/record.json"]


def test_a_running_study_says_what_is_missing(make_study: Make) -> None:
    study = make_study()
    study.add("T")
    running = study.add("S")
    (running / "record.json").unlink()
    study.plan.append({"trial": "t9", "objective": "relative", "composition": "T+S"})
    study.write_study()
    read = read_study(str(study.folder))
    assert read.unfinished == (running.name,)
    assert [item["trial"] for item in read.missing] == ["t9"]
    assert read.problems == ()


def test_a_study_without_its_description_is_read_all_the_same(make_study: Make) -> None:
    study = make_study()
    study.add("T")
    for content in (None, "{", '{"schema": 99}'):
        if content is not None:
            (study.folder / "study.json").write_text(content)
        read = read_study(str(study.folder))
        assert read.name == "embedded"
        assert len(read.records) == 1
        assert [problem.file for problem in read.problems] == ["study.json"]


def test_a_missing_or_empty_folder_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"existing folder.*study\.json"):
        read_study(str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"must hold study\.json"):
        read_study(str(tmp_path))


def test_a_folder_given_twice_is_read_once_and_equal_names_are_told_apart(
    make_study: Make, tmp_path: Path
) -> None:
    one = make_study()
    one.add("T")
    one.write_study()
    other = StudyMaker(folder=tmp_path / "copy")
    other.add("T")
    other.write_study()
    studies = read_studies([str(one.folder), str(one.folder) + "/", str(other.folder)])
    assert len(studies) == 2
    assert studies[0].name == "embedded"
    assert studies[1].name.startswith("embedded (")


def test_a_pyarrow_uri_reads_the_same_as_a_path(make_study: Make) -> None:
    study = make_study()
    study.add_grid(("contrastive",))
    study.write_study()
    assert read_study(study.folder.as_uri()).records == read_study(str(study.folder)).records


def test_a_study_in_an_s3_bucket_reads_the_same_as_a_path(
    make_study: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study()
    study.add_grid(("contrastive",))
    study.write_study()
    (study.add("T+S", "relative") / "record.json").write_text('{"schema": 1, "trial": "t0')
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        bucket = pafs.S3FileSystem(
            endpoint_override=f"{host}:{port}",
            scheme="http",
            region="us-east-1",
            allow_bucket_creation=True,
        )
        bucket.create_dir("bucket")
        pafs.copy_files(
            str(study.folder), "bucket/results/embedded", destination_filesystem=bucket
        )
        query = f"endpoint_override={host}:{port}&scheme=http&region=us-east-1"
        read = read_study(f"s3://bucket/results/embedded?{query}")
        with pytest.raises(DataError, match="must be an existing folder of results"):
            read_study(f"s3://bucket/results/other?{query}")
    finally:
        server.stop()
    here = read_study(str(study.folder))
    assert read.records == here.records
    assert read.name == "embedded"
    assert [(problem.file, problem.what) for problem in read.problems] == [
        (problem.file, problem.what) for problem in here.problems
    ]
    assert len(read.problems) == 1


def flat(value: dict[str, object], prefix: str = "") -> dict[str, object]:
    row: dict[str, object] = {}
    for key, item in value.items():
        if isinstance(item, dict):
            row |= flat(item, f"{prefix}{key}.")
        else:
            row[prefix + key] = json.dumps(item) if isinstance(item, list) else item
    return row


def test_a_study_without_trial_folders_is_read_from_its_compiled_table(make_study: Make) -> None:
    study = make_study()
    study.add("T", metrics={"equivariance/rotate": 0.5})
    study.add("S", "relative", status="failed")
    study.write_study()
    whole = read_study(str(study.folder))
    rows = [flat(json.loads((study.folder / record.file).read_text())) for record in whole.records]
    keys = sorted({key for row in rows for key in row})
    table = pa.table({key: pa.array([row.get(key) for row in rows]) for key in keys})
    pq.write_table(table, study.folder / "trials.parquet")
    shutil.rmtree(study.folder / "trials")

    compact = read_study(str(study.folder))

    assert compact.problems == ()
    assert compact.missing == ()
    for ours, theirs in zip(compact.records, whole.records, strict=True):
        assert replace(ours, file=theirs.file, setting=theirs.setting) == theirs

    (study.folder / "trials.parquet").write_bytes(b"PAR1 cut short")
    assert [p.file for p in read_study(str(study.folder)).problems] == ["trials.parquet"]
