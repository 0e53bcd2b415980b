"""Reads studies, computes, writes: the whole room in one function."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from analysis.chapters import Chapter, chapters
from analysis.compact import is_compact
from analysis.errors import RecordsError
from analysis.figures import write_drawing
from analysis.grid import Grid, arrange
from analysis.lowshot import low_shot
from analysis.reading import read_studies
from analysis.records import Problem, Study
from analysis.report import write_report
from analysis.tables import Table, coverage_table, write_table
from analysis.trials import write_trials
from analysis.uncertainty import estimate

_OUTPUTS = Path("outputs")
"""Where the report of a compact study goes: its folder holds what was published, and no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was compiled and where it lies.

    Attributes:
        studies: The studies as read.
        problems: Study name to what was left out, and why.
        grid: The cells.
        chapters: The report's chapters with their tables, drawings and sentences.
        folder: Where the output lies.
        html: The report.
        files: Every file written.
    """

    studies: tuple[Study, ...]
    problems: dict[str, tuple[Problem, ...]] = field(repr=False)
    grid: Grid = field(repr=False)
    chapters: tuple[Chapter, ...] = field(repr=False)
    folder: Path
    html: Path
    files: tuple[Path, ...] = field(repr=False)

    def table(self, key: str) -> Table:
        """A table by its key, as in ``"table1_best"``."""
        for chapter in self.chapters:
            for table in chapter.tables:
                if table.key == key:
                    return table
        keys = [table.key for chapter in self.chapters for table in chapter.tables]
        raise RecordsError(f"table must be one of {', '.join(keys)}, but got table={key}")


def compile_study(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    price_per_hour: float | None = None,
) -> Report:
    """Compiles tables, figures and ``report.html`` from the records of one or more studies.

    Args:
        paths: Folder of a study (path or pyarrow URI), or several.
        out: Where to write; by default ``analysis/`` in the first study's folder, or, where that
            is a compact one, ``outputs/`` and the folder's name.
        price_per_hour: Price of an hour of one trial's devices, for the cost column.

    Raises:
        RecordsError: Where a folder is missing, holds no study, or `out` cannot be written.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not given:
        raise RecordsError("paths must name at least one study's folder, but got none")
    studies = read_studies(os.fspath(path) for path in given)
    folder = _folder(studies[0], out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _compile(studies, folder, price_per_hour)
    except OSError as error:
        raise RecordsError(
            f"out must be a folder that can be written, but got out={folder} ({error.strerror}); "
            "choose another with --out"
        ) from error


def _compile(studies: tuple[Study, ...], folder: Path, price_per_hour: float | None) -> Report:
    grid = arrange(studies)
    uncertainty = estimate(grid)
    few = low_shot(studies)
    problems = {
        study.name: study.problems
        + uncertainty.problems.get(study.name, ())
        + few.problems.get(study.name, ())
        for study in studies
    }
    parts = chapters(grid, uncertainty, studies, few, price_per_hour)
    coverage = coverage_table(grid, studies)
    files = list(write_table(coverage, folder / "tables"))
    files.append(write_trials(studies, folder / "tables" / "trials.csv"))
    for chapter in parts:
        for table in chapter.tables:
            files += write_table(table, folder / "tables")
        for drawing in chapter.drawings:
            files += write_drawing(drawing, folder / "figures")
    html = write_report(
        folder / "report.html",
        studies=studies,
        chapters=parts,
        coverage=coverage,
        problems=problems,
    )
    return Report(
        studies=studies,
        problems=problems,
        grid=grid,
        chapters=parts,
        folder=folder,
        html=html,
        files=(*files, html),
    )


def _folder(study: Study, out: str | os.PathLike[str] | None) -> Path:
    if out is not None:
        return Path(out)
    if is_compact(study):
        return _OUTPUTS / study.source.name
    if study.source.local is None:
        raise RecordsError(
            f"out must be given for a study on another machine, but got study={study.source.uri}; "
            "add --out DIR"
        )
    return study.source.local / "analysis"
