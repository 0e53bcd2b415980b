"""A small real store of random images, and a run small enough for every test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from handssl.data import Annotation, RawDataset, Store, build_store, open_store
from handssl.encoders import EncoderConfig
from handssl.training import OptimizerConfig, PretrainConfig
from tests.small import small_objective

_SIDE_PX = 40


class _RandomHands(RawDataset):
    """Smooth random images with joints somewhere in front of the camera."""

    def __init__(self, root: Path, count: int) -> None:
        super().__init__(name="random-hands", strict=True)
        self._root = root
        self._count = count
        generator = np.random.default_rng(0)
        for index in range(count):
            coarse = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            image = Image.fromarray(coarse).resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BICUBIC)
            image.save(root / f"{index}.png")

    def __len__(self) -> int:
        return self._count

    def signature(self) -> dict[str, str | int]:
        return {"count": self._count}

    def annotations(self, start: int = 0) -> Iterator[Annotation]:
        for index in range(start, self._count):
            joints_m = np.random.default_rng(index).normal((0.0, 0.0, 0.5), 0.03, (21, 3))
            yield Annotation(
                file=self._root / f"{index}.png",
                name=f"{index}.png",
                intrinsics=np.array([[90.0, 0, 19.5], [0, 90.0, 19.5], [0, 0, 1]]),
                joints_m=joints_m,
                valid=np.ones(21, dtype=bool),
                side="right",
                group=str(index),
                source_id=str(index),
                split="train",
            )


@pytest.fixture(scope="session")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("random-hands")
    build_store(_RandomHands(root, 20), root / "store", processes=1)
    return root / "store"


@pytest.fixture(scope="session")
def store(store_path: Path) -> Store:
    return open_store(store_path).prepare(processes=1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def small_config() -> Callable[..., PretrainConfig]:
    """Two steps of 8 images an epoch; keyword arguments override."""

    def make(**overrides: object) -> PretrainConfig:
        settings: dict[str, object] = {
            "encoder": EncoderConfig(name="resnet18"),
            "objective": small_objective("contrastive"),
            "optimizer": OptimizerConfig(warmup_epochs=1.0, base_lr=1e-3),
            "composition": "translate+scale+color_jitter",
            "size_px": 16,
            "epochs": 3,
            "batch_size": 8,
            "accumulation": 1,
        }
        return PretrainConfig(**{**settings, **overrides})  # type: ignore[arg-type]

    return make
