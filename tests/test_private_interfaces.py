"""Private interfaces of Ray and Optuna are used in one module each, and the installed ones fit."""

import importlib
import io
import tokenize
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [
    path for part in ("handssl", "search", "analysis") for path in (ROOT / part).rglob("*.py")
]
RAY = ROOT / "search" / "cluster" / "ray_internals.py"
OPTUNA = ROOT / "search" / "observers" / "optuna_internals.py"


def names(path: Path) -> set[str]:
    """Identifiers of a source file; comments and strings do not count."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def strings(path: Path) -> str:
    """The string literals of a source file."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return "\n".join(token.string for token in tokens if token.type == tokenize.STRING)


def users(name: str) -> set[Path]:
    return {path for path in SOURCES if name in names(path)}


def test_private_names_of_ray_are_in_one_module() -> None:
    assert users("_private") == {RAY}
    assert {path for path in SOURCES if '"node:__internal' in strings(path)} == {RAY}
    assert {path for path in SOURCES if '"_node_ip_address' in strings(path)} == {RAY}


def test_private_names_of_optuna_are_in_one_module() -> None:
    for name in ("_trial_id", "_study_id", "_contains"):
        assert users(name) <= {OPTUNA}, name
    assert users("_trial_id") == {OPTUNA}


@pytest.mark.parametrize(
    ("package", "module", "attribute", "user"),
    [
        ("ray", "ray._private.ray_constants", "ENABLE_RAY_CLUSTER", "ray_internals.loopback_only"),
    ],
)
def test_the_installed_version_has_the_private_name(
    package: str, module: str, attribute: str, user: str
) -> None:
    try:
        present = hasattr(importlib.import_module(module), attribute)
    except ImportError:
        present = False
    assert present, f"{package} {metadata.version(package)} lacks {attribute}, used by {user}"
