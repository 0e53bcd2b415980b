"""Checks that stand beside the fields of a dataclass: `epochs: Annotated[int, Ge(1)] = 100`."""

import dataclasses
import functools
import operator
from collections.abc import Hashable, Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, cast, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen

from handssl.errors import ConfigError

_SIGNS = {
    Gt: (">", operator.gt),
    Ge: (">=", operator.ge),
    Lt: ("<", operator.lt),
    Le: ("<=", operator.le),
}


class OneOf:
    """The choices of a field, where `Literal` would let beartype refuse a value first."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices


class _Checks(NamedTuple):
    """What a field's annotation demands of each of its values."""

    bounds: tuple[Gt | Ge | Lt | Le, ...] = ()
    choices: tuple[Any, ...] = ()
    min_length: int = 0


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
            if not all(_SIGNS[type(bound)][1](element, _limit(bound)) for bound in checks.bounds):
                bounds = _bounds_text(checks.bounds)
                raise ConfigError(f"{prefix}{name} must be {bounds}, but got {name}={element}")
            if checks.choices and element not in checks.choices:
                choices = ", ".join(map(str, checks.choices))
                raise ConfigError(
                    f"{prefix}{name} must be one of {choices}, but got {name}={element!r}"
                )


def choices_of(hint: Any) -> tuple[Any, ...]:
    """The values that a type, with its annotations, allows; () where it has no list of them."""
    return _checks_in(hint).choices


def _bounds_text(bounds: tuple[Gt | Ge | Lt | Le, ...]) -> str:
    """Bounds as a message states them: "> 0", or "in (0, 1]"."""
    if len(bounds) == 2:
        low, high = bounds
        opening, closing = "(["[isinstance(low, Ge)], ")]"[isinstance(high, Le)]
        return f"in {opening}{_limit(low)}, {_limit(high)}{closing}"
    return " and ".join(f"{_SIGNS[type(bound)][0]} {_limit(bound)}" for bound in bounds)


def _limit(bound: Gt | Ge | Lt | Le) -> Any:
    (limit,) = dataclasses.astuple(bound)
    return limit


def _elements(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, list | tuple):
        return value
    return () if value is None else (value,)


@functools.cache
def _checks_of(cls: Any) -> dict[str, _Checks]:
    hints = get_type_hints(cls, include_extras=True)
    checks = {field.name: _checks_in(hints[field.name]) for field in dataclasses.fields(cls)}
    return {name: check for name, check in checks.items() if any(check)}


def _checks_in(hint: Any) -> _Checks:
    """The checks anywhere in a type, such as `tuple[Annotated[float, Gt(0)], ...] | None`."""
    if get_origin(hint) is Literal:
        return _Checks(choices=get_args(hint))
    if get_origin(hint) is Annotated:
        kind, *metadata = get_args(hint)
        checks = _checks_in(kind)
        for entry in metadata:
            match entry:
                case OneOf(choices=choices):
                    checks = checks._replace(choices=(*checks.choices, *choices))
                case MinLen(min_length=minimum):
                    checks = checks._replace(min_length=max(checks.min_length, minimum))
                case Gt() | Ge() | Lt() | Le():
                    checks = checks._replace(bounds=(*checks.bounds, entry))
        return checks
    parts = [_checks_in(part) for part in get_args(hint) if part is not ...]
    return next(filter(any, parts), _Checks())
