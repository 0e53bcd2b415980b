"""A point of the search space."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A position in the search space.

    Attributes:
        objective: Label of the objective, a key of `search.objectives`.
        composition: The composition's notation: "T+CJ+S", "T+CJ/S" if the views differ, or
            "T:relative+CJ:contrastive" if each augmentation is assigned an objective.
        values: Other keys of trial.pretrain that vary, dotted, with their values.
        repeat: Number of the seed, from 0.
    """

    objective: str
    composition: str
    values: tuple[tuple[str, Any], ...] = ()
    repeat: int = 0


def point_from(values: Mapping[str, Any]) -> Point:
    """A point from its JSON form in a record."""
    pairs = tuple((str(key), value) for key, value in values["values"])
    return Point(**{**values, "values": pairs})
