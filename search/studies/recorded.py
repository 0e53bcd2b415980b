"""A study as it was recorded: the folder that a search wrote, or its published compact form.

    results/<study>                              its records, trials/<trial>/record.json
    results/<study>/trials/<trial>/record.json   one of them
    docs/study                                   the compact form: those of trials.parquet

Each lies on this machine or in a bucket. The compact form is written by `python -m analysis
results/<study> --compact docs/study`.
"""

import dataclasses
import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from handssl.errors import ConfigError
from handssl.records import (
    COMPACT,
    Record,
    Source,
    StudyDescription,
    is_whole,
    open_source,
    read_description,
    read_json,
    read_records,
)
from handssl.records.uri import is_bucket, join_uri, redact

_RECORD_FILE: Final = re.compile(r"(?P<study>.+)/(?P<record>trials/[^/]+/record\.json)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStudy:
    """Records of one study, by the trial's id: all of them, or the one that was asked for."""

    uri: str  # without passwords
    description: StudyDescription
    records: Mapping[str, Record]

    def named(self, trial: str) -> Record:
        """The record of a trial, by its name or a beginning that no other has.

        Raises:
            ConfigError: There is none, or there are several.
        """
        beginning = sorted(name for name in self.records if name.startswith(trial))
        matches = [trial] if trial in self.records else beginning
        if len(matches) == 1:
            return self.records[matches[0]]
        if matches:
            names = ", ".join([*matches[:3], *(["…"] if matches[3:] else [])])
            raise ConfigError(
                f"trial must begin the name of one trial, but got trial={trial}, which "
                f"{len(matches)} of {self.uri} begin with: {names}"
            )
        near = difflib.get_close_matches(trial, self.records, n=1, cutoff=0)
        hint = f"; the nearest is {near[0]}" if near else ""
        raise ConfigError(
            f"trial must be one of the {len(self.records)} with a record in {self.uri}, but got "
            f"trial={trial}{hint}"
        )

    def sampled(self, count: int, *, seed: int) -> list[Record]:
        """So many finished records, the same ones from the study's folder and its compact form.

        Raises:
            ConfigError: There are not so many.
        """
        finished = sorted(t for t, record in self.records.items() if record.is_finished)
        if not 1 <= count <= len(finished):
            raise ConfigError(
                f"sample must be between 1 and the {len(finished)} finished records of "
                f"{self.uri}, but got sample={count}"
            )
        chosen = np.random.default_rng(seed).permutation(len(finished))[:count]
        return [self.records[finished[number]] for number in chosen]


def read_recorded(uri: str) -> RecordedStudy:
    """The records of a study's folder, or a single one of them.

    Args:
        uri: Path or URI of the folder, of its compact form, or of a `record.json`.

    Raises:
        HandSSLError: There is no such study or record, or it cannot be read.
    """
    path, mark, options = uri.partition("?") if is_bucket(uri) else (uri, "", "")
    if not is_bucket(uri):
        path = str(Path(path).absolute())
    single = _RECORD_FILE.fullmatch(path)
    text = redact(uri)
    if single is None and path.endswith(".json"):
        raise ConfigError(
            f"a record must lie where its study put it, STUDY/trials/TRIAL/record.json, but got "
            f"{text}"
        )
    try:
        source = open_source((single["study"] if single else path) + mark + options)
        if single:
            content = read_json(source.read(single["record"]), text)
            trial = single["record"].split("/")[1]
            record = Record.from_dict(content, file=text, trial=trial)
        description = _description(source)
        records = {record.trial: record} if single else read_records(source)
    except FileNotFoundError as error:
        raise ConfigError(f"record must exist to be replayed, but there is no {text}") from error
    except OSError as error:
        raise ConfigError(
            f"record must be in a bucket that can be reached, but got record={text} ({error})"
        ) from error
    if not records:
        raise ConfigError(f"a study must hold a record to be replayed, but {text} has none")
    if not source.folders("trials") and not is_whole(source.read(COMPACT)):
        raise ConfigError(
            "a compact study must hold its records whole to be replayed, but "
            f"{join_uri(text, COMPACT)} has no column record; write it again with python -m "
            "analysis results/STUDY --compact DIR"
        )
    return RecordedStudy(uri=text, description=description, records=records)


def _description(source: Source) -> StudyDescription:
    try:
        return read_description(source)
    except FileNotFoundError as error:
        raise ConfigError(
            f"a study must hold study.json, but {source.uri} has none; give its folder, as in "
            "results/STUDY or docs/study, or one record.json in it"
        ) from error
