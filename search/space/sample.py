"""How a point of the search space is sampled.

One function, `sample_point`, walks the space and asks a trial of Optuna for each decision; a fixed
trial gives the parameters of a known point. The walk itself excludes points that no objective can
use: a decision with a single valid answer is not asked.
"""

import contextlib
import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from optuna.distributions import BaseDistribution
from optuna.trial import BaseTrial, FixedTrial

from handssl.augment import AUGMENTATIONS, Composition, Geometric, Regressable
from handssl.errors import ConfigError
from search.config.search import Range, SearchConfig
from search.config.typed import applies
from search.space.point import Point

ASSIGNABLE: Final = ("contrastive", "relative", "equivariant")
"""Objectives that a mixed objective assigns to augmentations."""

REQUIRED_KIND: Final[Mapping[str, type]] = {"relative": Regressable, "equivariant": Geometric}
"""With these objectives, one of the views must have an augmentation of that kind."""


def sample_point(suggester: BaseTrial, search: SearchConfig) -> Point:
    """Walk the space, asking for each decision."""
    label = str(suggester.suggest_categorical("objective", sorted(search.objectives)))
    kind, second = kind_of(search, label), second_view(search)
    if kind == "mixed":
        first = _sample_assignment(suggester, search.augmentations)
    else:
        required = REQUIRED_KIND.get(kind, object)
        satisfied = second is not None and has_augmentation(second, required)
        first = _sample_subset(suggester, search.augmentations, object if satisfied else required)
    composition = notation(first, second)
    values = tuple(
        (key, _sample_value(suggester, key, range_))
        for key, range_ in search.ranges.items()
        if varies(key, kind, Composition.parse(composition))
    )
    return Point(objective=label, composition=composition, values=values)


def kind_of(search: SearchConfig, label: str) -> str:
    """The objective behind a label of `search.objectives`."""
    return str(search.objectives[label].get("name", label))


def second_view(search: SearchConfig) -> Composition | None:
    """The composition of every second view; None if it is that of the first view."""
    return None if search.second_view is None else Composition.parse(search.second_view)


def has_augmentation(view: Composition, kind: type) -> bool:
    """Whether a view has an augmentation of a kind."""
    return any(isinstance(augmentation, kind) for augmentation in view.augmentations)


def _sample_subset(suggester: BaseTrial, names: Sequence[str], required: type) -> Composition:
    """A subset that the objective can use; augmentations of the required kind are asked last."""

    def is_required(name: str) -> bool:
        return issubclass(AUGMENTATIONS[name], required)

    order = sorted(names, key=is_required)
    chosen: list[str] = []
    for position, name in enumerate(order):
        satisfied = any(map(is_required, chosen))
        last_chance = not any(map(is_required, order[position + 1 :]))
        forced = not satisfied and last_chance and is_required(name)
        if forced or suggester.suggest_categorical(name, (False, True)):
            chosen.append(name)
    return Composition.parse("+".join(chosen))


def _sample_assignment(suggester: BaseTrial, names: Sequence[str]) -> Composition:
    """An objective or none for each augmentation; at least one has an objective."""
    chosen: list[str] = []
    for position, name in enumerate(names):
        objectives = assignable_objectives(name)
        forced = not chosen and position == len(names) - 1
        # Optuna ties a name to one set of choices, so the forced decision has another name.
        decision = f"{name} (only)" if forced else name
        choices = objectives if forced else ["off", *objectives]
        objective = suggester.suggest_categorical(f"assign {decision}", choices)
        if objective != "off":
            chosen.append(f"{name}:{objective}")
    return Composition.parse("+".join(chosen))


def assignable_objectives(name: str) -> list[str]:
    """The objectives that a mixed objective can assign to an augmentation."""
    valid = []
    for objective in ASSIGNABLE:
        with contextlib.suppress(ConfigError):
            Composition.parse(f"{name}:{objective}")
            valid.append(objective)
    return valid


def notation(first: Composition, second: Composition | None) -> str:
    """The notation of a pair of views with its assignments: "T:relative+CJ:contrastive"."""
    text = "+".join(
        augmentation.symbol if objective is None else f"{augmentation.symbol}:{objective}"
        for augmentation, objective in zip(first.augmentations, first.objectives, strict=True)
    )
    return text if second is None else f"{text}/{notation(second, None)}"


def _sample_value(suggester: BaseTrial, key: str, range_: Range) -> Any:
    if range_.choices is not None:
        return suggester.suggest_categorical(key, range_.choices)
    low, high = range_.low, range_.high
    assert low is not None
    assert high is not None
    if isinstance(low, int) and isinstance(high, int):
        return suggester.suggest_int(key, low, high, log=range_.log)
    return suggester.suggest_float(key, low, high, log=range_.log)


def varies(key: str, kind: str, composition: Composition) -> bool:
    """Whether a key has an effect with an objective and a composition."""
    if key.startswith("magnitudes."):
        return any(key.split(".")[1] in view.names for view in composition.views)
    assigned = {name for view in composition.views for name in view.objectives if name is not None}
    return applies(key, kind, assigned)


def parameters_of(
    point: Point, search: SearchConfig, *, partial: bool = False
) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """A point as Optuna's parameters with their distributions, as if it had been sampled.

    `partial` omits parameters of the space that the point does not set.

    Raises:
        ValueError: The point lies outside the space.
    """
    names = tuple(dict.fromkeys((*search.augmentations, *search.single_augmentations)))
    assignment = Composition.parse(point.composition).assignment
    answers: dict[str, Any] = {"objective": point.objective, **dict(point.values)}
    for name in names:
        assigned = assignment.get(name, "off")
        answers[name] = name in assignment
        answers |= {f"assign {name}": assigned, f"assign {name} (only)": assigned}
    # Optuna must be given a value for each question, so the omitted ones get any valid value.
    omitted = search.ranges.keys() - answers.keys() if partial else set()
    for key in omitted:
        range_ = search.ranges[key]
        answers[key] = range_.low if range_.choices is None else range_.choices[0]
    trial = FixedTrial(answers)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # a value outside its range
        try:
            nearest = sample_point(trial, dataclasses.replace(search, augmentations=names))
        except UserWarning as error:
            raise ValueError(str(error)) from error
    # A value that the space does not ask for would be lost, and the point mistaken for another.
    values = tuple((key, value) for key, value in nearest.values if key not in omitted)
    if dataclasses.replace(nearest, values=values, repeat=point.repeat) != point:
        raise ValueError(f"{point} is not in the space; the nearest is {nearest}")
    parameters, distributions = trial.params, trial.distributions
    for key in omitted & parameters.keys():
        del parameters[key], distributions[key]
    return parameters, distributions
