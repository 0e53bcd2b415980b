import os
from pathlib import Path

import pytest

from handssl.atomic import atomic_path, remove_partial


def test_a_file_appears_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    with atomic_path(path) as partial:
        partial.write_text("a,b")
        assert not path.exists()
        assert partial.parent == path.parent
        assert partial.suffix == ".csv"
    assert [p.name for p in path.parent.iterdir()] == ["table.csv"]
    assert path.read_text() == "a,b"


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail_midway() -> None:
        with atomic_path(path) as partial:
            partial.write_text("half")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail_midway()
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "old"


def test_file_then_rename_then_folder_are_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, events = tmp_path / "table.csv", []
    flush, replace = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        name = Path(f"/proc/self/fd/{handle}").readlink()
        events.append("folder" if name == tmp_path else "file")
        flush(handle)

    def renamed(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", renamed)
    with atomic_path(path) as partial:
        partial.write_text("a")
    assert events == ["file", "rename", "folder"]


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".1a2b3c4d.partial.record.json", ".lock", "record.json", ".nfs0001"):
        (tmp_path / name).write_text("")
    remove_partial(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", ".nfs0001", "record.json"]
