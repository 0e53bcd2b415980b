"""A small store of embedded hands, built once."""

from collections.abc import Iterator

import pytest
import torch

from handssl.data import Store, open_or_build_store
from handssl.synthetic import generate_freihand


@pytest.fixture(scope="session")
def hands(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("hands")
    generate_freihand(root / "raw", poses=75, versions=1, workers=1)
    return open_or_build_store(root / "raw", root / "store", source_px=64, processes=1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
