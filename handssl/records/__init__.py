"""The record of a trial: its JSON and Parquet forms, reading and writing.

No torch and no Ray: `search` writes records, `analysis` reads them.

    results/<study>/study.json                   what the study is and what it plans
    results/<study>/trials/<trial>/record.json   one finished, pruned or failed trial
    results/<study>/trials/<trial>/metrics.jsonl one line a report, in epoch order
    results/<study>/trials/<trial>/errors.npz    validation errors, joint by joint
    results/<study>/baselines/<name>/record.json an answer that trials are compared with
    results/<study>/trials.parquet               all records, one row each, compiled

Records are the only truth about a study. Every file appears atomically; Ray's and Optuna's state
derives from the records and may be deleted.
"""

from handssl.records.description import StudyDescription
from handssl.records.files import (
    append_jsonl,
    read_json,
    read_jsonl,
    write_json,
    write_jsonl,
    write_npz,
)
from handssl.records.identity import canonical_hash, git_state, now, seed_from
from handssl.records.reading import (
    BASELINES,
    TRIALS,
    read_baselines,
    read_description,
    read_entries,
    read_record,
    read_records,
    read_trial_records,
)
from handssl.records.record import (
    IMAGE_BLIND,
    OBJECTIVE,
    RANDOM_WEIGHTS,
    SCHEMA,
    Failure,
    Kind,
    Record,
    Rung,
    Status,
    upgrade,
)
from handssl.records.source import Source, open_source
from handssl.records.table import (
    COMPACT,
    compile_parquet,
    flatten,
    is_whole,
    read_compact_table,
    unflatten,
    write_compact_table,
)

__all__ = [
    "BASELINES",
    "COMPACT",
    "IMAGE_BLIND",
    "OBJECTIVE",
    "RANDOM_WEIGHTS",
    "SCHEMA",
    "TRIALS",
    "Failure",
    "Kind",
    "Record",
    "Rung",
    "Source",
    "Status",
    "StudyDescription",
    "append_jsonl",
    "canonical_hash",
    "compile_parquet",
    "flatten",
    "git_state",
    "is_whole",
    "now",
    "open_source",
    "read_baselines",
    "read_compact_table",
    "read_description",
    "read_entries",
    "read_json",
    "read_jsonl",
    "read_record",
    "read_records",
    "read_trial_records",
    "seed_from",
    "unflatten",
    "upgrade",
    "write_compact_table",
    "write_json",
    "write_jsonl",
    "write_npz",
]
