"""Validation errors of every run of a study: per joint, with the pose of each image."""

import io
import zipfile
from collections.abc import Callable
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
        self._compact: dict[str, PoseErrors] | None = None

    def of(self, record: Record) -> PoseErrors | None:
        """The errors of a run; None where they are missing or unreadable."""
        if record.file.startswith(f"{record.folder}/"):
            return self._read(f"{record.folder}/{record.errors}", _one_run)
        if record.errors != "errors.npz":
            return None  # the compact form keeps a run's first evaluation only
        if self._compact is None:
            self._compact = self._read(COMPACT_ERRORS, _all_runs) or {}
        return self._compact.get(record.trial)

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


def _one_run(raw: bytes) -> PoseErrors:
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        return _checked(arrays["error_cm"], arrays["group"])


def _all_runs(raw: bytes) -> dict[str, PoseErrors]:
    table = pq.read_table(io.BytesIO(raw))
    trial = table["trial"].to_numpy()
    group = table["group"].to_numpy().astype(str)
    joints = table["error_cm"].combine_chunks()
    error_cm = joints.flatten().to_numpy().reshape(len(table), -1)
    bounds = [0, *(np.flatnonzero(trial[1:] != trial[:-1]) + 1), len(table)]
    return {
        str(trial[start]): _checked(error_cm[start:stop], group[start:stop])
        for start, stop in pairwise(bounds)
        if start < stop
    }


def _checked(error_cm: npt.NDArray[Any], group: npt.NDArray[Any]) -> PoseErrors:
    if error_cm.ndim != 2 or group.shape != error_cm.shape[:1] or not len(group):
        raise DataError(f"error_cm {error_cm.shape} does not fit group {group.shape}")
    names, index = np.unique(group, return_inverse=True)
    finite = np.where(np.isfinite(error_cm), error_cm, np.nan).astype(np.float32)
    return PoseErrors(error_cm=finite, pose=index, poses=tuple(map(str, names)))
