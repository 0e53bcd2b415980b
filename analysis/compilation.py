"""The whole analysis in one function: read studies, compute, write the report."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from analysis.chapters import Chapter, chapters
from analysis.compact import is_compact
from analysis.figures import write_drawing
from analysis.grid import Grid, arrange
from analysis.lowshot import low_shot
from analysis.reading import read_studies
from analysis.records import Problem, Study
from analysis.report import write_report
from analysis.tables import Table, coverage_table, write_table
from analysis.trials import write_trials
from analysis.uncertainty import estimate
from handssl.errors import ConfigError

_OUTPUTS = Path("outputs")
"""Folder for the reports of compact studies, whose folders hold published files only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A compiled report.

    Attributes:
        studies: The studies as read.
        problems: Study name to the files left out, with the reasons.
        grid: The cells.
        chapters: Chapters with their tables, drawings and sentences.
        folder: Folder of the output.
        html: Path of the HTML report.
        files: All files of the output.
    """

    studies: tuple[Study, ...]
    problems: dict[str, tuple[Problem, ...]] = field(repr=False)
    grid: Grid = field(repr=False)
    chapters: tuple[Chapter, ...] = field(repr=False)
    folder: Path
    html: Path
    files: tuple[Path, ...] = field(repr=False)

    def table(self, key: str) -> Table:
        """A table by its key, as in `"table1_best"`."""
        for chapter in self.chapters:
            for table in chapter.tables:
                if table.key == key:
                    return table
        keys = [table.key for chapter in self.chapters for table in chapter.tables]
        raise ConfigError(f"table must be one of {', '.join(keys)}, but got table={key}")


def compile_study(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    price_per_hour: float | None = None,
    metric: str | None = None,
) -> Report:
    """Compile tables, figures and `report.html` from the records of one or more studies.

    Args:
        paths: Folder of a study (path or pyarrow URI), or several.
        out: Output folder; by default `analysis/` in the first study's folder, or `outputs/<name>`
            for a compact study.
        price_per_hour: Price of an hour of one trial's devices, for the cost column.
        metric: The metric that ranks, a key of `analysis.metrics.METRICS`; by default the
            studies'.

    Raises:
        DataError: If a folder is missing or holds no study.
        ConfigError: If `paths` is empty, `out` cannot be written, or no record has `metric`.

    Example:
        >>> import json, pathlib, tempfile
        >>> study = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (study / "study.json").write_text(json.dumps({"schema": 1, "name": "demo"}))
        >>> trial = study / "trials" / "t1"
        >>> trial.mkdir(parents=True)
        >>> record = {"schema": 1, "status": "finished", "hash": "4f56", "seed": 7,
        ...           "composition": "T", "objective": "relative",
        ...           "metrics": {"median_pje_cm": 2.5}}
        >>> _ = (trial / "record.json").write_text(json.dumps(record))
        >>> report = compile_study(study)
        >>> [entry.text for entry in report.table("table1_best").rows[0][1:4]]
        ['T', 'not recorded', '2.50†']
    """
    sources = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not sources:
        raise ConfigError("paths must name at least one study's folder, but got none")
    studies = read_studies((os.fspath(path) for path in sources), metric)
    folder = _folder(studies[0], out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _compile(studies, folder, price_per_hour)
    except OSError as error:
        raise ConfigError(
            f"out must be a folder that can be written, but got out={folder} ({error.strerror}); "
            "choose another with --out"
        ) from error


def _compile(studies: tuple[Study, ...], folder: Path, price_per_hour: float | None) -> Report:
    grid = arrange(studies)
    uncertainty = estimate(grid)
    few_labels = low_shot(studies)
    problems = {
        study.name: study.problems
        + uncertainty.problems.get(study.name, ())
        + few_labels.problems.get(study.name, ())
        for study in studies
    }
    parts = chapters(grid, uncertainty, studies, few_labels, price_per_hour)
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
        raise ConfigError(
            f"out must be given for a study on another machine, but got study={study.source.uri}; "
            "add --out DIR"
        )
    return study.source.local / "analysis"
