import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detector import Verdict, landmark_error, summary

ROOT = Path(__file__).resolve().parents[2]


def test_the_error_is_a_share_of_the_boxs_longer_side() -> None:
    joints = np.zeros((21, 2))
    joints[1] = [50, 200]
    assert landmark_error(joints + np.array([6, 8]), joints) == pytest.approx(10 / 200)


def test_missed_images_count_against_found_and_both_but_not_into_the_mean() -> None:
    errors = [0.04, 0.06, 0.2, np.nan]
    verdicts = [Verdict(pose=str(n), kind="", error=error) for n, error in enumerate(errors)]
    figures = summary(verdicts)
    assert figures["found"][0] == 0.75
    assert figures["mean"][0] == pytest.approx(0.1)
    assert figures["median"][0] == pytest.approx(0.06)
    assert figures["both"][0] == 0.5


def test_images_of_one_pose_make_an_interval_no_narrower() -> None:
    errors = np.where(np.arange(40) < 30, 0.05, np.nan)
    alone = summary([Verdict(pose=str(n), kind="", error=e) for n, e in enumerate(errors)])
    shown = [Verdict(pose=str(n), kind="", error=e) for n, e in enumerate(errors)] * 4
    np.testing.assert_allclose(summary(shown)["found"], alone["found"])


@pytest.mark.skipif(importlib.util.find_spec("mediapipe") is not None, reason="a detector is here")
def test_without_a_detector_it_says_so(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "detector.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("skipped: no detector in this environment")
