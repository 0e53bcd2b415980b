"""Shared by all tests: shapes are checked, threads are few, the real samples are found."""

import os
import signal
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

# A shell lets what it starts in the background ignore Ctrl-C, and so would every child of a test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A test says what holds, never how fast: a busy machine must not fail it.
settings.register_profile(
    "project",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")

ROOT = Path(__file__).resolve().parent.parent

# The rooms that pass tensors; the others annotate with protocols that beartype cannot check.
TENSOR_ROOMS = (
    *("augment", "distributed", "encoders", "evaluation"),
    *("geometry", "objectives", "training"),
)
install_import_hook([f"handssl.{room}" for room in TENSOR_ROOMS], "beartype.beartype")


@pytest.fixture(scope="session")
def real_samples() -> Path:
    """Folder of real files; see CONTRIBUTING in the README for where they come from."""
    named = os.environ.get("HANDSSL_REAL_SAMPLES")
    folder = Path(named) if named else ROOT.parent / "shared" / "real-samples"
    if not folder.is_dir():
        pytest.skip(
            f"no real samples at {folder}; set HANDSSL_REAL_SAMPLES to a folder that holds them"
        )
    return folder
