"""Where every random number of a run comes from: a named stream, not a state that is carried on.

A stream is named by its purpose, such as (seed, "views", epoch, step), and its generator is
seeded with the SHA-256 of that name. So nothing random has to be stored in a checkpoint, a
resumed run draws what the uninterrupted one would have drawn, every worker can draw the whole
batch's numbers, and no draw depends on how many were made before it.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator

import torch


def derive_seed(*name: int | str) -> int:
    """Seed of a named stream: the first 63 bits of the SHA-256 of the name as JSON.

    Example:
        >>> derive_seed(0, "order", 1) == derive_seed(0, "order", 2)
        False
    """
    digest = hashlib.sha256(json.dumps(name).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(*name: int | str) -> torch.Generator:
    """CPU generator of a named stream.

    PyTorch's CPU generator uses the seed's low 32 bits, so two of a hundred thousand streams may
    coincide; they would be of different steps, where that does no harm.
    """
    return torch.Generator().manual_seed(derive_seed(*name))


@contextlib.contextmanager
def random_parameters(*name: int | str) -> Iterator[None]:
    """Inside, modules draw their initial parameters from a named stream.

    PyTorch's initialisers use the global state only, so that is set here and put back after.
    """
    with torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would also seed every GPU, for good.
        torch.default_generator.manual_seed(derive_seed(*name))
        yield
