import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from handssl import records
from handssl.errors import DataError
from handssl.records import Record, Rung
from handssl.versions import versions


def record(trial: str = "t1", **changes: Any) -> Record:
    base = Record(
        kind="pretrain",
        trial=trial,
        hash="4f56",
        status="finished",
        seed=7,
        composition="T+S",
        objective="contrastive",
        config={"epochs": 2},
        metrics={"mpjpe_cm": 1.5, "rankme": None},
        rungs=(Rung(epoch=1, step=5, metrics={"median_pje_cm": 9.0}),),
    )
    changed: Record = dataclasses.replace(base, **changes)
    return changed


FAILURE = records.Failure(
    type="NonFiniteLossError", message="no", traceback="lines", details={"step": 3}
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": "failed", "metrics": {}, "error": FAILURE},
        {"kind": "fit", "transfer": {"mode": "frozen"}, "evaluations": {"FH": {"a": 1.0}}},
        {"kind": "fit", "transfer": {"mode": "frozen"}, "pretraining": "other"},
    ],
)
def test_a_record_comes_back_from_its_json(changes: Mapping[str, Any]) -> None:
    written = record(**changes)
    text = json.dumps(written.to_dict())
    assert Record.from_dict(json.loads(text)) == written


@pytest.mark.parametrize(
    ("transfer", "kind"),
    [(None, "pretrain"), ({"mode": "pretrain"}, "pretrain"), ({"mode": "frozen"}, "fit")],
)
def test_a_record_of_schema_1_is_upgraded(transfer: dict[str, str] | None, kind: str) -> None:
    old = record().to_dict() | {"schema": 1}
    del old["kind"]
    if transfer is not None:
        old["config"] = {**old["config"], "transfer": transfer}
    upgraded = Record.from_dict(old)
    assert upgraded.kind == kind
    assert upgraded.transfer == (transfer or {})
    assert upgraded.config == {"epochs": 2}
    assert Record.from_dict(upgraded.to_dict()) == upgraded
    assert upgraded.is_transfer == (transfer is not None)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("schema", 3, "schema=3"),
        ("status", None, "no status"),
        ("status", "running", "status='running'"),
        ("objective", 5, "objective.*5"),
        ("seed", "x", "seed.*'x'"),
        ("metrics", [1], r"metrics.*\[1\]"),
        ("metrics", {"mpjpe_cm": "12"}, "metrics.*mpjpe_cm.*'12'"),
        ("metrics", {"mpjpe_cm": True}, "metrics.*mpjpe_cm.*True"),
        ("config", "x", "config.*'x'"),
    ],
)
def test_a_wrong_field_is_refused_with_file_field_and_value(
    field: str, value: Any, reason: str
) -> None:
    with pytest.raises(DataError, match=rf"a/record\.json.*{reason}"):
        Record.from_dict(record().to_dict() | {field: value}, file="a/record.json")


def test_the_compiled_table_has_a_row_a_record_in_order_of_the_trials(tmp_path: Path) -> None:
    failed = record("c", status="failed", metrics={}, error=FAILURE)
    found = {trial: record(trial) for trial in ("b", "a")} | {"c": failed}
    table = pq.read_table(records.compile_parquet(tmp_path, found))
    assert table["trial"].to_pylist() == ["a", "b", "c"]
    assert table["metrics.mpjpe_cm"].to_pylist() == [1.5, 1.5, None]
    assert table["error.type"].to_pylist() == [None, None, "NonFiniteLossError"]
    assert table["rungs"].to_pylist()[0] == '[{"epoch": 1, "step": 5, "median_pje_cm": 9.0}]'


def test_columns_of_mixed_types_are_compiled_as_text(tmp_path: Path) -> None:
    values: list[Any] = [1, "auto", True, None, [1, 2], 0.5]
    found = {f"t{i}": record(f"t{i}", config={"warmup": v}) for i, v in enumerate(values)}
    found["t0"] = dataclasses.replace(found["t0"], seed=2**70)
    table = pq.read_table(records.compile_parquet(tmp_path, found))
    assert table["config.warmup"].to_pylist() == ["1", "auto", "True", None, "[1, 2]", "0.5"]
    assert table["seed"].to_pylist()[0] == str(2**70)
    assert table["metrics.mpjpe_cm"].to_pylist() == [1.5] * 6


def test_the_hash_depends_on_values_and_refuses_nan() -> None:
    assert records.canonical_hash({"a": 1}) != records.canonical_hash({"a": 2})
    with pytest.raises(ValueError, match="JSON compliant"):
        records.canonical_hash({"a": math.nan})


def test_seeds_differ_between_parts() -> None:
    seeds = {records.seed_from("abc", k) for k in range(100)}
    assert len(seeds) == 100
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_versions_and_revision_are_known() -> None:
    assert {"python", "torch", "ray", "optuna", "handssl"} <= versions().keys()
    assert records.git_state().keys() == {"revision", "dirty"}
