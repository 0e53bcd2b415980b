import os
from pathlib import Path

import pytest
import torch

from handssl.errors import ConfigError, DataError
from handssl.training.checkpoint import load_checkpoint, save_checkpoint


def test_a_write_that_fails_leaves_the_old_checkpoint_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "deep" / "run.ckpt"
    save_checkpoint(path, {"step": 1, "weight": torch.arange(3.0)})

    def fail(handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, {"step": 2})
    monkeypatch.undo()
    content = load_checkpoint(path)
    assert content["step"] == 1
    assert torch.equal(content["weight"], torch.arange(3.0))
    assert [p.name for p in path.parent.iterdir()] == ["run.ckpt"]


def test_a_checkpoint_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    save_checkpoint(path, {"weight": torch.zeros(1000)})
    for size in (0, 100, path.stat().st_size // 2):
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(DataError, match="must be whole, but cannot be read"):
            load_checkpoint(path)


class _Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.getpid, ())


def test_nothing_but_tensors_and_plain_values_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "evil.ckpt"
    torch.save({"schema": 1, "evil": _Evil()}, path)
    with pytest.raises(DataError, match="cannot be read"):
        load_checkpoint(path)


def test_other_files_and_other_schemas_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    torch.save({"weight": torch.zeros(1)}, path)
    with pytest.raises(DataError, match="holds something else"):
        load_checkpoint(path)
    torch.save({"schema": 99}, path)
    with pytest.raises(ConfigError, match="schema=99"):
        load_checkpoint(path)
    with pytest.raises(DataError, match="must be an existing checkpoint"):
        load_checkpoint(tmp_path / "none")
