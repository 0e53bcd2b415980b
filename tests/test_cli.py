import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from PIL import Image

from handssl import __version__
from handssl.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("flag", "words"), [("--help", [*COMMANDS]), ("--version", [__version__])]
)
def test_help_lists_every_command_and_the_version_is_the_packages(
    flag: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([flag])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in words)


@pytest.mark.parametrize("arguments", [[], ["date"], ["data"], ["data", "build", "kinect"]])
def test_an_unknown_command_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_build_inspect_and_doctor_from_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, sheet = tmp_path / "store", tmp_path / "pictures" / "sheet.png"
    build = ["data", "build", "synthetic", "--root", str(tmp_path / "raw"), "--out", str(out)]
    assert main([*build, "--poses", "3", "--versions", "2", "--processes", "1"]) == 0
    printed = capsys.readouterr().out
    assert "expected: 6 images" in printed
    assert "6 images" in printed.splitlines()[-2]
    # The same request as a search's own generation makes: default shares are not written down.
    made = json.loads((tmp_path / "raw" / "synthetic.json").read_text())
    assert made["counts"] == {"poses": 3, "versions": 2, "evaluation": 0}
    assert main(["data", "inspect", str(out), "--out", str(sheet), "--count", "2"]) == 0
    with Image.open(sheet) as image:
        assert image.width == 2 * 264 + 8
    assert main(["data", "doctor", str(out)]) == 0
    assert main(["data", "doctor", str(tmp_path / "raw")]) == 0
    assert main(["data", "doctor", str(tmp_path / "pictures")]) == 1


def test_a_refusal_is_one_line_and_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "store"
    arguments = ["data", "build", "freihand", "--root", str(tmp_path / "no"), "--out", str(out)]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out.strip() == ""
    assert len(printed.err.splitlines()) == 1
    assert "training/rgb" in printed.err
    assert not out.exists()
    assert main(["data", "inspect", str(out), "--out", str(tmp_path / "a.gif")]) == 2
    assert main(["data", "inspect", str(out), "--out", str(tmp_path / "a.png")]) == 2


def test_an_interrupt_exits_with_130_and_a_bug_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    examine = Mock(side_effect=[KeyboardInterrupt, ZeroDivisionError])
    monkeypatch.setattr("handssl.commands.data.examine", examine)
    assert main(["data", "doctor", str(tmp_path)]) == 130
    with pytest.raises(ZeroDivisionError):
        main(["data", "doctor", str(tmp_path)])


def test_ctrl_c_stops_a_running_build_with_130(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "handssl.cli",
        "data",
        "build",
        "synthetic",
        "--poses",
        "5000",
    ]
    folders = ["--root", str(tmp_path / "raw"), "--out", str(tmp_path / "s")]
    pipes: dict[str, Any] = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, *folders, "--processes", "1"], cwd=ROOT, **pipes) as process:
        while not list(tmp_path.rglob("*.jpg")) and process.poll() is None:
            time.sleep(0.05)
        # Python loses an interrupt that arrives within a weak reference's callback: ask again.
        for _ in range(10):
            process.send_signal(signal.SIGINT)
            try:
                _, printed = process.communicate(timeout=30)
                break
            except subprocess.TimeoutExpired:
                continue
        else:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in printed
    assert "interrupted" in printed
    assert not (tmp_path / "s").exists()
