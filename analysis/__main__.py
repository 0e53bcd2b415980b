"""`python -m analysis results/<study> [more studies…] [--out DIR] [--metric NAME]`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from analysis.compact import local_paths, write_compact
from analysis.compilation import Report, compile_study
from analysis.metrics import METRICS
from analysis.reading import read_study
from analysis.tables import Table, to_console
from analysis.transfer import measured_rows
from handssl.errors import ConfigError, HandSSLError


def main(argv: Sequence[str] | None = None) -> int:
    """Compile studies, print the tables of the best compositions and the paths.

    Args:
        argv: Arguments without the program name; by default those of the process.

    Returns:
        0 for a complete report, 2 if an input or output cannot be used.
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
        help="output folder (default: analysis/ in the first study's folder, or outputs/NAME for "
        "a compact study)",
    )
    parser.add_argument(
        "--compact",
        metavar="DIR",
        help="only write the study into DIR in compact form, for publication",
    )
    parser.add_argument(
        "--price-per-hour", type=float, help="price of one hour of a trial's devices"
    )
    parser.add_argument(
        "--metric",
        metavar="NAME",
        help=f"rank by this metric: {', '.join(METRICS)} (default: the studies' search.metric)",
    )
    options = parser.parse_args(argv)
    console = Console()
    try:
        if options.compact is not None:
            _publish(options.study, Path(options.compact), console)
            return 0
        report = compile_study(
            options.study,
            options.out,
            price_per_hour=options.price_per_hour,
            metric=options.metric,
        )
    except HandSSLError as error:
        Console(stderr=True, soft_wrap=True).print(
            f"error: {error}", markup=False, highlight=False
        )
        return 2
    _show(report, [Path(study) for study in options.study], console)
    return 0


def _publish(studies: Sequence[str], folder: Path, console: Console) -> None:
    """Write one study in compact form and list its problems."""
    if len(studies) != 1:
        raise ConfigError(f"--compact takes exactly one study, but got {len(studies)}")
    study = read_study(studies[0])
    for path in write_compact(study, folder):
        console.print(f"{path}  {path.stat().st_size / 1e6:.2f} MB", soft_wrap=True, markup=False)
    for problem in (*study.problems, *local_paths(study)):
        console.print(f"note: {problem}", soft_wrap=True, markup=False, style="yellow")
    console.print(f"report        python -m analysis {folder}", soft_wrap=True, markup=False)


def _show(report: Report, folders: Sequence[Path], console: Console) -> None:
    """Print the tables, the best compositions last, and the commands that show more."""
    for table in _printed(report):
        for part in to_console(table, console.width):
            console.print(part)
    for study in report.studies:
        for problem in report.problems[study.name]:
            console.print(f"note: {study.name}: {problem}", markup=False, style="yellow")
        if study.progress:
            console.print(f"{study.name}: {study.progress}", markup=False, highlight=False)
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
    """Tables of the best compositions, of the transfer rows and of few labels, where present."""
    rows = measured_rows(report.studies)
    tables = [
        table
        for chapter in report.chapters
        for table in chapter.tables
        if (rows and chapter.key == "transfer") or chapter.key == "lowshot"
    ]
    if report.grid.columns or not tables:
        tables += reversed(next(c.tables for c in report.chapters if c.key == "best"))
    return tables


if __name__ == "__main__":
    sys.exit(main())
