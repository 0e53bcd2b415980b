"""A study as it was recorded: the folder that a search wrote, or its published compact form.

    results/<study>                              its records, trials/<trial>/record.json
    results/<study>/trials/<trial>/record.json   one of them
    docs/study                                   the compact form: those of trials.parquet

Each lies on this machine or in a bucket. The compact form is written by `python -m analysis
results/<study> --compact docs/study`; the two rooms share its layout, and no code.
"""

import dataclasses
import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from handssl import records
from handssl.errors import ConfigError, DataError
from handssl.records import Record
from search.storage import s3
from search.storage.folder import scratch_copy
from search.storage.s3 import is_bucket, join_uri

_COMPACT: Final = "trials.parquet"
_COLUMN: Final = "record"
"""Of the compact form: a record as it was written, the rest being views of it."""

_RECORD_FILE: Final = re.compile(r"(?P<study>.+)/(?P<record>trials/[^/]+/record\.json)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStudy:
    """Records of one study.

    Attributes:
        place: Where it was read, as it may be printed.
        description: Its `study.json`.
        records: By the trial's id; all of them, or the one that was asked for.
    """

    place: str
    description: Record
    records: Mapping[str, Record]

    def named(self, trial: str) -> Record:
        """The record of a trial, by its name or a beginning that no other has.

        Raises:
            ConfigError: There is none, or there are several.
        """
        found = [trial] if trial in self.records else self._beginning(trial)
        if len(found) == 1:
            return self.records[found[0]]
        if found:
            raise ConfigError(
                f"trial must begin the name of one trial, but got trial={trial}, which "
                f"{len(found)} of {self.place} begin with: {', '.join(found[:3])}"
                + (", …" if found[3:] else "")
            )
        near = difflib.get_close_matches(trial, self.records, n=1, cutoff=0)
        hint = f"; the nearest is {near[0]}" if near else ""
        raise ConfigError(
            f"trial must be one of the {len(self.records)} with a record in {self.place}, but got "
            f"trial={trial}{hint}"
        )

    def sampled(self, count: int, *, seed: int) -> list[Record]:
        """So many finished records, the same ones from the study's folder and its compact form.

        Raises:
            ConfigError: There are not so many.
        """
        finished = sorted(t for t, own in self.records.items() if own["status"] == "finished")
        if not 1 <= count <= len(finished):
            raise ConfigError(
                f"sample must be between 1 and the {len(finished)} finished records of "
                f"{self.place}, but got sample={count}"
            )
        chosen = np.random.default_rng(seed).permutation(len(finished))[:count]
        return [self.records[finished[number]] for number in chosen]

    def _beginning(self, trial: str) -> list[str]:
        return sorted(name for name in self.records if name.startswith(trial))


def read_recorded(place: str) -> RecordedStudy:
    """The records of a study's folder, or a single one of them.

    Args:
        place: Path or URI of the folder, of its compact form, or of a `record.json`.

    Raises:
        HandSSLError: There is no such study or record, or it cannot be read.
    """
    path, mark, options = place.partition("?") if is_bucket(place) else (place, "", "")
    if not is_bucket(place):
        path = str(Path(path).absolute())
    single = _RECORD_FILE.fullmatch(path)
    shown = s3.redact(place)
    if single is None and path.endswith(".json"):
        raise ConfigError(
            f"a record must lie where its study put it, STUDY/trials/TRIAL/record.json, but got "
            f"{shown}"
        )
    study = (single["study"] if single else path) + mark + options
    with s3.as_config_error("record", place):
        folder = scratch_copy(study, "study.json", _COMPACT)
        if single:
            folder.fetch(single["record"])
        else:
            folder.fetch_all("record.json")
    here = folder.local_path
    if single and not (here / single["record"]).is_file():
        raise ConfigError(f"a record must exist to be replayed, but there is no {shown}")
    if not (here / "study.json").is_file():
        raise ConfigError(
            f"a study must hold study.json, but {s3.redact(study)} has none; give its folder, "
            "as in results/STUDY or docs/study, or one record.json in it"
        )
    description = records.read_record(here / "study.json")
    if single:
        record = records.read_record(here / single["record"])
        found = {record["trial"]: record}
    else:
        found = records.read_records(here) or _compact(here / _COMPACT, shown)
    return RecordedStudy(place=shown, description=description, records=found)


def _compact(path: Path, shown: str) -> dict[str, Record]:
    """The records of a compact form."""
    if not path.is_file():
        raise ConfigError(f"a study must hold a record to be replayed, but {shown} has none")
    name = join_uri(shown, _COMPACT)
    try:
        table = pq.read_table(path)
        texts = table[_COLUMN].to_pylist() if _COLUMN in table.column_names else None
        found = [records.parse_record(text, name) for text in texts or ()]
    except (OSError, TypeError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{name} is not a readable table of records ({reason})") from error
    if texts is None:
        raise ConfigError(
            f"a compact study must hold its records whole to be replayed, but {name} has no "
            f"column {_COLUMN}; write it again with python -m analysis results/STUDY --compact DIR"
        )
    return {record["trial"]: record for record in found}
