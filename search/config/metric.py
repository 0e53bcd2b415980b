"""The metric that a search optimises: a number of the records, and the direction that is better.

The probe's metrics and the encoder steps are in every report of a rung, and so may stop a trial;
the diagnostics are taken once, at the end of a trial.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

from handssl.evaluation import POSE_METRICS, UV_METRICS
from handssl.records import Record

Direction = Literal["minimize", "maximize"]

ENCODER_STEPS: Final = "encoder_steps"
"""The cost of a trial: a key of its record and of every report, not one of its metrics."""

AT_RUNGS: Final = (*POSE_METRICS, *UV_METRICS, ENCODER_STEPS)
"""The metrics in the report of a rung."""

_BETTER: Final[dict[str, Direction]] = {
    **POSE_METRICS,
    **UV_METRICS,
    ENCODER_STEPS: "minimize",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchMetric:
    """A number of the records, to be as small or as large as possible.

    Attributes:
        name: A metric of the probe (ra_median_pje_cm, pa_mpjpe_cm, uv_median_pct, auc_5cm, …), a
            diagnostic (rankme, invariance/rotate, …; not with early stopping), or encoder_steps.
            The paper's is median_pje_cm, which mostly measures the depth of the root.
        direction: Whether less or more is better: fixed for the probe's metrics and the steps,
            free for the diagnostics.
    """

    name: str = "ra_median_pje_cm"
    direction: Direction = "minimize"

    @property
    def only_direction(self) -> Direction:
        """The only sensible direction."""
        return _BETTER.get(self.name, self.direction)

    @property
    def worst(self) -> float:
        """Worst possible value (±inf)."""
        return self.cost(math.inf)

    def cost(self, value: float) -> float:
        """The value with the sign that makes less better."""
        return value if self.direction == "minimize" else -value

    def of(self, record: Record) -> float | None:
        """Its value at the end of a trial; None if it is missing or was not finite."""
        if self.name == ENCODER_STEPS:
            return float(record.encoder_steps)
        value = record.metrics.get(self.name)
        return None if value is None else float(value)
