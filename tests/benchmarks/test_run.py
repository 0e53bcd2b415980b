import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.run import MODULES

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_sections_are_written_anew_and_what_is_by_hand_stays(tmp_path: Path) -> None:
    out = tmp_path / "benchmarks.md"
    done = run("views", "gpu", "--quick", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "views" in done.stdout
    first = out.read_text()
    assert "torchvision v2" in first
    by_hand = first.replace("Not yet measured.", "11 min 40 s\n\n| a | table |\n")
    out.write_text(by_hand)
    assert run("gpu", "--quick", "--out", str(out)).returncode == 0
    second = out.read_text()
    assert second.endswith(by_hand[by_hand.index("## Wall times") :])
    assert second.count("## Wall times of the main job") == 1
    assert second.count("<!-- end -->") == first.count("<!-- end -->") == 2
    assert first[first.index("<!-- views -->") : first.index("<!-- gpu -->")] in second


def test_a_module_that_does_not_exist_is_named() -> None:
    done = run("vews")
    assert done.returncode == 2
    assert "but got vews" in done.stderr


@pytest.mark.long
def test_every_module_runs(tmp_path: Path) -> None:
    out = tmp_path / "benchmarks.md"
    done = run("--quick", "--out", str(out))
    assert done.returncode == 0, done.stderr
    for name in MODULES:
        assert f"<!-- {name} -->" in out.read_text()
