from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handssl.synthetic.pose import HandPose, draw_pose, draw_proportions
from handssl.synthetic.rig import Rig, load_rig


def contents(root: Path) -> dict[str, bytes]:
    """Every file of a folder, by its path below it."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def decode(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(jpeg)))


@pytest.fixture(scope="session")
def rig() -> Rig:
    return load_rig()


@pytest.fixture(scope="session")
def hands(rig: Rig) -> list[HandPose]:
    """Hands as the data set draws them."""
    generators = [np.random.default_rng([1, number]) for number in range(60)]
    return [draw_pose(rig, generator, draw_proportions(generator)) for generator in generators]
