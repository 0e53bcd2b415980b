import os
import random

import pytest

from tests.search.conftest import base as base  # noqa: PLC0414 - fixtures, asked for by name
from tests.search.conftest import embedded as embedded  # noqa: PLC0414
from tests.search.conftest import undisturbed as undisturbed  # noqa: PLC0414


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """What a test draws from; CHAOS_SEED=NUMBER draws anew, and the seed is printed."""
    seed = os.environ.get("CHAOS_SEED", "0")
    print(f"CHAOS_SEED={seed}")
    return random.Random(f"{seed} {request.node.name}")
