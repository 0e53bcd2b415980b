"""Validation errors of every run of a study: per joint, with the pose of each image."""

import io
import zipfile
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.records import Problem, Record, Study
from analysis.statistics import PoseErrors
from handssl.errors import DataError

COMPACT_ERRORS = "errors.parquet"
"""The errors of all runs of a study in compact form (`analysis.compact`)."""

ARRAYS = ("error_cm", "ra_error_cm", "pa_error_cm", "uv_error_pct")
"""Errors of a run by name, (n, 21); a study may lack all but the first."""

RunErrors = Mapping[str, PoseErrors]
"""Array to the errors of a run."""

_READ_ERRORS = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, pa.ArrowException)
_Parsed = TypeVar("_Parsed")


class JointErrors:
    """Reader of `trials/<id>/errors.npz`, or of `errors.parquet` for a compact study.

    Attributes:
        problems: Files that could not be used, so far.
    """

    def __init__(self, study: Study) -> None:
        self.problems: list[Problem] = []
        self._study = study
        self._compact: Mapping[str, RunErrors] | None = None

    def of(self, record: Record) -> PoseErrors | None:
        """The errors of the metric that ranks; None where they are missing or unreadable."""
        return self.all_of(record).get(record.metric.array)

    def all_of(self, record: Record) -> RunErrors:
        """All errors of a run, empty where they are missing or unreadable."""
        if record.file.startswith(f"{record.folder}/"):
            return self._read(f"{record.folder}/{record.errors}", _one_run) or {}
        if record.errors != "errors.npz":
            return {}  # the compact form keeps a run's first evaluation only
        if self._compact is None:
            self._compact = self._read(COMPACT_ERRORS, _all_runs) or {}
        return self._compact.get(record.trial, {})

    def _read(self, file: str, parse: Callable[[bytes], _Parsed]) -> _Parsed | None:
        try:
            return parse(self._study.source.read(file))
        except FileNotFoundError:
            return None
        except (DataError, *_READ_ERRORS) as error:
            self.problems.append(
                Problem(file=file, what=f"cannot be read ({error})", consequence="no interval")
            )
            return None


def _one_run(raw: bytes) -> RunErrors:
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        return {
            name: _checked(name, arrays[name], arrays["group"])
            for name in ARRAYS
            if name in arrays or name == ARRAYS[0]
        }


def _all_runs(raw: bytes) -> Mapping[str, RunErrors]:
    table = pq.read_table(io.BytesIO(raw))
    trial = table["trial"].to_numpy()
    group = table["group"].to_numpy().astype(str)
    arrays = {
        name: table[name].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
        for name in ARRAYS
        if name in table.column_names or name == ARRAYS[0]
    }
    bounds = [0, *(np.flatnonzero(trial[1:] != trial[:-1]) + 1), len(table)]
    return {
        str(trial[start]): {
            name: _checked(name, values[start:stop], group[start:stop])
            for name, values in arrays.items()
            if name == ARRAYS[0] or np.isfinite(values[start:stop]).any()
        }
        for start, stop in pairwise(bounds)
        if start < stop
    }


def _checked(name: str, errors: npt.NDArray[Any], group: npt.NDArray[Any]) -> PoseErrors:
    if errors.ndim != 2 or group.shape != errors.shape[:1] or not len(group):
        raise DataError(f"{name} {errors.shape} does not fit group {group.shape}")
    names, index = np.unique(group, return_inverse=True)
    finite = np.where(np.isfinite(errors), errors, np.nan).astype(np.float32)
    return PoseErrors(error_cm=finite, pose=index, poses=tuple(map(str, names)))
