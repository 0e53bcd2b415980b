"""``python -m analysis.fidelity STUDY STUDY… --out DIR``: may a cheap study speak for a dear one?

The studies run the same rows at other epochs, pixels, images or encoders. For every two of them
the rank correlation of the rows says whether the cheaper may speak for the other; the rows'
errors say what more training changes.
"""

import argparse
import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from analysis.errors import RecordsError
from analysis.grid import RANKED_BY, Setting, arrange
from analysis.reading import read_study
from analysis.records import Study
from analysis.statistics import kendall, spearman
from analysis.tables import Table, to_console, write_table
from analysis.tables.model import (
    ONE_SEED,
    Column,
    Entry,
    number,
    one_section,
    p_value,
    result,
    span,
)

Row = tuple[str, str]
"""Objective's title, composition."""


def rows_of(study: Study) -> Mapping[Row, Setting]:
    """What each row of a study speaks through, as in its tables: the best of several settings."""
    grid = arrange([study])
    return {
        (column.title, composition): setting
        for column in grid.columns
        for composition, setting in grid.finished(column).items()
    }


def errors_table(studies: Sequence[Study]) -> Table:
    """The rows' errors, a column a study."""
    rows = [rows_of(study) for study in studies]
    keys = dict.fromkeys(itertools.chain.from_iterable(rows))
    return Table(
        key="fidelity_errors",
        title="The same rows at several fidelities",
        columns=(
            Column(name="Objective", numeric=False),
            Column(name="Composition", numeric=False),
            *(Column(name=study.name, unit="cm", better="↓") for study in studies),
        ),
        sections=one_section(
            [
                [
                    Entry(text=objective),
                    Entry(text=composition),
                    *(
                        result(row.summary(RANKED_BY), "–") if row else result(None, "–")
                        for row in (own.get((objective, composition)) for own in rows)
                    ),
                ]
                for objective, composition in keys
            ]
        ),
        caption="Median per-joint error. "
        + "; ".join(_credentials(study) for study in studies)
        + f". {ONE_SEED}: one seed.",
    )


def _credentials(study: Study) -> str:
    """The fidelity with what its label leaves out, where it was recorded."""
    own = study.section("fidelity")
    parts = [study.credentials]
    if isinstance(images := own.get("images"), int):
        parts.append(f"{images:,} images")
    if isinstance(batch := own.get("batch_size"), int):
        parts.append(f"batches of {batch}")
    return ", ".join(parts)


def agreement_table(studies: Sequence[Study], seed: int = 0) -> Table:
    """Rank correlations between the rows of every two studies.

    Args:
        studies: At least two.
        seed: Of permutations and bootstrap.
    """
    generator = np.random.default_rng(seed)
    lines = []
    for one, other in itertools.combinations(studies, 2):
        ours, theirs = rows_of(one), rows_of(other)
        both = [key for key in ours if key in theirs]
        x, y = ([own[key].score for key in both] for own in (ours, theirs))
        rho, tau = spearman(x, y, generator), kendall(x, y, generator)
        lines.append(
            [
                Entry(text=one.name),
                Entry(text=other.name),
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
        columns=(
            Column(name="One", numeric=False),
            Column(name="Other", numeric=False),
            Column(name="rows"),
            Column(name="Spearman ρ"),
            Column(name="95% interval"),
            Column(name="p"),
            Column(name="Kendall τ-b"),
        ),
        sections=one_section(lines),
        caption="Over the rows that both have, seeds averaged first. Intervals are a bootstrap "
        "over rows, p-values permutation tests.",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Prints both tables, writes them where asked; 0, or 2 where they could not be made."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.fidelity",
        description="Compare the rankings of studies that run the same rows at other fidelities.",
    )
    parser.add_argument("study", nargs="+", help="at least two, the cheapest first")
    parser.add_argument("--out", type=Path, help="folder to write the tables into")
    options = parser.parse_args(argv)
    console = Console()
    try:
        if len(options.study) < 2:
            raise RecordsError(f"study must be given at least two, but got {options.study}")
        studies = [read_study(own) for own in options.study]
        tables = (errors_table(studies), agreement_table(studies))
        written = (
            [p for table in tables for p in write_table(table, options.out)] if options.out else []
        )
    except RecordsError as error:
        Console(stderr=True, soft_wrap=True).print(
            f"error: {error}", markup=False, highlight=False
        )
        return 2
    for table in tables:
        for part in to_console(table, console.width):
            console.print(part)
    for path in written:
        console.print(str(path), soft_wrap=True, markup=False, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
