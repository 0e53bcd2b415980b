"""A study run as a user runs it, by the command, and what it left behind."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.figure import ROOT
from benchmarks.hands import data_config, embedded


class Finished(NamedTuple):
    """One trial: its record, its reports in epoch order, and when its record was written."""

    record: dict[str, Any]
    reports: list[dict[str, Any]]
    ended_s: float


def run_study(
    overrides: Sequence[str],
    *,
    quick: bool,
    poses: int | None = None,
    results: Path | None = None,
) -> list[Finished]:
    """All trials of `search/run_grid.py` with these overrides, in the order in which they ended.

    Args:
        overrides: Of the command line.
        quick: Whether on the few images of --quick.
        poses: How many poses of four images each, if not the usual number.
        results: Where the study `benchmark` is left; by default it is not kept.

    Raises:
        RuntimeError: If the command failed, with the end of what it said.
    """
    embedded(quick=quick, poses=poses)
    data = data_config(quick=quick, poses=poses)
    with tempfile.TemporaryDirectory() as temporary:
        folder = results or Path(temporary)
        command = [
            sys.executable,
            str(ROOT / "search" / "run_grid.py"),
            f"results={folder}",
            "study.name=benchmark",
            f"data.root={data.root}",
            f"data.store={data.store}",
            f"data.poses={data.poses}",
            "study.images=null",
            *overrides,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stdout + done.stderr)[-2000:]
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
        folders = folder.glob("benchmark/trials/*")
        trials = [
            Finished(
                json.loads((own / "record.json").read_text()),
                [json.loads(line) for line in (own / "metrics.jsonl").open()],
                (own / "record.json").stat().st_mtime,
            )
            for own in folders
        ]
    return sorted(trials, key=lambda trial: trial.ended_s)
