import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import read_study
from analysis.compact import write_compact
from handssl import records
from handssl.errors import HandSSLError
from handssl.records.uri import join_uri
from search.storage import s3
from search.studies.recorded import read_recorded
from search.studies.replay import main
from search.trials.build_record import record_of
from search.trials.pretrain import PretrainTrial
from search.trials.trial import Job, Outcome

FIXTURE = Path(__file__).parents[2] / "fixtures" / "recorded"


@pytest.fixture
def study(job: Job, trial: PretrainTrial, tmp_path: Path) -> Path:
    """A study of five records, one of them failed, that were written without training."""
    folder = tmp_path / "results" / "mine"
    for number, name in enumerate(("a_r0", "a_r1", "b", "bb", "c")):
        trial = dataclasses.replace(trial, id=name, hash=name, seed=number)
        failed = name == "c"
        record = record_of(
            dataclasses.replace(job, trial=trial, context={"data": {"fingerprint": "f"}}),
            "failed" if failed else "finished",
            [],
            outcome=Outcome(
                metrics={} if failed else {"median_pje_cm": 0.1 + number, "rankme": 1 / 3}
            ),
            error="ValueError: no" if failed else None,
        )
        records.write_json(folder / "trials" / name / "record.json", record.to_dict())
    records.write_json(folder / "study.json", {"schema": records.SCHEMA, "name": "mine"})
    return folder


@pytest.fixture
def compact(study: Path, tmp_path: Path) -> Path:
    write_compact(read_study(str(study)), tmp_path / "docs" / "study")
    return tmp_path / "docs" / "study"


def test_the_compact_form_holds_every_record_as_it_was_written(study: Path, compact: Path) -> None:
    whole, published = read_recorded(str(study)), read_recorded(f"{compact}/")
    assert published.description == whole.description
    assert published.records == whole.records
    error = published.records["c"].error
    assert error is not None
    assert error.traceback is None


def test_the_sample_of_a_study_is_that_of_its_compact_form(study: Path, compact: Path) -> None:
    drawn = [
        [record.trial for record in read_recorded(str(place)).sampled(3, seed=seed)]
        for place in (study, compact)
        for seed in range(9)
    ]
    assert drawn[:9] == drawn[9:]
    assert len({tuple(names) for names in drawn}) > 1
    assert all(len(set(names)) == 3 and "c" not in names for names in drawn)


@pytest.mark.parametrize(("given", "name"), [("a_r1", "a_r1"), ("b", "b"), ("bb", "bb")])
def test_a_trial_goes_by_its_name_or_by_how_it_begins(
    compact: Path, given: str, name: str
) -> None:
    assert read_recorded(str(compact)).named(given).trial == name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "of the 5 records"),
        (("--trial", "a"), "2 of .* begin with: a_r0, a_r1"),
        (("--trial", "x"), "one of the 5"),
        (("--trial", "c"), "status=failed"),
        (("--sample", "5"), "between 1 and the 4 finished"),
        (("--sample", "0"), "sample=0"),
    ],
)
def test_what_names_no_finished_record_is_refused_in_one_line(
    compact: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert main([str(compact), *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert re.search(words, said.err)


def _older(folder: Path) -> None:
    table = pq.read_table(folder / "trials.parquet").drop_columns(["record"])
    pq.write_table(table, folder / "trials.parquet")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "trials.parquet").write_bytes(b"PAR1 cut short"), "readable table"),
        (
            lambda f: pq.write_table(pa.table({"record": ["{"]}), f / "trials.parquet"),
            "readable table",
        ),
        (lambda f: (f / "trials.parquet").unlink(), "has none"),
        (lambda f: (f / "study.json").unlink(), "study.json"),
        (_older, "no column record"),
    ],
)
def test_a_compact_form_that_does_not_hold_its_records_is_refused(
    compact: Path, damage: Callable[[Path], object], words: str
) -> None:
    damage(compact)
    with pytest.raises(HandSSLError, match=words):
        read_recorded(str(compact))


def test_an_older_compact_form_is_refused_with_the_way_out() -> None:
    with pytest.raises(HandSSLError, match="--compact DIR"):
        read_recorded(str(FIXTURE))


def test_records_in_a_bucket_are_those_of_the_folder(
    study: Path, compact: Path, bucket: str
) -> None:
    published = bucket.replace("results/small", "docs/study")
    for folder, place in ((study, bucket), (compact, published)):
        for path in folder.rglob("*.*"):
            s3.upload(path, join_uri(place, path.relative_to(folder).as_posix()))
        assert read_recorded(place).records == read_recorded(str(folder)).records
    single = join_uri(bucket, "trials", "b", "record.json")
    assert list(read_recorded(single).records) == ["b"]
    for missing in (join_uri(bucket, "trials", "x", "record.json"), join_uri(bucket, "nothing")):
        with pytest.raises(HandSSLError, match="s3://bucket/results/small"):
            read_recorded(missing)
