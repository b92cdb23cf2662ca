"""Ray, ready to use: the one that is there, one at an address, or one of our own.

A Ray of our own is started the way design asks for: token authentication, loopback only, silent,
in a folder of its own, and without the parts nobody uses here. It ends with this process.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agentflow.errors import AgentFlowError, Unavailable
from agentflow.runtime.executors.leftovers import RAY, own_folder
from agentflow.runtime.executors.ray_attach import QUIET, attach, found, said_by_ray
from agentflow.runtime.executors.ray_probe import not_installed

_LONGEST_FOLDER = 40
"""Ray puts sockets below its folder, and the system bounds their paths to 107 bytes."""

_ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    # The name is misleading: off, it makes Ray bind and advertise 127.0.0.1 on every system.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Functions run in children of Ray's workers, which Ray's monitor does not weigh: it would
    # kill the wrong one. The kernel finds the right one.
    "RAY_memory_monitor_refresh_ms": "0",
}


class RaySession:
    """A connection to Ray, kept by a thread of its own.

    The thread lives as long as the session: the kernel ends Ray's processes together with the
    thread that started them.
    """

    def __init__(self, address: str | None = None, root: Path | None = None) -> None:
        self._address = address or os.environ.get("RAY_ADDRESS") or None
        self._root = root
        self.is_own = False
        """Whether Ray was started here: then its size is known and stays as it is."""
        self.inside: str | None = None
        """Where the project is below the working directory of Ray's workers, on each node of a
        cluster; `None` if it was not sent there."""
        self._opened: Future[None] = Future()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="agentflow-ray", daemon=True)

    def open(self) -> Future[None]:
        """Begin, if it has not begun; the future is done when Ray is ready.

        It fails with `Unavailable`.
        """
        if self._thread.ident is None:
            self._thread.start()
        return self._opened

    def close(self) -> None:
        """Leave Ray; one of our own ends, with all its processes. Waits for that."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _serve(self) -> None:
        try:
            leave = self._enter()
        except AgentFlowError as error:
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        self._closing.wait()
        leave()

    def _enter(self) -> Callable[[], None]:
        """Connect to Ray; gives what undoes it."""
        address = self._address
        with environment({} if address else _ENVIRONMENT):
            try:
                return self._connect(address)
            except AgentFlowError:
                raise
            except Exception as error:  # Ray raises whatever its parts raise
                where = f"Ray at {address} cannot be reached" if address else "Ray did not start"
                with suppress(Exception):
                    _ray().shutdown()
                raise said_by_ray(error) or Unavailable(
                    f"{where}: {_first_line(error)}",
                    help="agentflow doctor shows what is missing; --executor inline needs no Ray",
                ) from error

    def _connect(self, address: str | None) -> Callable[[], None]:
        if "ray" in sys.modules and _ray().is_initialized():
            return _nothing
        if address is None:
            self.is_own = True
            return _muted(_ray(), _start(_ray()))
        cluster = found(address)
        self.inside = attach(_ray(), cluster, self._root)
        return _muted(_ray(), _ray().shutdown)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise not_installed() from error
    return ray


def _start(ray: Any) -> Callable[[], None]:
    folder = _private_folder()
    token = folder / "token"
    with os.fdopen(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))

    def leave() -> None:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)

    try:
        with environment({"RAY_AUTH_TOKEN_PATH": str(token)}), _lean():
            ray.init(
                include_dashboard=False,
                log_to_driver=False,
                logging_level=QUIET,
                _temp_dir=str(folder / "ray"),  # which Ray opens to everyone
            )
    except BaseException:
        leave()
        raise
    return leave


def _muted(ray: Any, leave: Callable[[], None]) -> Callable[[], None]:
    """Keep Ray from printing on stdout which of its workers died, until it is left.

    It does so whatever it is told about logs, and stdout is for results.
    """
    worker = ray._private.worker  # noqa: SLF001  # there is no option for it
    worker._worker_logs_enabled = False  # noqa: SLF001

    def leave_unmuted() -> None:
        leave()
        worker._worker_logs_enabled = True  # noqa: SLF001

    return leave_unmuted


def _private_folder() -> Path:
    """A folder that only this user can enter, with a short path."""
    usual = tempfile.gettempdir()
    place = usual if len(usual) <= _LONGEST_FOLDER else "/tmp"  # noqa: S108  # made safely below
    return own_folder(RAY, Path(place))


@contextmanager
def _lean() -> Iterator[None]:
    """Start Ray without its API server, autoscaler and log monitor.

    Ray has no options for that. They take more than half of its start (3 s instead of 7 s on two
    cores), listen on ports, and nothing here uses them. What a version of Ray does not have is
    left alone.
    """
    import ray._raylet as core
    from ray._private import node, ray_constants, utils

    compiled: Any = core  # it has no types
    changes: list[tuple[Any, str, Any]] = [
        (ray_constants, "ENABLE_RAY_CLUSTER", False),  # read at import, perhaps before us
        (utils, "get_dashboard_dependency_error", lambda: ImportError("not wanted")),
        (node.Node, "start_api_server", _without_server),
        (node.Node, "start_monitor", _nothing),
        (node.Node, "start_log_monitor", _nothing),
    ]
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    compiled.AuthenticationTokenLoader.instance().reset_cache()  # the token is a new one
    compiled.Config.initialize("")  # read at import, perhaps before the environment was set
    for owner, name, value in changes:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in kept:
            setattr(owner, name, value)


def _without_server(node: Any, **_options: Any) -> None:
    node._webui_url = None  # noqa: SLF001  # what it is without a dashboard


def _nothing(*_ignored: Any) -> None:
    """Stands for what is not done."""


@contextmanager
def environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Have these variables for a while; `None` is one that is not set."""
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
