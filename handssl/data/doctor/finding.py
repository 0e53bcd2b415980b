"""One thing that the doctor looked at."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: "ok", "note" (worth knowing), "warning" (look at it), "error" (do not use it so).
        what: What was found.
        advice: What to do.
    """

    level: Literal["ok", "note", "warning", "error"]
    what: str
    advice: str = ""
