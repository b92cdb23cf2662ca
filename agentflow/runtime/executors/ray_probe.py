"""Asks a Ray cluster what it is, in a process of its own: `python -m … ADDRESS` prints JSON.

Ray's client ends its whole process when a token is asked for and none is there, writes to stderr
from C++, and waits for most of a minute where nobody answers. None of that may happen to a user's
process, so another one asks first.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from agentflow.errors import Unavailable

_PATIENCE = 20.0
"""Seconds that a cluster has to answer; importing Ray is a part of it."""
_CONNECT = 10.0
"""Seconds that a Ray at an address has to take a connection."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a cluster says of itself."""

    address: str
    is_loopback: bool
    """Whether it lives on loopback alone, so that its nodes know it by no other address."""
    ray: str = ""
    python: str = ""


def probe(address: str) -> Cluster:
    """Whether the cluster at `HOST:PORT` or `auto` can be joined from this machine.

    Raises:
        Unavailable: nobody is there, the token is refused, the versions differ from those here,
            or this machine is none of its nodes.
    """
    _connect(address)
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", __name__, address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"Ray at {address} does not answer",
            help="is that the port of its head (GCS, usually 6379), and not the dashboard's?",
        ) from None
    answer = _answer(done)
    if "nodes" not in answer:
        raise _refused(address, answer.get("error", ""))
    cluster = Cluster(
        answer["address"],
        all(node.startswith("127.") for node in answer["nodes"]),
        answer.get("ray_version", "?"),
        answer.get("python_version", "?"),
    )
    _check_versions(cluster)
    if not any(map(_is_here, answer["nodes"])):
        raise Unavailable(
            f"this machine is not a node of the Ray cluster at {address}",
            help="a driver runs on a node; from elsewhere, submit: --ray job:http://HEAD:8265",
        )
    return cluster


def _connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise Unavailable(
            f"Ray at {address} cannot be reached: {type(error).__name__}: {error}",
            help="is its head running there? agentflow doctor --ray checks; "
            "--executor inline needs no Ray",
        ) from error


def _answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    lines = done.stdout.splitlines()
    if done.returncode == 0 and lines:
        answer: dict[str, Any] = json.loads(lines[-1])
        return answer
    said = done.stderr
    if "couldn't find an authentication token" in said:
        return {"error": "no token"}
    return {"error": said.strip().rpartition("\n")[2][:500] or f"exit status {done.returncode}"}


def _refused(address: str, error: str) -> Unavailable:
    if error == "no token":
        return Unavailable(
            "RAY_AUTH_MODE is `token`, but there is no token here",
            help="set RAY_AUTH_TOKEN_PATH or RAY_AUTH_TOKEN, or write it to ~/.ray/auth_token",
        )
    if "InvalidAuthToken" in error or "AuthenticationError" in error:
        return token_refused(f"Ray at {address}")
    if "ModuleNotFoundError: No module named 'ray'" in error:
        return not_installed()
    return Unavailable(
        f"Ray at {address} cannot be reached: {error}",
        help="agentflow doctor shows what is missing; --executor inline needs no Ray",
    )


def token_refused(who: str) -> Unavailable:
    """A cluster asks for another token."""
    return Unavailable(
        f"{who} refuses the token",
        help="set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH=FILE to the cluster's own",
    )


def not_installed() -> Unavailable:
    """There is no Ray in this Python."""
    return Unavailable(
        "Ray is not installed",
        help="pip install 'inferloop-agentflow[ray]', or run with --executor inline",
    )


def _check_versions(cluster: Cluster) -> None:
    """Refuse what Ray would refuse; it wants the same to the last digit."""
    import platform
    from importlib.metadata import version

    theirs = f"Ray {cluster.ray} and Python {cluster.python}"
    ours = f"Ray {version('ray')} and Python {platform.python_version()}"
    if theirs != ours:
        raise Unavailable(
            f"the cluster at {cluster.address} has {theirs}, here are {ours}",
            help="use the same versions on both sides, or submit to it: "
            "--ray job:http://HEAD:8265 runs with the cluster's own",
        )


def _is_here(node: str) -> bool:
    """Whether an address is one of this machine's: only those can be bound."""
    family = socket.AF_INET6 if ":" in node else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind((node, 0))
    except OSError:
        return False
    return True


def main(address: str) -> None:
    """Print `{"address", "ray_version", "python_version", "nodes"}` or `{"error"}`."""
    try:
        print(json.dumps(_asked(address)))  # noqa: T201  # what this program is for
    except Exception as error:  # noqa: BLE001  # Ray raises whatever it raises
        print(json.dumps({"error": f"{type(error).__name__}: {error}".partition("\n")[0]}))  # noqa: T201


def _asked(address: str) -> dict[str, Any]:
    import ray._raylet as core
    from ray._private import services

    compiled: Any = core  # it has no types
    if address == "auto":
        address = services.get_ray_address_from_environment("auto", None)
    gcs = compiled.GcsClient(address=address)
    about = json.loads(gcs.internal_kv_get(b"CLUSTER_METADATA", b"cluster", timeout=5) or b"{}")
    nodes = gcs.get_all_node_info(timeout=5).values()
    alive = [node.node_manager_address for node in nodes if node.state == 0]
    return {**about, "address": address, "nodes": alive}


if __name__ == "__main__":
    main(sys.argv[1])
