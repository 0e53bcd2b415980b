"""The ends of a sampled space: where every one of its points is valid if these are."""

import itertools
from collections.abc import Iterator, Sequence

from optuna.distributions import CategoricalChoiceType

from search.config.search import Range, SearchConfig
from search.space.sample import ASSIGNMENTS, Point, choose


def ends(search: SearchConfig) -> list[Point]:
    """Points with all augmentations, under every objective, at both ends of one range each time.

    The other ranges stand at their middle or first choice. A mixed objective gets each assignment
    for all augmentations that can take it.
    """
    return list(dict.fromkeys(_ends(search)))


def _ends(search: SearchConfig) -> Iterator[Point]:
    extremes: list[tuple[str, int]] = [("", 0)]
    for key, where in search.ranges.items():
        extremes += [(key, index) for index in range(_count(where))]
    for label, assignment, (key, index) in itertools.product(
        sorted(search.objectives), ASSIGNMENTS, extremes
    ):
        yield choose(_AtOneEnd(label, assignment, key, index), search)


def _count(where: Range) -> int:
    return 2 if where.choices is None else len(where.choices)


class _AtOneEnd:
    """A chooser that takes everything, with one key at one of its ends."""

    def __init__(self, label: str, assignment: str, key: str, index: int) -> None:
        self._preferred = {"objective": label}
        self._assignment = assignment
        self._key = key
        self._index = index

    def suggest_categorical(
        self, name: str, choices: Sequence[CategoricalChoiceType]
    ) -> CategoricalChoiceType:
        if name == self._key:
            return choices[self._index]
        for wanted in (self._preferred.get(name), self._assignment, True):
            if wanted in choices:
                return wanted
        return choices[1] if name.startswith("assign ") and choices[0] == "off" else choices[0]

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return (low, high)[self._index] if name == self._key else (low + high) / 2

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        return (low, high)[self._index] if name == self._key else (low + high) // 2
