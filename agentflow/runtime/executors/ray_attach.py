"""Joining a Ray cluster that is there: asked first, then given the project and this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentflow.errors import Unavailable, UsageError
from agentflow.runtime.executors.ray_probe import Cluster, probe, token_refused
from agentflow.runtime.executors.ray_shipment import Shipment, job_environment, shipment

QUIET = 40
"""`logging.ERROR`, which Ray's logger is set to."""


def checked_address(address: str) -> str:
    """An address that a driver can join: `HOST:PORT` or `auto`.

    Raises:
        UsageError: it is one of another kind; says which way leads there.
    """
    scheme, separator, rest = address.partition("://")
    if separator and scheme in {"http", "https"}:
        raise UsageError(
            f"{address} is a Ray dashboard, which takes jobs", help=f"--ray job:{address}"
        )
    if separator and scheme == "ray":
        host = rest.partition(":")[0] or "HEAD"
        raise UsageError(
            f"{address} is for Ray Client, which loses a run when its connection breaks",
            help=f"submit instead: --ray job:http://{host}:8265",
        )
    host, _, port = address.rpartition(":")
    if address != "auto" and not (host and port.isdigit() and int(port) < 2**16):
        raise UsageError(
            f"`{address}` is no address of a Ray cluster",
            help="auto, HOST:PORT on one of its nodes, or job:http://HOST:8265 from elsewhere",
        )
    return address


def found(address: str) -> Cluster:
    """The cluster at an address, if it can be joined; asked before Ray is imported here.

    Raises:
        UsageError: no driver can join at such an address.
        Unavailable: the cluster cannot be joined.
    """
    address = checked_address(address)
    if job_environment() is None:
        return probe(address)
    return Cluster(address, is_loopback=address.startswith("127."))  # a job has been let in


def attach(ray: Any, cluster: Cluster, root: Path | None) -> str | None:
    """Join a cluster; gives where the project is on its nodes.

    Raises:
        Unavailable: the project is too large to be sent there.
        Exception: whatever Ray raises beyond that.
    """
    sent = shipment(root) if root is not None else Shipment({}, None)
    options = {"runtime_env": sent.runtime_env} if sent.runtime_env else {}
    with _own_address(is_loopback=cluster.is_loopback):
        ray.init(address=cluster.address, log_to_driver=False, logging_level=QUIET, **options)
    return sent.inside


@contextmanager
def _own_address(*, is_loopback: bool) -> Iterator[None]:
    """Keep Ray from replacing 127.0.0.1 by the machine's outer address, where nothing listens.

    It does so unless a variable is set that it has read at import, perhaps before us.
    """
    from ray._private import ray_constants

    kept = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = kept and not is_loopback
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = kept


def said_by_ray(error: Exception) -> Unavailable | None:
    """What Ray's failure means, where that is known."""
    text = str(error)
    if "AuthenticationError" in type(error).__name__ or "InvalidAuthToken" in text:
        return token_refused("Ray")
    if "exceeds the maximum size" in text:
        return Unavailable(
            f"the project is too large to upload: {text.partition('. ')[0]}",
            help="list what functions do not need in .gitignore or .rayignore",
        )
    return None
