"""Private servers for tests: PostgreSQL and Redis on this machine, each in a folder of its own.

They listen on 127.0.0.1 at a port that was free, know nothing of other servers, and can be killed,
frozen and started again with what they had kept.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

START_SECONDS = 120
"""How long a server may take until it answers."""

_GIVEN_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LEAST_PORT = 20_000
"""Below are those of Ray's workers."""
_QUIET_PORTS = range(_LEAST_PORT, max(_LEAST_PORT + 1000, int(_GIVEN_PORTS.read_text().split()[0])))

USER = "agentflow"


class Server:
    """A server process, its folder and its port."""

    def __init__(self, folder: Path, port: int, command: list[str], user: str | None) -> None:
        self.folder = folder
        self.port = port
        self._command = command
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, again with what it had kept, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                start_new_session=True,  # Ctrl-C in a terminal is not for it
                cwd=self.folder,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self.folder / "log").read_text(errors="replace")
                raise RuntimeError(f"{self._command[0]} did not start:\n{text[-2000:]}")
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it takes requests."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill all of its processes at once: what it had not made durable is gone."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop all of its processes where they are; connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        # The first one goes first: it would start others in the place of those that end.
        for pid in (self._process.pid, *_children(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        children = _children(self._process.pid)
        if number is signal.SIGKILL:
            self._signal(number)
        elif self._process.poll() is None:
            self._process.send_signal(number)
        self._process.wait()
        while any(map(_is_running, children)):
            time.sleep(0.005)
        self._process = None


class PostgresServer(Server):
    """A PostgreSQL cluster."""

    url: str
    """Of the database that exists from the start."""

    def answers(self) -> bool:
        """Whether it takes requests."""
        import psycopg

        try:
            psycopg.connect(self._address("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def database(self, name: str) -> str:
        """Make an empty database and give its URL."""
        import psycopg

        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self._address(name)

    def _address(self, name: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"


class RedisServer(Server):
    """A Redis server that keeps nothing."""

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        """Whether it takes requests."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


@contextlib.contextmanager
def postgres_server(*, fsync: bool = True) -> Iterator[PostgresServer]:
    """A fresh PostgreSQL cluster with one empty database; skips the test where there is none.

    Without `fsync` it is several times as fast, and loses nothing unless the machine goes down.
    """
    initdb, postgres = _program("initdb"), _program("postgres")
    # It refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    with _folder(user) as folder:
        data = folder / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "-N"],
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        port = free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "fsync": "on" if fsync else "off",
            "shared_buffers": "32MB",
            "max_connections": 200,
            "max_wal_size": "256MB",
        }
        settings = [f"-c{name}={value}" for name, value in options.items()]
        server = PostgresServer(folder, port, [postgres, "-D", str(data), *settings], user)
        server.start()
        try:
            server.url = server.database(USER)
            yield server
        finally:
            server.kill()


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    """An empty Redis server; skips the test where there is none."""
    program = _program("redis-server")
    with _folder(None) as folder:
        port = free_port()
        options = ("--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no")
        server = RedisServer(folder, port, [program, *options], None)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@contextlib.contextmanager
def _folder(user: str | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="agentflow-"))
    if user:
        shutil.chown(folder, user, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _children(parent: int) -> list[int]:
    # PostgreSQL makes a process group of each of its processes, so there is none to signal.
    found = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(pid) for pid in found.read_text().split()] if found.exists() else []


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def free_port() -> int:
    """A port on 127.0.0.1 that nobody has, and that stays so until a server has started there.

    The ports that the system gives to whoever connects are none: it could give this one away.
    """
    for _ in range(1000):
        port = secrets.choice(_QUIET_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("all ports are taken")


def _program(name: str) -> str:
    # Debian keeps PostgreSQL's programs of each version in a folder that is not on the PATH.
    places = [str(p) for p in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found
