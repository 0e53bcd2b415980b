"""Reading of a study's folder: `study.json` and `trials/<id>/record.json`, complete or not.

Unusable files are left out and reported as a `Problem`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from analysis.metrics import rank_by
from analysis.records import Problem, Record, Study, prepare
from handssl.errors import DataError
from handssl.records import open_source, read_description, read_entries


def _without_duplicates(records: Iterable[Record]) -> tuple[tuple[Record, ...], list[Problem]]:
    unique: dict[tuple[object, ...], Record] = {}
    problems = []
    for record in records:
        identity = (record.hash or record.setting, record.seed, record.repeat, record.variant)
        first = unique.get(identity)
        if first is None:
            unique[identity] = record
            continue
        better = record if (first.status, record.status) == ("failed", "finished") else first
        other = first if better is record else record
        unique[identity] = better
        problems.append(
            Problem(
                file=other.file,
                what=f"repeats {better.file} (same hash, seed and repeat)",
                consequence="counted once",
            )
        )
    return tuple(unique.values()), problems


def read_study(uri: str) -> Study:
    """Read one study.

    Args:
        uri: Its folder: a path, or a URI of a pyarrow file system.

    Raises:
        DataError: If there is no such folder, or it holds no study.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "study.json").write_text('{"schema": 1, "name": "demo"}')
        >>> study = read_study(str(folder))
        >>> study.name, len(study.records)
        ('demo', 0)
    """
    return rank_by([_read(uri)])[0]


def _read(uri: str) -> Study:
    source = open_source(uri)
    problems: list[Problem] = []
    description: Mapping[str, Any] = {}
    try:
        description = read_description(source).to_dict()
    except FileNotFoundError:
        problems.append(Problem(file="study.json", what="is missing", consequence="not used"))
    except (DataError, OSError) as error:
        what = str(error).removeprefix("study.json ")
        problems.append(Problem(file="study.json", what=what, consequence="not used"))
    trials = source.folders("trials")
    if not trials and not description:
        raise DataError(
            f"study must hold study.json and trials/<id>/record.json, but got {uri} with neither; "
            "give the folder of one study, as in results/<study>"
        )
    readable: list[Record] = []
    unfinished: list[str] = []
    for file, trial, entry in read_entries(source):
        if entry is None:
            unfinished.append(trial)
        elif isinstance(entry, DataError):
            what = str(entry).removeprefix(f"{file}, {trial} ").removeprefix(f"{file} ")
            problems.append(
                Problem(file=f"{file}, {trial}" if trial and not trials else file, what=what)
            )
        else:
            record, issues = prepare(entry, file)
            readable.append(record)
            problems += issues
    baselines: list[Record] = []
    for file, name, entry in read_entries(source, "baselines"):
        if isinstance(entry, DataError):
            what = str(entry).removeprefix(f"{file}, {name} ").removeprefix(f"{file} ")
            problems.append(Problem(file=file, what=what))
        elif entry is not None:
            record, issues = prepare(entry, file)
            baselines.append(record)
            problems += issues
    records, repeated = _without_duplicates(readable)
    plan = description.get("plan")
    known = {*trials, *(record.trial for record in records)}
    return Study(
        name=str(description.get("name") or source.name),
        source=source,
        description=description,
        records=records,
        unfinished=tuple(unfinished),
        missing=tuple(
            item
            for item in (plan if isinstance(plan, list | tuple) else ())
            if isinstance(item, Mapping) and item.get("trial") not in known
        ),
        problems=tuple(problems + repeated),
        baselines=tuple(baselines),
    )


def read_studies(uris: Iterable[str], metric: str | None = None) -> tuple[Study, ...]:
    """Read several studies, each folder once; a repeated name is made unique by its URI.

    One metric ranks all: `metric`, or by default the one that they searched by (`rank_by`).
    """
    studies: dict[str, Study] = {}
    names: set[str] = set()
    for uri in uris:
        study = _read(uri)
        key = str(study.source.local or study.source.uri)
        if key in studies:
            continue
        if study.name in names:
            study = replace(study, name=f"{study.name} ({uri})")
        names.add(study.name)
        studies[key] = study
    return rank_by(tuple(studies.values()), metric)
