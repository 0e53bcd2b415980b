import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handssl.data.raw import json_stream
from handssl.data.raw.json_stream import walk_json
from handssl.errors import DataError

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def _expected(value: Any, depth: int, keys: tuple[Any, ...] = ()) -> list[Any]:
    if depth == 0 or not isinstance(value, dict | list):
        return [(keys, value)]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [entry for key, inner in items for entry in _expected(inner, depth - 1, (*keys, key))]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_VALUES, depth=st.integers(0, 3), chunk=st.integers(1, 9), indent=st.booleans())
def test_walking_equals_loading_whatever_the_chunk_size(
    tmp_path: Path, value: Any, depth: int, chunk: int, indent: bool
) -> None:
    path = tmp_path / "value.json"
    path.write_text(json.dumps(value, indent=1 if indent else None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        assert list(walk_json(path, depth=depth)) == _expected(value, depth)


@pytest.mark.parametrize(
    "text",
    ["", "[1, 2", "[1 2]", '{"a" 1}', "{1: 2}", "[1] x", "nope", '{"a": [1, }', "[1,]]"],
)
def test_broken_json_is_one_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"broken\.json"):
        list(walk_json(path, depth=1))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.json"
    path.write_bytes(b"[1, \xff\xfe]")
    with pytest.raises(DataError, match="not valid JSON"):
        list(walk_json(path, depth=1))


def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "_CHUNK", 1 << 15)
    row = json.dumps([[0.123456789, 1.5, 2.25]] * 21)
    peaks = []
    for rows in (300, 3000):
        path = tmp_path / f"{rows}.json"
        path.write_text("[" + ", ".join([row] * rows) + "]")
        tracemalloc.start()
        assert sum(1 for _ in walk_json(path, depth=1)) == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 0.3 * path.stat().st_size
