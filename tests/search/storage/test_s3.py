import pytest

from handssl.errors import ConfigError
from handssl.records.uri import join_uri, redact
from search.config.compose import compose_config
from search.storage.disk import environment_error, environment_error_in_traceback
from search.storage.folder import scratch_copy
from search.studies.checks import check_writable


def test_the_options_of_a_uri_stay_at_its_end() -> None:
    assert join_uri("results", "small") == "results/small"
    assert join_uri("/shared/", "small", "trials") == "/shared/small/trials"
    assert (
        join_uri("s3://b/r/?region=x&scheme=http", "small")
        == "s3://b/r/small?region=x&scheme=http"
    )
    assert redact("s3://key:secret@b/r?region=x") == "s3://b/r?region=x"
    assert redact("/a/b@c/d") == "/a/b@c/d"


def test_a_bucket_that_cannot_be_written_to_is_refused(bucket: str) -> None:
    check_writable(bucket)
    missing = bucket.replace("bucket/", "nowhere/", 1)
    with pytest.raises(ConfigError, match=r"results=s3://nowhere/.*bucket does not exist"):
        check_writable(missing)
    with pytest.raises(ConfigError, match=r"search\.storage must be a database's URL"):
        compose_config(["results=s3://bucket/results"])


def test_a_bucket_that_fails_is_an_environment_error(bucket: str) -> None:
    missing = bucket.replace("bucket/", "nowhere/", 1)
    folder = scratch_copy(missing)
    (folder.local_path / "record.json").write_text("{}")
    with pytest.raises(OSError, match="bucket does not exist") as failed:
        folder.put("record.json")
    assert environment_error(failed.value)
    assert environment_error_in_traceback(f"Traceback\nOSError: {failed.value}\n")
