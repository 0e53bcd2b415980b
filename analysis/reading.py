"""Reads a study's folder: `study.json` and `trials/<id>/record.json`, whatever state they are in.

What cannot be used is left out and reported by file name as a `Problem`; the rest is analysed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from analysis.compact import COMPACT, compact_records
from analysis.errors import RecordsError
from analysis.records import Problem, Record, Study, check_schema, parse_json, parse_record
from analysis.source import Source, open_source


def _read_trial(source: Source, trial: str) -> tuple[Record | None, list[Problem]]:
    file = f"trials/{trial}/record.json"
    try:
        return parse_record(parse_json(source.read(file)), file, trial)
    except FileNotFoundError:
        return None, []
    except (RecordsError, OSError) as error:
        return None, [Problem(file=file, what=str(error))]


def _read_compact(source: Source) -> tuple[list[Record], list[Problem]]:
    """Records of a study without trial folders, from its compiled table if it has one."""
    found, problems = [], []
    try:
        for position, raw in enumerate(compact_records(source.read(COMPACT))):
            trial = str(raw.get("trial") or f"row {position}")
            try:
                record, issues = parse_record(check_schema(raw), COMPACT, trial)
            except RecordsError as error:
                problems.append(Problem(file=f"{COMPACT}, {trial}", what=str(error)))
            else:
                found.append(record)
                problems += issues
    except FileNotFoundError:
        pass
    except (RecordsError, OSError) as error:
        problems.append(Problem(file=COMPACT, what=str(error)))
    return found, problems


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
    source = open_source(uri)
    problems: list[Problem] = []
    description: Mapping[str, Any] = {}
    try:
        description = parse_json(source.read("study.json"))
    except FileNotFoundError:
        problems.append(Problem(file="study.json", what="is missing", consequence="done without"))
    except (RecordsError, OSError) as error:
        problems.append(Problem(file="study.json", what=str(error), consequence="done without"))
    trials = source.folders("trials")
    if not trials and not description:
        raise RecordsError(
            f"study must hold study.json and trials/<id>/record.json, but got {uri} with neither; "
            "give the folder of one study, as in results/<study>"
        )
    found: list[Record] = []
    unfinished: list[str] = []
    for trial, (record, issues) in zip(
        trials, source.map(partial(_read_trial, source), trials), strict=True
    ):
        problems += issues
        if record is not None:
            found.append(record)
        elif not issues:
            unfinished.append(trial)
    if not trials:
        found, issues = _read_compact(source)
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
            for item in (plan if isinstance(plan, list) else ())
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
