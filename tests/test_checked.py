import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt, MinLen

from handssl.checked import check_fields
from handssl.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Example:
    count: Annotated[int, Ge(1)] = 1
    rate: Annotated[float, Gt(0), Lt(math.inf)] = 0.5
    share: Annotated[float, Gt(0), Le(1)] | None = None
    shares: Annotated[tuple[Annotated[float, Gt(0), Lt(1)], ...], MinLen(1)] = (0.5,)
    weights: Mapping[str, Annotated[float, Ge(0)]] = field(default_factory=dict)
    name: Literal["lamb", "adam"] = "lamb"
    free: str = ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, "a.count must be >= 1, but got count=0"),
        ({"rate": 0.0}, "a.rate must be in (0, inf), but got rate=0.0"),
        ({"rate": math.nan}, "a.rate must be in (0, inf), but got rate=nan"),
        ({"rate": math.inf}, "a.rate must be in (0, inf), but got rate=inf"),
        ({"share": 1.5}, "a.share must be in (0, 1], but got share=1.5"),
        ({"shares": (0.5, 1.0)}, "a.shares must be in (0, 1), but got shares=1.0"),
        ({"shares": ()}, "a.shares must list at least 1, but got []"),
        ({"weights": {"x": -1}}, "a.weights must be >= 0, but got weights=-1"),
        ({"name": "sgd"}, "a.name must be one of lamb, adam, but got name='sgd'"),
    ],
)
def test_a_value_is_refused_with_its_key_and_its_bounds(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        check_fields(dataclasses.replace(Example(), **changes), "a.")
    assert str(refused.value) == message


def test_values_at_their_bounds_pass() -> None:
    check_fields(Example(share=1.0, shares=(0.1, 0.9), weights={"x": 0.0}, name="adam", free="?"))
