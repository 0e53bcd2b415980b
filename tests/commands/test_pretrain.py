from pathlib import Path

import pytest

from handssl.cli import main
from handssl.data import open_or_build_store
from handssl.synthetic import generate_freihand


def test_a_run_writes_its_checkpoint_and_is_continued_by_the_same_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate_freihand(tmp_path / "raw", poses=12, versions=1, workers=1)
    open_or_build_store(tmp_path / "raw", tmp_path / "store", source_px=64, processes=1)
    checkpoint = tmp_path / "run.pt"
    arguments = ["pretrain", "--store", str(tmp_path / "store"), "--checkpoint", str(checkpoint)]
    small = ["--encoder", "resnet10t", "--size-px", "32", "--batch-size", "4"]
    call = [*arguments, *small, "--accumulation", "1", "--epochs", "2"]
    assert main(call) == 0
    assert "epoch 2 of 2: loss" in capsys.readouterr().out
    written = checkpoint.read_bytes()
    assert main(call) == 0
    assert "epoch" not in capsys.readouterr().out, "nothing is left to do"
    assert checkpoint.read_bytes() == written
    assert main([*call, "--seed", "1"]) == 2
    assert "seed must be that of the checkpoint" in capsys.readouterr().err
    assert main([*call, "--objective", "guessing"]) == 2
