"""A progress bar for a batch run, in a terminal or a notebook; nothing anywhere else."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence

from agentflow.runtime.batch.tally import Tally

_SECONDS = 0.1
"""How often it is drawn anew."""


def is_watched() -> bool:
    """Whether somebody sees what is drawn."""
    is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return is_terminal or "ipykernel" in sys.modules


class Bar:
    """The bar of one run; drawn by a thread of its own until it is closed."""

    def __init__(self, name: str, tally: Tally) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        self._tally = tally
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
            console=Console(stderr="ipykernel" not in sys.modules, highlight=False),
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._name = name
        self._task = self._progress.add_task(name, total=None, words="")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agentflow-progress", daemon=True)
        self._progress.start()
        self._thread.start()

    def printed(self, key: str, lines: Sequence[str]) -> None:
        """Let what a function printed scroll by above the bar."""
        from rich.text import Text

        for line in lines:
            self._progress.console.print(Text(f"{key} │ {line}", style="dim"), soft_wrap=True)

    def close(self) -> None:
        """Draw the end and leave it there. Closing twice is harmless."""
        if not self._over.is_set():
            self._over.set()
            self._thread.join()
            self._draw()
            self._progress.stop()

    def _run(self) -> None:
        while not self._over.wait(_SECONDS):
            self._draw()

    def _draw(self) -> None:
        tally = self._tally
        failed = f", {tally.failed_count:,} failed" if tally.failed_count else ""
        self._progress.update(
            self._task,
            description=tally.phase or self._name,
            total=tally.total,
            completed=tally.units,
            words=f"{tally.items:,} items{failed}",
            refresh=True,
        )
