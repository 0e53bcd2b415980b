"""One measured figure, the budget that it is held to, and the machine it was measured on."""

import datetime
import os
import platform
from pathlib import Path
from typing import TypedDict

import torch

from handssl.records import git_state
from handssl.versions import versions

ROOT = Path(__file__).resolve().parent.parent


class Row(TypedDict):
    """A line of a table: what was measured, the figure with its unit, its budget, whether met."""

    what: str
    figure: str
    budget: str
    met: bool | None


def row(
    what: str,
    value: float | str,
    unit: str = "",
    *,
    least: float | None = None,
    most: float | None = None,
) -> Row:
    """A line; with `least` or `most` it says whether the value keeps to that.

    Args:
        what: What was measured.
        value: The figure, or text where there is none.
        unit: Its unit, such as "×" or "s".
        least: Smallest value that will do.
        most: Largest value that will do.
    """
    if isinstance(value, str):
        return {"what": what, "figure": value, "budget": "", "met": None}
    budget, met = "", None
    if least is not None:
        budget, met = f"≥ {written(least, unit)}", value >= least
    if most is not None:
        budget, met = f"≤ {written(most, unit)}", value <= most
    return {"what": what, "figure": written(value, unit), "budget": budget, "met": met}


def written(value: float, unit: str) -> str:
    """A number with three digits that count, and its unit."""
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{number} {unit}".strip()


def measured_at() -> str:
    """Time, machine, its load from other work, versions and revision, on one line."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    git = git_state()
    revision = (git["revision"] or "unknown")[:10] + (" with changes" if git["dirty"] else "")
    named = versions()
    kept = ", ".join(f"{name} {named[name]}" for name in ("python", "torch", "ray"))
    load = f"load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else "load unknown"
    return f"{now}; {_machine()}, {load}; {kept}; revision {revision}"


def _machine() -> str:
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0].partition(":")[2].strip() if models else name
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return f"{os.cpu_count()} × {name}" + "".join(f", {d}" for d in devices)
