"""What stops a study and is no defect of it: a disk or a database that cannot be used now."""

import errno
import re
from collections.abc import Iterator

from optuna.exceptions import StorageInternalError
from sqlalchemy import exc

_DISK = {
    getattr(errno, name): name
    # Not on every system: quotas and network file systems.
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO", "EACCES", "EPERM", "ESTALE", "ENOTCONN")
    if hasattr(errno, name)
}
_DATABASE = (StorageInternalError, exc.OperationalError, exc.InterfaceError, exc.TimeoutError)


def outage(error: BaseException) -> str | None:
    """In one line, the outage that an error comes from; None where it is a defect.

    Other errors of the operating system (a file that should be there, an address that is none)
    are no outage: their traceback is needed.
    """
    for link in _chain(error):
        if isinstance(link, OSError) and link.errno in _DISK:
            return _one_line(link)
        if isinstance(link, _DATABASE):
            return _one_line(link.__cause__ or link)
    return None


def outage_in(traceback: str) -> OSError | None:
    """The disk's error in a traceback that comes from another process as text."""
    for code, message in re.findall(r"\[Errno (\d+)\] (.*)", traceback):
        if int(code) in _DISK:
            return OSError(int(code), message)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it was raised from, and so on."""
    while error is not None:
        yield error
        hidden = error.__suppress_context__
        error = error.__cause__ or (None if hidden else error.__context__)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
