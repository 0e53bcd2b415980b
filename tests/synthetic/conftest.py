import numpy as np
import pytest

from handssl.synthetic.pose import HandPose, draw_pose, draw_proportions
from handssl.synthetic.rig import Rig, load_rig


@pytest.fixture(scope="session")
def rig() -> Rig:
    return load_rig()


@pytest.fixture(scope="session")
def hands(rig: Rig) -> list[HandPose]:
    """Hands as the data set draws them."""
    generators = [np.random.default_rng([1, number]) for number in range(60)]
    return [draw_pose(rig, generator, draw_proportions(generator)) for generator in generators]
