"""Does a low-fidelity study predict the ranking of a high-fidelity one?

`python -m analysis.fidelity STUDY STUDY… --out DIR` compares studies that run the same rows with
other epochs, pixels, images or encoders: the errors of every row, and for every two studies the
rank correlation of the rows.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from pathlib import Path

import numpy as np
from rich.console import Console

from analysis.grid import Setting, arrange
from analysis.reading import read_studies
from analysis.records import Study
from analysis.statistics import kendall, spearman
from analysis.tables import Column, Table, to_console, write_table
from analysis.tables.model import (
    ONE_SEED,
    columns,
    number,
    p_value,
    result,
    section,
    span,
    texts,
)
from handssl.errors import ConfigError, HandSSLError

Row = tuple[str, str]
"""Title of the objective, composition."""


def rows_of(study: Study) -> Mapping[Row, Setting]:
    """The best setting of every row of a study, as in its tables."""
    grid = arrange([study])
    return {
        (column.title, composition): setting
        for column in grid.columns
        for composition, setting in grid.finished(column).items()
    }


def errors_table(studies: Sequence[Study]) -> Table:
    """The errors of the rows, one column a study."""
    settings = [rows_of(study) for study in studies]
    rows = []
    for row in dict.fromkeys(chain.from_iterable(settings)):
        summaries = (s[row].summary(s[row].metric.name) if row in s else None for s in settings)
        rows.append((*texts(*row), *(result(summary, "–") for summary in summaries)))
    return Table(
        key="fidelity_errors",
        title="The same rows at several fidelities",
        columns=(
            *columns("*Objective", "*Composition"),
            *(Column(name=study.name, unit=study.metric.unit, better="↓") for study in studies),
        ),
        sections=(section(rows),),
        caption=f"{studies[0].metric.heading}. {'; '.join(map(_title, studies))}. "
        f"{ONE_SEED}: one seed.",
    )


def _title(study: Study) -> str:
    """Name and fidelity, with the number of images and the batch size where recorded."""
    fidelity = study.section("fidelity")
    parts = [study.title]
    if isinstance(images := fidelity.get("images"), int):
        parts.append(f"{images:,} images")
    if isinstance(batch := fidelity.get("batch_size"), int):
        parts.append(f"batches of {batch}")
    return ", ".join(parts)


def agreement_table(studies: Sequence[Study], seed: int = 0) -> Table:
    """Rank correlations between the rows of every two studies.

    Args:
        studies: At least two.
        seed: Seed of the permutations and the bootstrap.
    """
    generator = np.random.default_rng(seed)
    lines = []
    for first, second in combinations(studies, 2):
        a, b = rows_of(first), rows_of(second)
        shared = [row for row in a if row in b]
        x, y = [a[row].score for row in shared], [b[row].score for row in shared]
        rho, tau = spearman(x, y, generator), kendall(x, y, generator)
        lines.append(
            [
                *texts(first.name, second.name),
                number(rho.n, 0),
                number(rho.value, absent="n/a"),
                span(rho.interval),
                p_value(rho.p),
                number(tau.value, absent="n/a"),
            ]
        )
    return Table(
        key="fidelity_agreement",
        title="Agreement of the rankings at two fidelities",
        columns=columns(
            "*One", "*Other", "rows", "Spearman ρ", "95% interval", "p", "Kendall τ-b"
        ),
        sections=(section(lines),),
        caption="Over the shared rows, means over seeds. Intervals: bootstrap over rows. p: "
        "permutation tests.",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print both tables and write them to `--out`; the status is 0, or 2 for unusable input."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.fidelity",
        description="Compare the rankings of studies that run the same rows at other fidelities.",
    )
    parser.add_argument("study", nargs="+", help="at least two, the lowest fidelity first")
    parser.add_argument("--out", type=Path, help="folder for the tables")
    parser.add_argument("--metric", help="rank by this metric (default: the studies')")
    options = parser.parse_args(argv)
    console = Console()
    try:
        if len(options.study) < 2:
            raise ConfigError(f"study takes at least two studies, but got {options.study}")
        studies = read_studies(options.study, options.metric)
        tables = (errors_table(studies), agreement_table(studies))
        paths = [p for t in tables for p in write_table(t, options.out)] if options.out else []
    except HandSSLError as error:
        Console(stderr=True, soft_wrap=True).print(
            f"error: {error}", markup=False, highlight=False
        )
        return 2
    for part in chain.from_iterable(to_console(table, console.width) for table in tables):
        console.print(part)
    for path in paths:
        console.print(str(path), soft_wrap=True, markup=False, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
