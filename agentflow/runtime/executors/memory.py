"""Where files lie that are to stay in memory."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

_ROOM = 1 << 30
MEMORY = Path("/dev/shm")  # noqa: S108  # folders of our own are made in it
"""Where a file is in memory, if the system has such a place."""


def roomy_place() -> Path:
    """Memory, if there is plenty of it; containers often have next to none."""
    with suppress(OSError):
        room = os.statvfs(MEMORY)
        if room.f_bavail * room.f_frsize > _ROOM:
            return MEMORY
    return Path(tempfile.gettempdir())
