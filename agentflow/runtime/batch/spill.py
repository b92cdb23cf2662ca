"""Files that take items to workers on this machine, past everything that would copy them."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from agentflow.errors import Unavailable
from agentflow.runtime.executors.leftovers import ITEMS, own_folder
from agentflow.runtime.executors.memory import roomy_place

LEAST_BYTES = 64 * 1024
"""Fewer bytes travel with the task."""


class Spill:
    """The files of one run, in memory where the system has such files."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def put(self, key: str, content: bytes) -> str:
        """Leave items for a worker; gives the path.

        Raises:
            Unavailable: there is no room.
        """
        try:
            if self._folder is None:
                self._folder = own_folder(ITEMS, roomy_place())
            file = self._folder / key
            file.write_bytes(content)
        except OSError as error:
            raise Unavailable(
                f"items cannot be handed to workers: {error}",
                help="free some space; the same call with the run's id goes on",
            ) from error
        return str(file)

    def remove(self, key: str) -> None:
        """A worker has answered."""
        if self._folder is not None:
            with suppress(FileNotFoundError):
                (self._folder / key).unlink()

    def close(self) -> None:
        """Remove everything."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
