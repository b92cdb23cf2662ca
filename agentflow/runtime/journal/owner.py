"""Which engine runs an execution, and whether its process is still there.

An owner is `host:pid:birth:nonce`. A pid alone is not enough, it is given again after its process
ended; `birth` is the process's start in clock ticks, the boot it belongs to and its namespace of
pids. The nonce tells engines of one process apart. Owners written before there were nonces have
three parts, and what cannot be taken apart counts as a process of another machine.
"""

from __future__ import annotations

import functools
import os
import re
import secrets
import socket
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_FORM = re.compile(r"([^:]+):(\d+):([^:]*)(?::([^:]*))?")


class Owner(NamedTuple):
    """An owner string's parts."""

    host: str
    pid: int
    birth: str
    nonce: str = ""

    @classmethod
    def parse(cls, owner: str) -> Owner:
        """Take `host:pid:birth:nonce` apart."""
        match = _FORM.fullmatch(owner)
        if match is None:
            return cls(owner, 0, "")
        host, pid, birth, nonce = match.groups()
        return cls(host, int(pid), birth, nonce or "")

    @property
    def is_local(self) -> bool:
        """Whether it is, or was, a process of this machine, or of one with the same name."""
        # Containers may share a name and yet not see each other's processes.
        return self.host == socket.gethostname() and self._part(2) in ("", _namespace())

    @property
    def is_of_this_boot(self) -> bool:
        """Whether it is, or was, certainly a process of this machine."""
        return self.is_local and self._part(1) == _boot()

    @property
    def is_running(self) -> bool:
        """Whether a process with this pid and birth is there."""
        started = _started(self.pid)
        return started is not None and started == (self._part(0), self._part(1))

    def _part(self, number: int) -> str:
        parts = self.birth.split("-")
        return parts[number] if number < len(parts) else ""


def owner_id() -> str:
    """A new owner string for an engine of this process."""
    pid = os.getpid()
    started = _started(pid) or ("", "")
    birth = "-".join((*started, _namespace()))
    return f"{socket.gethostname()}:{pid}:{birth}:{secrets.token_hex(4)}"


def is_alive(owner: str) -> bool:
    """Whether the owning process still runs. One on another machine counts as alive."""
    parts = Owner.parse(owner)
    return not parts.is_local or parts.is_running


def has_died(owner: str) -> bool:
    """Whether the owning process certainly has ended: it was one of this machine, since it started.

    A process of another boot may be one of another machine with the same name.
    """
    parts = Owner.parse(owner)
    return parts.is_of_this_boot and not parts.is_running


def _started(pid: int) -> tuple[str, str] | None:
    """When a process started, and since which boot; `None` if it ended.

    It has ended also if its parent has not noticed yet.
    """
    if not _PROC.joinpath("self").exists():
        return _started_without_proc(pid)
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The command's name stands in parentheses and may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return None if state in "ZX" else (started, _boot())


@functools.cache
def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        return ""


@functools.cache
def _namespace() -> str:
    try:
        return format((_PROC / "self/ns/pid").stat().st_ino, "x")
    except OSError:
        return ""


def _started_without_proc(pid: int) -> tuple[str, str] | None:
    # Systems without /proc: a pid that was given again is taken for the old process.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return ("unknown", "")
