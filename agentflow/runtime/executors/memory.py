"""Where files lie that are to stay in memory."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

_ROOM = 1 << 30
_MEMORY = Path("/dev/shm")  # noqa: S108  # folders of our own are made in it


def roomy_place() -> Path:
    """Memory, if there is plenty of it; containers often have next to none."""
    with suppress(OSError):
        room = os.statvfs(_MEMORY)
        if room.f_bavail * room.f_frsize > _ROOM:
            return _MEMORY
    return Path(tempfile.gettempdir())
