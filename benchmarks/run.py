"""Measure the budgets and write them to docs/benchmarks.md, one section a module.

    python benchmarks/run.py                 everything; `scaling` alone takes about an hour
    python benchmarks/run.py views step      some of it; the other sections stay as they are
    python benchmarks/run.py --quick         seconds each: whether everything still runs

Figures that are compared come from one run on one machine. What stands below the generated part of
the document is written by hand and stays.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

# This folder is a script's, not an installed package's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.table import Table

from benchmarks import (
    agreement,
    gpu,
    nt_xent,
    probe,
    report,
    samplers,
    scaling,
    scheduling,
    step,
    trials,
    views,
)
from benchmarks.figure import ROOT, Row, measured_at
from handssl.allocator import keep_freed_memory

MODULES: Final[Mapping[str, tuple[Callable[..., list[Row]], str | None]]] = {
    "views": (views.measure, views.__doc__),
    "nt_xent": (nt_xent.measure, nt_xent.__doc__),
    "step": (step.measure, step.__doc__),
    "scaling": (scaling.measure, scaling.__doc__),
    "trials": (trials.measure, trials.__doc__),
    "scheduling": (scheduling.measure, scheduling.__doc__),
    "probe": (probe.measure, probe.__doc__),
    "agreement": (agreement.measure, agreement.__doc__),
    "samplers": (samplers.measure, samplers.__doc__),
    "report": (report.measure, report.__doc__),
    "gpu": (gpu.measure, gpu.__doc__),
}

HEAD: Final = """# Benchmarks

Written by `make bench` (`python benchmarks/run.py`); each section says when and where it was
measured. Budgets are ratios within one run wherever the machine would decide otherwise, and no
test depends on them. Data set building at scale has its own, `python benchmarks/data_scale.py`,
with its figures in [data.md](data.md).
"""

BY_HAND: Final = "<!-- by hand: what follows is kept -->"

TAIL: Final = """

## Wall times of the main job

Not yet measured.
"""


def section(name: str, rows: list[Row], when: str) -> str:
    """One module's part of the document."""
    title, _, text = (MODULES[name][1] or name).strip().partition("\n\n")
    lines = ["| what | figure | budget | |", "|---|---|---|---|"]
    for own in rows:
        verdict = {True: "met", False: "**not met**", None: ""}[own["met"]]
        lines.append(f"| {own['what']} | {own['figure']} | {own['budget']} | {verdict} |")
    command = f"`python benchmarks/run.py {name}`; {when}."
    return "\n\n".join([f"## {title.rstrip('.')}", text.strip(), command, "\n".join(lines)])


def document(before: str, fresh: Mapping[str, str]) -> str:
    """The document with fresh sections in place of theirs, and all else kept."""
    marked = re.findall(r"<!-- (\w+) -->\n(.*?)\n<!-- end -->", before, flags=re.DOTALL)
    sections = {**dict(marked), **fresh}
    generated = "\n\n".join(
        f"<!-- {name} -->\n{sections[name]}\n<!-- end -->" for name in MODULES if name in sections
    )
    _, found, kept = before.partition(BY_HAND)
    return f"{HEAD}\n{generated}\n\n{BY_HAND}{kept if found else TAIL}"


def show(console: Console, name: str, rows: list[Row]) -> None:
    """The same as a table in the terminal."""
    table = Table("what", "figure", "budget", "", title=name, title_justify="left")
    for own in rows:
        verdict = {True: "[green]met[/]", False: "[red]not met[/]", None: ""}[own["met"]]
        table.add_row(own["what"], own["figure"], own["budget"], verdict)
    console.print(table)


def main() -> None:
    """Measure what was asked for, show it, and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", help=f"some of {', '.join(MODULES)}; default all")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; nothing is written")
    parser.add_argument("--out", type=Path, help="document; default docs/benchmarks.md")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.modules) - set(MODULES))
    if unknown:
        parser.error(f"modules must be among {', '.join(MODULES)}, but got {', '.join(unknown)}")
    out: Path | None = arguments.out
    if out is None and not arguments.quick:
        out = ROOT / "docs" / "benchmarks.md"
    keep_freed_memory()  # as every command does
    console = Console()
    for name in arguments.modules or MODULES:
        when = measured_at()
        rows = MODULES[name][0](quick=arguments.quick)
        show(console, name, rows)
        if out is not None:  # after every module, so that a later failure loses nothing
            before = out.read_text() if out.exists() else ""
            out.write_text(document(before, {name: section(name, rows, when)}))


if __name__ == "__main__":
    main()
