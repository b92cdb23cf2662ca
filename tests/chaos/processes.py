"""Processes as the kernel shows them: descendants of one of ours, and signals that hit no other."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Seen:
    """A process at the moment it was looked at."""

    pid: int
    parent: int
    born: str
    command: str

    def send(self, number: signal.Signals) -> bool:
        """Send a signal, unless the pid means another process by now or none; whether it was sent."""
        with suppress(OSError):
            descriptor = os.pidfd_open(self.pid)
            try:
                if (now := look(self.pid)) is not None and now.born == self.born:
                    signal.pidfd_send_signal(descriptor, number)
                    return True
            finally:
                os.close(descriptor)
        return False


def look(pid: int) -> Seen | None:
    """A process; `None` if it has ended, also if nobody has waited for it yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return None
    state, parent, *rest = stat.rpartition(")")[2].split()
    if state in "ZX":
        return None
    return Seen(pid, int(parent), rest[17], command.decode(errors="replace"))


def descendants(pid: int) -> list[Seen]:
    """Children of a process, their children, and so on; the oldest first."""
    every = [look(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    children: dict[int, list[Seen]] = {}
    for seen in every:
        if seen is not None:
            children.setdefault(seen.parent, []).append(seen)
    found: list[Seen] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += [seen.pid for seen in below]
    return sorted(found, key=lambda seen: (int(seen.born), seen.pid))
