"""Reading the records of a study: its folder or its compact form, local or in a bucket."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from handssl.errors import DataError
from handssl.records.description import StudyDescription
from handssl.records.files import read_json
from handssl.records.record import Record
from handssl.records.source import Source, open_source
from handssl.records.table import COMPACT, read_compact_table

TRIALS: Final = "trials"
BASELINES: Final = "baselines"
"""Folders of a study that hold a folder for each record."""

Entry = tuple[str, str, Record | DataError | None]
"""File from the study's folder, trial, and its record; the error of a broken one, or None."""


def read_record(path: Path) -> Record:
    """One record.

    Raises:
        DataError: The file is not a record that this version reads.
    """
    try:
        value = read_json(path.read_bytes(), path)
    except (OSError, DataError) as error:
        raise DataError(f"{error}; delete the file to run the trial again") from error
    return Record.from_dict(value, file=path)


def read_description(study: str | os.PathLike[str] | Source) -> StudyDescription:
    """The description of a study, from its study.json.

    Raises:
        FileNotFoundError: The folder has none.
        DataError: It cannot be understood, or is of a newer version.
    """
    source = study if isinstance(study, Source) else open_source(study)
    return StudyDescription.from_dict(read_json(source.read("study.json"), "study.json"))


def read_trial_records(study_dir: Path, folder: str = TRIALS) -> dict[str, Record]:
    """The records in the folders of a local study's trials, or baselines, by name.

    A search continues from these: the compact form does not count.

    Raises:
        DataError: A record cannot be read.
    """
    paths = sorted((study_dir / folder).glob("*/record.json"))
    return {path.parent.name: read_record(path) for path in paths}


def read_records(study: str | os.PathLike[str] | Source) -> dict[str, Record]:
    """The records of a study's trials, in order of their names; baselines are read apart.

    Args:
        study: The folder of a study or of its compact form; a path, or a URI such as s3://….

    Raises:
        DataError: There is no such folder, or a record in it cannot be read.

    Example:
        >>> import tempfile
        >>> from handssl.records.files import write_json
        >>> folder = Path(tempfile.mkdtemp())
        >>> record = Record(
        ...     kind="pretrain", trial="t1", hash="4f56", status="finished", seed=7,
        ...     composition="T+S", objective="contrastive", metrics={"median_pje_cm": 12.5},
        ... )
        >>> write_json(folder / "trials" / "t1" / "record.json", record.to_dict())
        >>> read_records(folder)["t1"].metrics
        {'median_pje_cm': 12.5}
    """
    return _without_broken(study, TRIALS)


def read_baselines(study: str | os.PathLike[str] | Source) -> dict[str, Record]:
    """The records of a study's baselines by name; empty if it has none. See `read_records`."""
    return _without_broken(study, BASELINES)


def read_entries(source: Source, folder: str = TRIALS) -> Iterator[Entry]:
    """The trials or baselines of a study in order, each with its record or a broken one's error.

    A study without folders of trials is read from its compact table, if it has one.
    """
    names = source.folders(folder)
    yield from source.map(partial(_read_entry, source, folder), names)
    if not names:
        for entry in _read_compact(source):
            is_baseline = isinstance(entry[2], Record) and entry[2].kind == "baseline"
            if is_baseline == (folder == BASELINES):
                yield entry


def _without_broken(study: str | os.PathLike[str] | Source, folder: str) -> dict[str, Record]:
    source = study if isinstance(study, Source) else open_source(study)
    records: dict[str, Record] = {}
    for _, name, record in read_entries(source, folder):
        if isinstance(record, DataError):
            raise DataError(f"{record} (in {source.uri})")
        if record is not None:
            records[name] = record
    return dict(sorted(records.items()))


def _read_entry(source: Source, folder: str, trial: str) -> Entry:
    file = f"{folder}/{trial}/record.json"
    try:
        raw = source.read(file)
        return file, trial, Record.from_dict(read_json(raw, file), file=file, trial=trial)
    except FileNotFoundError:
        return file, trial, None
    except (OSError, DataError) as error:
        return file, trial, _unreadable(file, error)


def _read_compact(source: Source) -> Iterator[Entry]:
    try:
        rows = list(read_compact_table(source.read(COMPACT)))
    except FileNotFoundError:
        return
    except (OSError, DataError) as error:
        yield COMPACT, "", _unreadable(COMPACT, error)
        return
    for number, row in enumerate(rows):
        trial = str(row.get("trial") or f"row {number}")
        try:
            yield COMPACT, trial, Record.from_dict(row, file=f"{COMPACT}, {trial}", trial=trial)
        except DataError as error:
            yield COMPACT, trial, error


def _unreadable(file: str, error: OSError | DataError) -> DataError:
    return error if isinstance(error, DataError) else DataError(f"{file} cannot be read ({error})")
