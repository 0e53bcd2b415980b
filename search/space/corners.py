"""Corner points of a sampled search space: if these are valid, every point is."""

import itertools
from collections.abc import Iterator, Sequence

from optuna.distributions import CategoricalChoiceType

from search.config.search import Range, SearchConfig
from search.space.point import Point
from search.space.sample import ASSIGNABLE, sample_point


def corner_points(search: SearchConfig) -> list[Point]:
    """Points with all augmentations, under every objective, at both limits of one range each time.

    The other ranges take their middle or first choice. A mixed objective gets each assignment for
    all augmentations that can take it.
    """
    return list(dict.fromkeys(_corner_points(search)))


def _corner_points(search: SearchConfig) -> Iterator[Point]:
    limits: list[tuple[str, int]] = [("", 0)]
    for key, range_ in search.ranges.items():
        limits += [(key, index) for index in range(_limits(range_))]
    for label, assignment, (key, index) in itertools.product(
        sorted(search.objectives), ASSIGNABLE, limits
    ):
        yield sample_point(_CornerSuggester(label, assignment, key, index), search)


def _limits(range_: Range) -> int:
    """Number of values to try: low and high, or every choice."""
    return 2 if range_.choices is None else len(range_.choices)


class _CornerSuggester:
    """A suggester that takes every augmentation, with one key at one of its limits."""

    def __init__(self, label: str, assignment: str, key: str, index: int) -> None:
        self._label = label
        self._assignment = assignment
        self._key = key
        self._index = index

    def suggest_categorical(
        self, name: str, choices: Sequence[CategoricalChoiceType]
    ) -> CategoricalChoiceType:
        if name == self._key:
            return choices[self._index]
        preferred: list[CategoricalChoiceType] = [self._assignment, True]
        if name == "objective":
            preferred.insert(0, self._label)
        for choice in preferred:
            if choice in choices:
                return choice
        return choices[1] if name.startswith("assign ") and choices[0] == "off" else choices[0]

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return (low, high)[self._index] if name == self._key else (low + high) / 2

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        return (low, high)[self._index] if name == self._key else (low + high) // 2
