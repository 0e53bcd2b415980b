import dataclasses
from pathlib import Path

import pytest
from rich.console import Console

from search.config.schema import Config
from search.studies.grid import run_grid


def test_a_plan_is_printed_and_nothing_is_started(
    small: Config,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("search.studies.plan._CALIBRATION_S", 0.1)
    elastic = dataclasses.replace(small.trial, workers=(1, 2))
    config = dataclasses.replace(
        small, plan=True, results=str(tmp_path / "results"), trial=elastic
    )
    assert run_grid(config, console=Console(width=200)) == 0
    printed = capsys.readouterr().out
    assert "6: 0 with a record, 6 to run" in printed
    assert "relative_T_r0" in printed
    assert "[1, 2] x (1 CPU, 0 GPU), train executor" in printed
    assert list(tmp_path.iterdir()) == []
