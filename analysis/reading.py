"""Reads a study's folder: `study.json` and `trials/<id>/record.json`, whatever state they are in.

What cannot be used is left out and reported by file name as a `Problem`; the rest is analysed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from analysis.errors import RecordsError
from analysis.records import Problem, Record, Study, understand
from handssl.errors import DataError
from handssl.records import open_source, read_description, read_entries


def _without_duplicates(records: Iterable[Record]) -> tuple[tuple[Record, ...], list[Problem]]:
    kept: dict[tuple[object, ...], Record] = {}
    problems = []
    for record in records:
        identity = (record.hash or record.setting, record.seed, record.repeat, record.variant)
        first = kept.get(identity)
        if first is None:
            kept[identity] = record
            continue
        better = record if (first.status, record.status) == ("failed", "finished") else first
        other = first if better is record else record
        kept[identity] = better
        problems.append(
            Problem(
                file=other.file,
                what=f"repeats {better.file} (same hash, seed and repeat)",
                consequence="counted once",
            )
        )
    return tuple(kept.values()), problems


def read_study(uri: str) -> Study:
    """Reads one study.

    Args:
        uri: Its folder: a path, or a URI of a pyarrow file system.

    Raises:
        RecordsError: Where there is no such folder, or it holds no study.
    """
    try:
        source = open_source(uri)
    except DataError as error:
        raise RecordsError(str(error)) from error
    problems: list[Problem] = []
    description: Mapping[str, Any] = {}
    try:
        description = read_description(source).to_dict()
    except FileNotFoundError:
        problems.append(Problem(file="study.json", what="is missing", consequence="done without"))
    except (DataError, OSError) as error:
        what = str(error).removeprefix("study.json ")
        problems.append(Problem(file="study.json", what=what, consequence="done without"))
    trials = source.folders("trials")
    if not trials and not description:
        raise RecordsError(
            f"study must hold study.json and trials/<id>/record.json, but got {uri} with neither; "
            "give the folder of one study, as in results/<study>"
        )
    found: list[Record] = []
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
            record, issues = understand(entry, file)
            found.append(record)
            problems += issues
    records, repeated = _without_duplicates(found)
    plan = description.get("plan")
    here = {*trials, *(record.trial for record in records)}
    return Study(
        name=str(description.get("name") or source.name),
        source=source,
        description=description,
        records=records,
        unfinished=tuple(unfinished),
        missing=tuple(
            item
            for item in (plan if isinstance(plan, list | tuple) else ())
            if isinstance(item, Mapping) and item.get("trial") not in here
        ),
        problems=tuple(problems + repeated),
    )


def read_studies(uris: Iterable[str]) -> tuple[Study, ...]:
    """Reads several studies; one folder given twice is read once, equal names are told apart."""
    studies: dict[str, Study] = {}
    names: set[str] = set()
    for uri in uris:
        study = read_study(uri)
        key = str(study.source.local or study.source.uri)
        if key in studies:
            continue
        if study.name in names:
            study = replace(study, name=f"{study.name} ({uri})")
        names.add(study.name)
        studies[key] = study
    return tuple(studies.values())
