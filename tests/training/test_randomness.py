import hashlib

import torch
from torch import nn

from handssl.training.randomness import derive_seed, random_parameters, stream


def test_a_stream_depends_on_its_whole_name_and_on_nothing_else() -> None:
    names: list[tuple[int | str, ...]] = [
        (0, "views", 1, 2),
        (1, "views", 1, 2),
        (0, "order", 1, 2),
        (0, "views", 12),
        (0, "views", 2, 1),
        (0, "views", "1", 2),
    ]
    draws = [tuple(torch.rand(4, generator=stream(*name)).tolist()) for name in names]
    assert len(set(draws)) == len(names)
    assert draws == [tuple(torch.rand(4, generator=stream(*name)).tolist()) for name in names]


def test_seeds_are_those_of_the_documented_hash() -> None:
    """So they are the same in every process and on every machine."""
    digest = hashlib.sha256(b'[7, "x"]').digest()
    assert derive_seed(7, "x") == int.from_bytes(digest[:8], "big") // 2


def test_parameters_come_from_the_name_and_the_global_state_is_put_back() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    with random_parameters(3, "parameters"):
        first = nn.Linear(4, 4).weight
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    with random_parameters(3, "parameters"):
        second = nn.Linear(4, 4).weight
    assert torch.equal(first, second)
