"""Points that no sampler chooses: all of a space of choices, the corners of a sampled one."""

import dataclasses
import fnmatch
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from handssl.augment import AUGMENTATIONS, Composition, Regressable, compositions
from handssl.errors import ConfigError
from search.config.search import Range, SearchConfig
from search.space.point import Point
from search.space.sample import (
    ASSIGNABLE,
    REQUIRED_KIND,
    assignable_objectives,
    has_augmentation,
    kind_of,
    notation,
    second_view,
    varies,
)


def grid(search: SearchConfig) -> list[Point]:
    """Every point of a space of choices.

    The order is that of the paper's table 5: composition by composition with the objectives side
    by side, all first repeats before the second ones. So a study cut short is still comparable.

    Raises:
        ConfigError: A key has a range, which no grid can exhaust; or there is no point.
    """
    for key, range_ in search.ranges.items():
        if range_.choices is None:
            raise ConfigError(
                f"search.space.{key} must list choices for search.kind=grid, but got a range; "
                "use search=random or search=tpe"
            )
    points = [
        Point(objective=label, composition=composition, values=values, repeat=repeat)
        for repeat in range(search.repeats)
        for composition, label in _compositions(search)
        for values in _combinations(search, label, composition)
    ]
    if not points:
        names = [name for name, kind in AUGMENTATIONS.items() if issubclass(kind, Regressable)]
        raise ConfigError(
            f"search.augmentations must have one of {', '.join(names)} for the relative "
            f"objective, but got {list(search.augmentations)}; add one, or another of "
            "search.objectives"
        )
    return matching(points, search.include, "search.include") if search.include else points


def matching(points: Sequence[Point], patterns: Sequence[str], key: str) -> list[Point]:
    """The points that match a pattern "OBJECTIVE COMPOSITION", where * is any text, in order.

    `key` is the key of the patterns in the configuration, for the message.

    Raises:
        ConfigError: A pattern matches no point.
    """
    names = [f"{point.objective} {point.composition}" for point in points]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ConfigError(
                f"{key} must hold patterns of points such as {names[0]!r}, but got {pattern!r}, "
                "which matches none"
            )
    return [
        point
        for point, name in zip(points, names, strict=True)
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    ]


def _compositions(search: SearchConfig) -> Iterator[tuple[str, str]]:
    """Pairs of a composition's notation and an objective's label."""
    extra = [name for name in search.single_augmentations if name not in search.augmentations]
    singles = [Composition.parse(name) for name in extra]
    second = second_view(search)
    for composition in (*compositions(search.augmentations), *singles):
        pair = dataclasses.replace(composition, second=second)
        for label in search.objectives:
            kind = kind_of(search, label)
            if kind == "mixed":
                for assigned in _assignments(composition):
                    yield notation(Composition.parse(assigned), second), label
            elif any(has_augmentation(v, REQUIRED_KIND.get(kind, object)) for v in pair.views):
                yield notation(composition, second), label


def _assignments(composition: Composition) -> Iterator[str]:
    """The notation of every assignment of objectives to the augmentations."""
    choices = [
        [f"{a.symbol}:{kind}" for kind in assignable_objectives(a.name)]
        for a in composition.augmentations
    ]
    yield from map("+".join, itertools.product(*choices))


def _combinations(
    search: SearchConfig, label: str, composition: str
) -> Iterator[tuple[tuple[str, Any], ...]]:
    """Every combination of the choices of the keys that vary here."""
    kind, parsed = kind_of(search, label), Composition.parse(composition)
    keys = [key for key in search.ranges if varies(key, kind, parsed)]
    for values in itertools.product(*(search.ranges[key].choices or () for key in keys)):
        yield tuple(zip(keys, values, strict=True))


def corner_points(search: SearchConfig) -> list[Point]:
    """Corner points of a sampled search space: if these are valid, every point is.

    They have all augmentations, under every objective, at both limits of one range each time. The
    other ranges take their middle or first choice. A mixed objective gets each assignment for all
    augmentations that can take it.
    """
    return list(dict.fromkeys(_corner_points(search)))


def _corner_points(search: SearchConfig) -> Iterator[Point]:
    middles = {key: _middle(range_) for key, range_ in search.ranges.items()}
    corners = [middles]
    for key, range_ in search.ranges.items():
        limits = (range_.low, range_.high) if range_.choices is None else range_.choices
        corners += [{**middles, key: limit} for limit in limits]
    for label, objective, values in itertools.product(
        sorted(search.objectives), ASSIGNABLE, corners
    ):
        kind, names = kind_of(search, label), list(search.augmentations)
        if kind == "mixed":
            for index, name in enumerate(names):
                valid = assignable_objectives(name)
                names[index] += f":{objective if objective in valid else valid[0]}"
        composition = notation(Composition.parse("+".join(names)), second_view(search))
        parsed = Composition.parse(composition)
        varying = tuple((key, values[key]) for key in values if varies(key, kind, parsed))
        yield Point(objective=label, composition=composition, values=varying)


def _middle(range_: Range) -> Any:
    if range_.choices is not None:
        return range_.choices[0]
    assert range_.low is not None
    assert range_.high is not None
    total = range_.low + range_.high
    return total // 2 if isinstance(total, int) else total / 2
