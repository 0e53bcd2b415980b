"""The record of a trial: its JSON and Parquet forms, reading and writing.

No torch and no Ray: `search` writes records, `analysis` reads them.
"""

from handssl.records.io import (
    OBJECTIVE,
    SCHEMA,
    Record,
    Status,
    append_jsonl,
    canonical_hash,
    compile_parquet,
    git_state,
    now,
    parse_record,
    read_jsonl,
    read_record,
    read_records,
    remove_halves,
    seed_from,
    versions,
    write_json,
    write_jsonl,
    write_npz,
)

__all__ = [
    "OBJECTIVE",
    "SCHEMA",
    "Record",
    "Status",
    "append_jsonl",
    "canonical_hash",
    "compile_parquet",
    "git_state",
    "now",
    "parse_record",
    "read_jsonl",
    "read_record",
    "read_records",
    "remove_halves",
    "seed_from",
    "versions",
    "write_json",
    "write_jsonl",
    "write_npz",
]
