"""The report of 10,000 generated records: CPU time and memory of `python -m analysis`.

The records are written by the generator of the analysis's tests: 15 compositions under two
objectives in one study, every learning rate and temperature its own, so that importances are
computed as well. One thread, a process of its own, read, tested and drawn.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from analysis.notation import PAPER_ROWS
from benchmarks.figure import ROOT, Row, row
from tests.analysis.conftest import StudyMaker, planted_median


def sampled_study(folder: Path, trials: int) -> Path:
    """A study of so many finished trials below the folder."""
    study = StudyMaker(folder=folder / "generated", name="generated")
    random = np.random.default_rng(0)
    for index in range(trials):
        composition = PAPER_ROWS[index % len(PAPER_ROWS)]
        objective = ("contrastive", "relative")[index // len(PAPER_ROWS) % 2]
        rate, temperature = 10 ** random.uniform(-5, -2), 10 ** random.uniform(-1.5, 0)
        options: dict[str, Any] = {"name": objective}
        if objective == "contrastive":
            options["temperature"] = temperature
        study.add(
            composition,
            objective,
            median=planted_median(composition, objective) + (np.log10(rate) + 3.5) ** 2,
            config={"optimizer": {"name": "adam", "base_lr": rate}, "objective": options},
            changes={"seed": index},
        )
    study.write_study()
    return study.folder


ONCE = """
import sys, time
from pathlib import Path
from analysis.__main__ import main

assert main(sys.argv[1:]) == 0
status = Path("/proc/self/status").read_text()
print(time.process_time(), status.partition("VmHWM:")[2].split()[0])
"""


def measure(*, quick: bool = False) -> list[Row]:
    """CPU seconds and peak memory of one compilation."""
    trials = 100 if quick else 10_000
    with tempfile.TemporaryDirectory() as scratch:
        folder = sampled_study(Path(scratch), trials)
        done = subprocess.run(
            [sys.executable, "-c", ONCE, str(folder)],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        size_mb = (folder / "analysis" / "report.html").stat().st_size / 2**20
    seconds, peak_kb = map(float, done.stdout.split()[-2:])
    limits = (None, None) if quick else (60, 1)
    return [
        row(f"{trials:,} records, time", seconds, "CPU-s", most=limits[0]),
        row(f"{trials:,} records, peak memory", peak_kb / 2**20, "GB", most=limits[1]),
        row(f"{trials:,} records, report.html", size_mb, "MB"),
    ]
