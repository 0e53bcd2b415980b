"""The driver is killed again and again, at moments that chance decides, and started again."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from analysis.reading import read_study
from handssl import records
from tests.search.running import (
    assert_all_end,
    assert_complete,
    assert_same_outcome,
    children,
    run_grid,
    started,
)

pytestmark = pytest.mark.long

KILLS = int(os.environ.get("CHAOS_KILLS", "10"))
EVENTS = 40
"""Changes in its folder after which a study is killed, at most; a whole run makes some more."""


def changes(results: Path) -> set[tuple[str, float]]:
    """All files with the time of their last change; folders may go while this looks."""
    found = set()
    for folder, _, names in os.walk(results):
        for name in names:
            path = Path(folder) / name
            with suppress(FileNotFoundError):
                found.add((str(path), path.stat().st_mtime))
    return found


def killed(base: list[str], results: Path, chance: random.Random) -> list[psutil.Process] | None:
    """Run the command and kill it; returns what it had started, None where it ended before."""
    events, delay_s = chance.randrange(EVENTS), chance.uniform(0.0, 0.5)
    with started(base, results) as process:
        before, seen = changes(results), 0
        while seen < events and process.poll() is None:
            now = changes(results)
            seen += now != before
            before = now
            time.sleep(0.02)
        with suppress(subprocess.TimeoutExpired):
            out, errors = process.communicate(timeout=delay_s)
            assert process.returncode == 0, (out, errors)
            return None
        processes = children(process)
        process.kill()
    print(f"killed {delay_s:.2f} s after change {seen} of {results.name}")
    return processes


def assert_analysis_reads(results: Path, out: Path, chance: random.Random) -> None:
    """The state right after a kill, while the last processes may still be ending.

    The whole command, which takes longer than that, on some of them.
    """
    folder = results / "small"
    begun = (folder / "study.json").exists()
    if begun:
        assert read_study(str(folder)).problems == ()
    if chance.random() < 0.6:
        return
    done = subprocess.run(
        [sys.executable, "-m", "analysis", str(folder), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == (0 if begun else 2), done.stderr
    assert "Traceback" not in done.stderr


def disturbed(
    base: list[str], tmp_path: Path, chance: random.Random
) -> Iterator[tuple[Path, bool]]:
    """Kill a study until it is complete, and then another, ten times in all.

    Yields its results after each run, and whether it is complete.
    """
    kills, results = 0, tmp_path / "study 0"
    results.mkdir()
    while kills < KILLS:
        processes = killed(base, results, chance)
        yield results, processes is None
        if processes is None:
            results = tmp_path / f"study {kills}"
            results.mkdir()
        else:
            kills += 1
            if chance.random() < 0.5:  # else it is started while they are still ending
                assert_all_end(processes)
    done = run_grid(base, results)
    assert done.returncode == 0, done.stderr
    yield results, True


def test_an_exhaustive_study_killed_ten_times_ends_with_the_same_table(
    base: list[str], undisturbed: Path, tmp_path: Path, chance: random.Random
) -> None:
    for results, complete in disturbed(base, tmp_path, chance):
        if complete:
            assert_complete(results, trials=6)
            assert_same_outcome(results, undisturbed)
        else:
            assert_analysis_reads(results, tmp_path / "analysis", chance)


def test_a_sampled_study_killed_ten_times_keeps_every_trial_and_meets_its_budget(
    base: list[str], tmp_path: Path, chance: random.Random
) -> None:
    base = [
        *base,
        "search=tpe",
        "search.trials=8",
        "study.epochs=3",
        "search.early_stopping.reduction=2",
    ]
    kept: dict[Path, bytes] = {}
    for results, complete in disturbed(base, tmp_path, chance):
        assert {path: path.read_bytes() for path in kept} == kept
        kept |= {path: path.read_bytes() for path in results.glob("small/trials/*/record.json")}
        if complete:
            found = records.read_records(results / "small")
            assert {record.status for record in found.values()} <= {"finished", "pruned"}
            assert_complete(results, trials=8)
        else:
            assert_analysis_reads(results, tmp_path / "analysis", chance)
