"""``python -m analysis results/<study> [more studies…] [--out DIR] [--compact DIR]``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from analysis.compact import local_paths, write_compact
from analysis.compilation import Report, compile_study
from analysis.errors import RecordsError
from analysis.reading import read_study
from analysis.tables import Table, to_console
from analysis.transfer import find_runs


def main(argv: Sequence[str] | None = None) -> int:
    """Compiles the given studies and prints the best-composition tables and the paths.

    Args:
        argv: Arguments without the program's name; by default those of the process.

    Returns:
        0 when the report was written, 2 when it could not be.
    """
    parser = argparse.ArgumentParser(
        prog="python -m analysis",
        description="Compile tables, figures and a report from the records of studies.",
    )
    parser.add_argument(
        "study", nargs="+", help="folder of a study, as in results/synthetic, or a URI"
    )
    parser.add_argument(
        "--out",
        help="where to write (default: analysis/ in the first study's folder; "
        "outputs/NAME where that is a compact one, NAME)",
    )
    parser.add_argument(
        "--compact",
        metavar="DIR",
        help="write the study into DIR in compact form, to publish it, and nothing else",
    )
    parser.add_argument(
        "--price-per-hour", type=float, help="price of an hour of one trial's devices"
    )
    options = parser.parse_args(argv)
    console = Console()
    try:
        if options.compact is not None:
            _publish(options.study, Path(options.compact), console)
            return 0
        report = compile_study(options.study, options.out, price_per_hour=options.price_per_hour)
    except RecordsError as error:
        Console(stderr=True, soft_wrap=True).print(
            f"error: {error}", markup=False, highlight=False
        )
        return 2
    _show(report, [Path(study) for study in options.study], console)
    return 0


def _publish(studies: Sequence[str], folder: Path, console: Console) -> None:
    """Writes one study in compact form, and says what to look at before it is published."""
    if len(studies) != 1:
        raise RecordsError(f"--compact must be given one study, but got {len(studies)}")
    study = read_study(studies[0])
    for path in write_compact(study, folder):
        console.print(f"{path}  {path.stat().st_size / 1e6:.2f} MB", soft_wrap=True, markup=False)
    for problem in (*study.problems, *local_paths(study)):
        console.print(f"note: {problem}", soft_wrap=True, markup=False, style="yellow")
    console.print(f"report        python -m analysis {folder}", soft_wrap=True, markup=False)


def _show(report: Report, folders: Sequence[Path], console: Console) -> None:
    """The tables, the best compositions last, and what to type to see more."""
    for table in _printed(report):
        for part in to_console(table, console.width):
            console.print(part)
    for study in report.studies:
        for problem in report.problems[study.name]:
            console.print(f"note: {study.name}: {problem}", markup=False, style="yellow")
        if study.waiting:
            console.print(f"{study.name}: {study.waiting}", markup=False, highlight=False)
    lines = [
        f"tables        ls {report.folder / 'tables'}",
        f"figures       ls {report.folder / 'figures'}",
        f"report        python -m webbrowser {report.html}",
    ]
    for folder in folders:
        if (folder / "tensorboard").is_dir():
            lines.append(f"TensorBoard   tensorboard --logdir {folder / 'tensorboard'}")
        if (folder / "optuna.db").is_file():
            lines.append(f"Optuna study  optuna-dashboard sqlite:///{folder / 'optuna.db'}")
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _printed(report: Report) -> list[Table]:
    """Compositions where any were searched, rows across data sets where any were run."""
    rows = find_runs(report.studies)
    tables = [
        table
        for chapter in report.chapters
        for table in chapter.tables
        if (rows and chapter.key == "transfer") or chapter.key == "lowshot"
    ]
    if report.grid.columns or not tables:
        tables += reversed(next(own.tables for own in report.chapters if own.key == "best"))
    return tables


if __name__ == "__main__":
    sys.exit(main())
