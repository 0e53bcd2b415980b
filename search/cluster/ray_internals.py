"""Private interfaces of Ray, each behind one name with the reason for it.

`tests/test_private_interfaces.py` checks that the installed Ray has them, and that no other module
uses `ray._private`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from ray._private import ray_constants

HEAD_RESOURCE: Final = "node:__internal_head__"
"""A resource of the head node alone, and of a local Ray. It pins a task to a machine that the
autoscaler never removes. A custom resource would have to stand in every launch file."""


@contextmanager
def loopback_only(*, enabled: bool) -> Iterator[dict[str, Any]]:
    """Yield arguments of `ray.init` for a local Ray whose ports are on the loopback interface.

    On Linux, `ray.init` replaces 127.0.0.1 by the address of the machine and listens on every
    interface; the constant ENABLE_RAY_CLUSTER, which is false on macOS and Windows, prevents that.
    Its documented variable RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER is read when `ray` is imported,
    before the configuration is known. Nothing is changed for a cluster that is joined.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = before and not enabled
    try:
        yield {"_node_ip_address": "127.0.0.1"} if enabled else {}
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
