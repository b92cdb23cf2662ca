"""Folders outside of a project that live as long as a process: what was killed leaves its own.

Whoever makes such a folder removes those that were left; until then `agentflow doctor` tells.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from agentflow.functions.parcels import OWNER
from agentflow.runtime.executors.memory import MEMORY

ITEMS: Final = "agentflow-items-"
"""Items on their way to workers."""
RAY: Final = "agentflow-ray-"
"""Of a Ray that was started here."""
PARTS: Final = "agentflow-parts-"
"""A shelf: results on their way between nodes. The process is named in a file."""


def own_folder(prefix: str, place: Path) -> Path:
    """A new folder of this process, which only this user can enter."""
    sweep(place)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=place))


def sweep(place: Path) -> None:
    """Remove what killed processes left in a folder."""
    for left in _left_in(place):
        shutil.rmtree(left, ignore_errors=True)


def left_behind() -> list[Path]:
    """What processes of this user that were killed left on this machine."""
    places = {MEMORY, Path(tempfile.gettempdir())}
    return sorted(left for place in places for left in _left_in(place) if _is_ours(left))


def namespace() -> str:
    """Names the process ids that mean something here."""
    return str(Path("/proc/self/ns/pid").stat().st_ino)


def _left_in(place: Path) -> Iterator[Path]:
    for prefix in (ITEMS, RAY):
        for folder in place.glob(f"{prefix}*-*"):
            if _is_gone(folder.name.removeprefix(prefix).partition("-")[0]):
                yield folder
    for owner in place.glob(f"{PARTS}*/{OWNER}"):
        with suppress(OSError, ValueError):
            _, where, pid = owner.read_text().split("-")
            if where == namespace() and _is_gone(pid):
                yield owner.parent


def _is_gone(pid: str) -> bool:
    return not Path("/proc", pid).exists()


def _is_ours(folder: Path) -> bool:
    with suppress(OSError):
        return folder.stat().st_uid == os.getuid()
    return False
