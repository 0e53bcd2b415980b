import json
from pathlib import Path

from handssl import records
from search.storage.folder import scratch_copy
from search.trials.build_record import record_of, write_record
from search.trials.trial import Job


def test_a_record_deletes_partial_files_and_unless_it_failed_the_checkpoint(job: Job) -> None:
    folder = Path(job.directory)
    folder.mkdir(parents=True)
    for name in (".x1y2.partial.checkpoint.pt", "checkpoint.pt"):
        (folder / name).write_bytes(b"half")
    write_record(scratch_copy(job.directory), record_of(job, "failed", [], error="no"))
    assert {path.name for path in folder.iterdir()} == {"checkpoint.pt", "record.json"}
    write_record(scratch_copy(job.directory), record_of(job, "finished", []))
    assert {path.name for path in folder.iterdir()} == {"record.json"}


def test_a_traceback_as_text_is_taken_apart(job: Job) -> None:
    error = "Traceback (most recent call last):\n  ...\nValueError: no: way\n"
    record = record_of(job, "failed", [], error=error)
    assert record.error == records.Failure(type="ValueError", message="no: way", traceback=error)
    assert record.timings_s["total"] == 0
    json.dumps(record.to_dict())


def test_prose_in_place_of_a_traceback_is_the_message(job: Job) -> None:
    prose = "The actor died.\n\tpid: 7\nThe worker has died. Exit type: SYSTEM_ERROR: no"
    error = record_of(job, "failed", [], error=prose).error
    assert error is not None
    assert error.type == "unknown"
    assert error.message == "The worker has died. Exit type: SYSTEM_ERROR: no"
    assert error.traceback == prose
