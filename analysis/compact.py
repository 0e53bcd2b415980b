"""The compact form of a study: three files instead of one folder a trial, small enough to publish.

    study.json        as the search wrote it
    trials.parquet    one row a record: all of it as JSON in `record`; for other readers, its
                      values in columns (nested keys joined by dots, lists as JSON)
    errors.parquet    one row a validation image of a finished trial: trial, group (its pose),
                      error_cm (21 joints, half precision, NaN where a joint is not valid)

The analysis reads it as it reads the folder it was made from, and `search/replay.py` runs its
records again. A table without `record`, as the search compiles it, is read from its columns:
enough for the analysis, though null and absent are one there. Half precision moves an error by at
most 0.05%; one takes about 1.5 bytes, 200 trials of 600 images some 4 MB.
"""

import json
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import RecordsError
from analysis.joint_errors import COMPACT_ERRORS, JointErrors
from analysis.records import Problem, Study
from analysis.statistics import PoseErrors
from handssl.records import COMPACT, Record, flatten, is_whole, read_entries, write_compact_table

_LARGEST_CM = 65504.0  # of half precision
_PATH = re.compile(r"(?<![\w.:/~])/(?:[\w.@+-]+/)+[\w.@+-]*")


def is_compact(study: Study) -> bool:
    """Whether a study was read from its compiled table, not from the folders of its trials."""
    return bool(study.records) and all(record.file == COMPACT for record in study.records)


def write_compact(study: Study, folder: Path) -> tuple[Path, ...]:
    """Writes a study in its compact form; returns the files.

    Tracebacks are left out of the records; the error's type and message stay.

    Args:
        study: The study as read; what was left out of it is left out here.
        folder: Where to write, made where it is missing.

    Raises:
        RecordsError: Where no record can be used, or `folder` is the study's own or cannot be
            written.
    """
    if not study.records:
        raise RecordsError(
            f"study must hold at least one record, but got {study.source.uri} with none"
        )
    if study.source.local is not None and study.source.local.resolve() == folder.resolve():
        raise RecordsError(f"compact must be another folder than the study's, but got {folder}")
    description, table = folder / "study.json", folder / COMPACT
    text = json.dumps(dict(study.description), indent=2, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        description.write_text(text, encoding="utf-8")
        names = {record.trial for record in study.records}
        entries = read_entries(study.source)
        records = [r for _, name, r in entries if name in names and isinstance(r, Record)]
        whole = not is_compact(study) or is_whole(study.source.read(COMPACT))
        write_compact_table(table, records, whole=whole)
        errors = _write_errors(study, folder / COMPACT_ERRORS)
    except OSError as error:
        raise RecordsError(
            f"compact must be a folder that can be written, but got compact={folder} ({error})"
        ) from error
    return (description, table, *errors)


def _write_errors(study: Study, path: Path) -> tuple[Path, ...]:
    """Writes the errors of all runs; no file where no run has any."""
    files = JointErrors(study)
    found = [(r.trial, own) for r in study.records if (own := files.of(r)) is not None]
    if not found:
        return ()
    halves = np.concatenate([_halves(own) for _, own in found])
    table = pa.table(
        {
            "trial": np.repeat([trial for trial, _ in found], [len(own.pose) for _, own in found]),
            "group": np.concatenate([np.asarray(own.poses)[own.pose] for _, own in found]),
            "error_cm": pa.FixedSizeListArray.from_arrays(halves.ravel(), halves.shape[1]),
        }
    )
    pq.write_table(
        table, path, compression="zstd", compression_level=12, use_dictionary=["trial", "group"],
        column_encoding={"error_cm.list.element": "BYTE_STREAM_SPLIT"},
    )  # fmt: skip
    return (path,)


def _halves(errors: PoseErrors) -> npt.NDArray[np.float16]:
    return np.minimum(errors.error_cm, _LARGEST_CM).astype(np.float16)


def local_paths(study: Study) -> tuple[Problem, ...]:
    """Absolute paths in the study's description: what to look at before it is published."""
    found: dict[str, str] = {}
    for key, value in flatten(study.description).items():
        for path in _PATH.findall(str(value)):
            found.setdefault(path, key)
    look = "look before it is published"
    return tuple(
        Problem(file="study.json", what=f"{key} names {path}", consequence=look)
        for path, key in found.items()
    )
