"""Checks that stand beside the fields of a dataclass: `epochs: Annotated[int, Ge(1)] = 100`."""

import dataclasses
import functools
from collections.abc import Hashable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, cast, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen

from handssl.errors import ConfigError


class OneOf:
    """The choices of a field, where `Literal` would let beartype refuse a value first."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices


class _Checks(NamedTuple):
    """What a field's annotation demands of each of its values."""

    bounds: tuple[Gt | Ge | Lt | Le, ...]
    choices: tuple[Any, ...]
    min_length: int


def check_fields(config: Any, prefix: str = "") -> None:
    """Refuse a value outside the bounds or the choices of its field; call it in `__post_init__`.

    Bounds and choices apply to each element of a tuple and to each value of a mapping, `MinLen` to
    the tuple itself. None passes, NaN does not.

    Args:
        config: A dataclass.
        prefix: Of its keys, such as "optimizer.".

    Raises:
        ConfigError: Naming the field, its bounds and its value.

    Example:
        >>> @dataclasses.dataclass
        ... class Cooling:
        ...     temperature: Annotated[float, Gt(0)] = 0.5
        >>> check_fields(Cooling(temperature=-1.0))
        Traceback (most recent call last):
        handssl.errors.ConfigError: temperature must be > 0, but got temperature=-1.0
    """
    for name, checks in _checks_of(cast("Hashable", type(config))).items():
        value = getattr(config, name)
        if checks.min_length and len(value) < checks.min_length:
            raise ConfigError(f"{prefix}{name} must list at least {checks.min_length}, but got []")
        for element in _elements(value):
            if checks.bounds and not all(_within(element, bound) for bound in checks.bounds):
                bounds = bounds_text(checks.bounds)
                raise ConfigError(f"{prefix}{name} must be {bounds}, but got {name}={element}")
            if checks.choices and element not in checks.choices:
                choices = ", ".join(map(str, checks.choices))
                raise ConfigError(
                    f"{prefix}{name} must be one of {choices}, but got {name}={element!r}"
                )


def choices_of(hint: Any) -> tuple[Any, ...]:
    """The values that a type, with its annotations, allows; () where it has no list of them."""
    return _checks_in(hint).choices


def bounds_text(bounds: tuple[Gt | Ge | Lt | Le, ...]) -> str:
    """Bounds as a message states them: "> 0", or "in (0, 1]"."""
    if len(bounds) == 2:
        low, high = bounds
        opening, closing = "(["[isinstance(low, Ge)], ")]"[isinstance(high, Le)]
        return f"in {opening}{_limit(low)}, {_limit(high)}{closing}"
    signs = {Gt: ">", Ge: ">=", Lt: "<", Le: "<="}
    return " and ".join(f"{signs[type(bound)]} {_limit(bound)}" for bound in bounds)


def _limit(bound: Gt | Ge | Lt | Le) -> Any:
    return next(getattr(bound, field.name) for field in dataclasses.fields(bound))


def _within(value: Any, bound: Gt | Ge | Lt | Le) -> bool:
    limit = _limit(bound)
    match bound:
        case Gt():
            return bool(value > limit)
        case Ge():
            return bool(value >= limit)
        case Lt():
            return bool(value < limit)
        case Le():
            return bool(value <= limit)


def _elements(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value
    elif value is not None:
        yield value


@functools.cache
def _checks_of(cls: Any) -> dict[str, _Checks]:
    hints = get_type_hints(cls, include_extras=True)
    checks = {field.name: _checks_in(hints[field.name]) for field in dataclasses.fields(cls)}
    return {name: check for name, check in checks.items() if any(check)}


def _checks_in(hint: Any) -> _Checks:
    """The checks anywhere in a type, such as `tuple[Annotated[float, Gt(0)], ...] | None`."""
    if get_origin(hint) is Literal:
        return _Checks((), get_args(hint), 0)
    if get_origin(hint) is Annotated:
        kind, *metadata = get_args(hint)
        inner = _checks_in(kind)
        bounds = tuple(entry for entry in metadata if isinstance(entry, Gt | Ge | Lt | Le))
        lengths = [entry.min_length for entry in metadata if isinstance(entry, MinLen)]
        choices = [
            choice for entry in metadata if isinstance(entry, OneOf) for choice in entry.choices
        ]
        return _Checks(
            inner.bounds + bounds, (*inner.choices, *choices), max([inner.min_length, *lengths])
        )
    parts = [_checks_in(part) for part in get_args(hint) if part is not ...]
    return next((part for part in parts if any(part)), _Checks((), (), 0))
