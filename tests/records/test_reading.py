import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from handssl import records
from handssl.errors import DataError
from handssl.records import read_baselines, read_records
from tests.records.test_record import record

ROOT = Path(__file__).parents[2]


def write(folder: Path) -> Path:
    for trial in ("b", "a"):
        path = folder / "trials" / trial / "record.json"
        records.write_json(path, record(trial).to_dict())
    return folder


def test_a_folder_and_its_compact_form_hold_the_same_records(tmp_path: Path) -> None:
    whole = read_records(write(tmp_path / "whole"))
    assert list(whole) == ["a", "b"]
    assert whole["a"] == record("a")
    records.write_compact_table(tmp_path / "compact" / "trials.parquet", whole.values())
    assert read_records(tmp_path / "compact") == whole
    assert read_records((tmp_path / "compact").as_uri()) == whole


def test_a_compiled_table_is_read_from_its_columns(tmp_path: Path) -> None:
    whole = read_records(write(tmp_path / "whole"))
    (tmp_path / "compiled").mkdir()
    records.compile_parquet(tmp_path / "compiled", whole)
    found = read_records(tmp_path / "compiled")
    assert [r.metrics for r in found.values()] == [{"mpjpe_cm": 1.5}] * 2  # a null is absent
    assert found["a"].rungs == whole["a"].rungs


def test_a_search_continues_from_the_folders_of_trials_alone(tmp_path: Path) -> None:
    assert records.read_trial_records(tmp_path / "missing") == {}
    records.compile_parquet(tmp_path, {"a": record("a")})
    assert records.read_trial_records(tmp_path) == {}
    assert list(read_records(tmp_path)) == ["a"]


def test_published_studies_of_schema_1_are_read() -> None:
    assert len(read_records(ROOT / "docs" / "study")) == 211
    mixed = read_records(ROOT / "docs" / "study" / "evidence-4")
    assert len(mixed) == 75
    assert {r.kind for r in mixed.values()} == {"pretrain"}


def test_a_broken_record_names_its_study(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "trials" / "a" / "record.json").write_text(json.dumps({"schema": 1}))
    with pytest.raises(DataError, match=r"trials/a/record\.json has no "):
        read_records(tmp_path)
    with pytest.raises(DataError, match="nowhere"):
        read_records(tmp_path / "nowhere")


def test_baselines_are_read_apart_from_trials(tmp_path: Path) -> None:
    write(tmp_path)
    assert read_baselines(tmp_path) == {}
    (name, trial), *_ = read_records(tmp_path).items()
    baseline = dataclasses.replace(trial, kind="baseline", objective="image_blind")
    path = tmp_path / "baselines" / "medoid" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(baseline.to_dict()))
    expected = {"medoid": dataclasses.replace(baseline, trial="medoid")}
    assert read_baselines(tmp_path) == expected
    assert read_records(tmp_path)[name] == trial
    both = [*read_records(tmp_path).values(), *expected.values()]
    records.write_compact_table(tmp_path / "compact" / "trials.parquet", both)
    assert read_baselines(tmp_path / "compact") == expected
    assert read_records(tmp_path / "compact") == read_records(tmp_path)


def _import(modules: str) -> tuple[float, list[str]]:
    """CPU seconds of a process that imports modules, and the heavy ones that it loaded."""
    program = (
        f"import sys, time, {modules}; heavy = ('torch', 'ray', 'pandas', 'optuna'); "
        "print(time.process_time(), *(name for name in heavy if name in sys.modules))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, *loaded = done.stdout.split()
    return float(seconds), loaded


def test_records_import_nothing_heavy() -> None:
    records = [_import("handssl.records") for _ in range(3)]
    base = [_import("pyarrow, pyarrow.parquet, numpy") for _ in range(3)]
    assert [loaded for _, loaded in records] == [[]] * 3
    assert min(records)[0] - min(base)[0] < 0.3
