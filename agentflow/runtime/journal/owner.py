"""Which process runs an execution, and whether it is still there.

An owner is `host:pid:birth`. A pid alone is not enough, it is given again after its process ended;
`birth` is the process's start in clock ticks and the boot it belongs to.
"""

from __future__ import annotations

import functools
import os
import socket
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")


class Owner(NamedTuple):
    """An owner string's parts."""

    host: str
    pid: int
    birth: str

    @classmethod
    def parse(cls, owner: str) -> Owner:
        """Take `host:pid:birth` apart."""
        host, pid, birth = owner.rsplit(":", 2)
        return cls(host, int(pid), birth)

    @property
    def is_local(self) -> bool:
        """Whether it is, or was, a process of this machine."""
        return self.host == socket.gethostname()


def owner_id() -> str:
    """The owner string of this process."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_birth(pid)}"


def is_alive(owner: str) -> bool:
    """Whether the owning process still runs. One on another machine counts as alive."""
    parts = Owner.parse(owner)
    return not parts.is_local or _birth(parts.pid) == parts.birth


def _birth(pid: int) -> str | None:
    """When a process started; `None` if it ended, also if its parent has not noticed yet."""
    if not _PROC.joinpath("self").exists():
        return _birth_without_proc(pid)
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The command's name stands in parentheses and may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return None if state in "ZX" else f"{started}-{_boot()}"


@functools.cache
def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text()[:8]


def _birth_without_proc(pid: int) -> str | None:
    # Systems without /proc: a pid that was given again is taken for the old process.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "unknown"
