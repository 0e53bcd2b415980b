from pathlib import Path

import pytest

from handssl.data import RawFolder, open_or_build_store
from tests.data.raw_folders import write_freihand, write_interhand


@pytest.fixture
def freihand_root(tmp_path: Path) -> Path:
    return write_freihand(tmp_path / "freihand")


@pytest.fixture
def interhand_root(tmp_path: Path) -> Path:
    return write_interhand(tmp_path / "interhand")


@pytest.fixture
def members(tmp_path: Path) -> list[Path]:
    """Stores of both data sets, to join."""
    freihand = write_freihand(tmp_path / "f", poses=10)
    interhand = write_interhand(tmp_path / "i", captures=3)
    paths = [tmp_path / "fs", tmp_path / "is"]
    open_or_build_store(freihand, paths[0], processes=1)
    open_or_build_store(RawFolder(root=interhand, dataset="interhand"), paths[1], processes=1)
    return paths
