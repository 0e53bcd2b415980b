import json
import math
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from handssl import records
from handssl.errors import DataError


def record(trial: str, **changes: Any) -> dict[str, Any]:
    return {
        "schema": records.SCHEMA,
        "trial": trial,
        "status": "finished",
        "metrics": {"mpjpe_cm": 1.5},
        "rungs": [{"epoch": 1}],
        **changes,
    }


def test_halves_of_files_are_removed_and_nothing_else(tmp_path: Path) -> None:
    ours = (".record.json.123.tmp", ".checkpoint.pt.a_1", ".encoder.safetensors.part")
    others = (".lock", ".nfs0001.2", "record.json", "checkpoint.pt")
    for name in (*ours, *others):
        (tmp_path / name).write_text("")
    records.remove_halves(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(others)


def test_the_hash_ignores_the_order_of_keys_but_not_their_values() -> None:
    assert records.canonical_hash({"a": 1, "b": [1.0]}) == records.canonical_hash(
        {"b": [1.0], "a": 1}
    )
    assert records.canonical_hash({"a": 1}) != records.canonical_hash({"a": 2})
    with pytest.raises(ValueError, match="JSON compliant"):
        records.canonical_hash({"a": math.nan})


def test_seeds_are_stable_and_differ_between_parts() -> None:
    assert records.seed_from("abc", 1) == records.seed_from("abc", 1)
    assert len({records.seed_from("abc", k) for k in range(100)}) == 100
    assert all(0 <= records.seed_from(k) < 2**31 for k in range(100))


def test_json_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "record.json"
    records.write_json(path, {"a": math.inf, "b": {"c": (1, 2)}})
    assert json.loads(path.read_text()) == {"a": None, "b": {"c": [1, 2]}}
    with pytest.raises(TypeError):
        records.write_json(path, {"a": object()})
    assert json.loads(path.read_text())["b"] == {"c": [1, 2]}
    assert [p.name for p in path.parent.iterdir()] == ["record.json"]


def _write_forever(path: Path) -> None:
    k = 0
    while True:
        k += 1
        records.write_json(path, {"k": k, "padding": "x" * 100_000})


def test_a_writer_killed_at_any_moment_leaves_a_file_that_reads(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    records.write_json(path, {"k": 0})
    for _ in range(5):
        process = multiprocessing.get_context("fork").Process(target=_write_forever, args=(path,))
        process.start()
        process.join(0.05)
        process.kill()
        process.join()
        assert isinstance(json.loads(path.read_text())["k"], int)


def test_a_last_line_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    records.append_jsonl(path, {"epoch": 1})
    records.append_jsonl(path, {"epoch": 2})
    with path.open("a") as file:
        file.write('{"epoch": 3, "lo')
    assert [row["epoch"] for row in records.read_jsonl(path)] == [1, 2]
    assert records.read_jsonl(tmp_path / "missing.jsonl") == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 99}', "{}"])
def test_what_is_no_record_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"record\.json"):
        records.read_record(path)


def test_the_compiled_table_has_a_row_a_record_in_order_of_the_trials(tmp_path: Path) -> None:
    for trial in ("b", "a"):
        records.write_json(tmp_path / "trials" / trial / "record.json", record(trial))
    failed = record("c", status="failed", metrics={}, error={"type": "X"})
    records.write_json(tmp_path / "trials" / "c" / "record.json", failed)
    path = records.compile_parquet(tmp_path, records.read_records(tmp_path))
    table = pq.read_table(path)
    assert table["trial"].to_pylist() == ["a", "b", "c"]
    assert table["metrics.mpjpe_cm"].to_pylist() == [1.5, 1.5, None]
    assert table["error.type"].to_pylist() == [None, None, "X"]


def test_columns_of_mixed_types_are_compiled_as_text(tmp_path: Path) -> None:
    values: list[Any] = [1, "auto", True, None, [1, 2], 0.5]
    found = {f"t{i}": record(f"t{i}", config={"warmup": v}) for i, v in enumerate(values)}
    found["t0"].seed = 2**70
    table = pq.read_table(records.compile_parquet(tmp_path, found))
    expected = ["1", "auto", "True", None, "[1, 2]", "0.5"]
    assert table["config.warmup"].to_pylist() == expected
    assert table["seed"].to_pylist()[0] == str(2**70)
    assert table["metrics.mpjpe_cm"].to_pylist() == [1.5] * 6


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    records.write_npz(tmp_path / "errors.npz", error_cm=np.eye(3), group=np.array(["a", "b"]))
    with np.load(tmp_path / "errors.npz") as file:
        np.testing.assert_array_equal(file["error_cm"], np.eye(3))
        assert file["group"].tolist() == ["a", "b"]


def test_versions_and_revision_are_told() -> None:
    assert {"python", "torch", "ray", "optuna", "handssl"} <= records.versions().keys()
    assert records.git_state().keys() == {"revision", "dirty"}
