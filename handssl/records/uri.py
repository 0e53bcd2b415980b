"""Buckets (`s3://bucket/prefix?options`) and other file systems of pyarrow, by URI.

Options are pyarrow's (`region`, `endpoint_override`, `scheme`); keys and the address of another
store than Amazon's come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_ENDPOINT_URL`) or from the machine's role.
"""

import functools
from typing import Any, Final

from handssl.errors import ConfigError

_S3: Final = "s3://"


def is_bucket(uri: str) -> bool:
    """Whether this is the URI of a bucket, not a path."""
    return uri.startswith(_S3)


def join_uri(uri: str, *parts: str) -> str:
    """The path or URI of something below another; the options of a URI stay at its end.

    Example:
        >>> join_uri("s3://bucket/results?region=eu-1", "small", "study.json")
        's3://bucket/results/small/study.json?region=eu-1'
    """
    path, mark, options = uri.partition("?") if is_bucket(uri) else (uri, "", "")
    return "/".join([path.rstrip("/"), *parts]) + mark + options


def redact(uri: str) -> str:
    """A path or URI without the keys that a URI may hold: what may be printed and stored.

    Example:
        >>> redact("s3://KEY:SECRET@bucket/results")
        's3://bucket/results'
    """
    account, slash, key = uri.removeprefix(_S3).partition("/")
    return _S3 + account.rpartition("@")[2] + slash + key if is_bucket(uri) else uri


def open_filesystem(uri: str) -> tuple[Any, str]:
    """The pyarrow file system of a URI, and the path in it.

    Raises:
        ConfigError: pyarrow does not understand the URI.
    """
    if not is_bucket(uri):
        return _from_uri(uri)
    path, mark, options = uri.removeprefix(_S3).partition("?")
    account, slash, key = path.partition("/")
    bucket = account.rpartition("@")[2]
    return _bucket_filesystem(_S3 + account + mark + options), (bucket + slash + key).rstrip("/")


@functools.lru_cache(maxsize=16)
def _bucket_filesystem(uri: str) -> Any:
    return _from_uri(uri)[0]


def _from_uri(uri: str) -> tuple[Any, str]:
    import pyarrow.fs  # noqa: PLC0415 - takes a tenth of a second; most studies are local folders

    try:
        filesystem: tuple[Any, str] = pyarrow.fs.FileSystem.from_uri(uri)
    except ValueError as error:
        raise ConfigError(
            f"a URI must be one that pyarrow understands, but got {redact(uri)} ({error})"
        ) from error
    return filesystem
