import json
import math
import multiprocessing
from pathlib import Path

import pytest

from handssl import records
from handssl.errors import DataError


def test_json_is_replaced_whole_and_nothing_stays_beside_it(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("{", "is not complete JSON"),
        ("[]", "holds a list"),
        ('{"schema": 99}', "has schema=99.*newer version"),
        ("{}", "has no "),
    ],
)
def test_a_broken_record_is_refused_with_its_file_and_the_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"record\.json {reason}"):
        records.read_record(path)
