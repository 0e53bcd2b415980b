"""The samplers of a search."""

import warnings
from collections.abc import Callable

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler


def _tpe(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        # A space with conditional keys needs groups, which Optuna calls experimental.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "grid": lambda seed: RandomSampler(seed=seed),  # never asked: a grid needs no sampler
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": _tpe,
    "nsga2": lambda seed: NSGAIISampler(seed=seed),
}
"""Optuna's samplers by search.kind."""
