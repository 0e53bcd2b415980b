"""Checks of raw data sets and stores; each result is a `Finding`."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check.

    Attributes:
        level: "ok", "note" (good to know), "warning" (look at it), "error" (do not use the data).
        text: The result.
        advice: Recommended action.
    """

    level: Level
    text: str
    advice: str = ""


def check(passed: bool, text: str, advice: str, *, level: Level = "error") -> Finding:
    """An "ok" without advice if the check passed, else a finding of `level` with advice."""
    return (
        Finding(level="ok", text=text)
        if passed
        else Finding(level=level, text=text, advice=advice)
    )
