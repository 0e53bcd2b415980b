"""What a search goes by: a number that the records hold, and the direction in which it is better.

The probe's metrics and the encoder steps are in every report of a rung, and so may stop a trial;
the diagnostics are taken once, at the end of a trial.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

from handssl.evaluation import POSE_METRICS
from handssl.records import OBJECTIVE, Record

Direction = Literal["minimize", "maximize"]

ENCODER_STEPS: Final = "encoder_steps"
"""What a trial has cost; a key of its record and of every report, not one of its metrics."""

AT_RUNGS: Final = (*POSE_METRICS, ENCODER_STEPS)
"""What the report of a rung carries."""

_BETTER: Final[dict[str, Direction]] = {**POSE_METRICS, ENCODER_STEPS: "minimize"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchMetric:
    """A number of the records, to be as small or as large as possible.

    Attributes:
        name: A metric of the probe (median_pje_cm, pa_mpjpe_cm, auc_5cm, …), a diagnostic
            (rankme, invariance/rotate, …; not with early stopping), or encoder_steps.
        direction: Whether less or more of it is better; of the probe's metrics and the steps it
            is known, of the diagnostics either may be asked.
    """

    name: str = OBJECTIVE
    direction: Direction = "minimize"

    @property
    def only_direction(self) -> Direction:
        """The direction that makes sense of it."""
        return _BETTER.get(self.name, self.direction)

    @property
    def worst(self) -> float:
        """What no value is worse than."""
        return self.cost(math.inf)

    def cost(self, value: float) -> float:
        """The value such that less is better."""
        return value if self.direction == "minimize" else -value

    def of(self, record: Record) -> float | None:
        """Its value at the end of a trial; None where there is none, or it was not finite."""
        if self.name == ENCODER_STEPS:
            return float(record.encoder_steps)
        value = record.metrics.get(self.name)
        return None if value is None else float(value)
