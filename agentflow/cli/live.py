"""Progress on a terminal: a table that repaints itself, below what functions print."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from agentflow.cli import rows
from agentflow.cli.progress import Retrying, Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from agentflow.cli.progress import Happening, Progress, State

_STYLES: dict[State | None, str] = {
    "pending": "dim",
    "running": "cyan",
    "succeeded": "green",
    "skipped": "dim",
    "failed": "red",
    "cancelled": "yellow",
    None: "dim",
}

_LINGER = 10.0
"""Seconds a retry stays on the screen."""


class LiveTable:
    """The live view."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._spinner: Spinner | None = None
        self._since = 0.0
        self._phase = ""
        self._retries: deque[tuple[float, str]] = deque(maxlen=3)
        self._waiting: dict[str, str] = {}
        self._live.start()

    def say(self, words: str) -> None:
        """Say it above the table."""
        self._console.print(Text(words, style="bold"))

    def phase(self, words: str | None, *, failed: bool) -> None:
        """Turn a spinner while something takes long."""
        self._phase = words or ""
        self._since = time.time()
        self._spinner = Spinner("dots") if words else None

    def printed(self, key: str, lines: Sequence[str]) -> None:
        """Let what a function printed scroll by above the table."""
        for line in lines:
            shown = Text.assemble(f"{key} │ ", Text.from_ansi(line), style="dim")
            self._console.print(shown, soft_wrap=True)

    def happened(self, progress: Progress, happenings: Sequence[Happening]) -> None:
        """Keep retries and waits for the lines below the table."""
        for happening in happenings:
            match happening:
                case Retrying(at=at, key=key):
                    self._retries.append((at, f"↻ {key} attempt {rows.retrying(happening)}"))
                case Waiting(key=key):
                    words = rows.waiting(happening, progress.execution or "")
                    self._waiting[key] = f"⏸ {key} {words}"
                case _:
                    pass

    def refresh(self, progress: Progress | None) -> None:
        """Repaint."""
        self._live.update(self._picture(progress, time.time()), refresh=True)

    def close(self, progress: Progress | None) -> None:
        """Paint the end and leave it on the screen."""
        self._retries.clear()
        self._waiting.clear()
        self._spinner = None
        self._live.update(self._picture(progress, time.time()), refresh=True)
        self._live.stop()

    def _picture(self, progress: Progress | None, now: float) -> Group:
        parts: list[RenderableType] = []
        if self._spinner is not None:
            passed = int(now - self._since)
            self._spinner.update(text=f"{self._phase}… {passed}s" if passed else f"{self._phase}…")
            parts.append(self._spinner)
        if progress is not None and progress.started is not None:
            parts.append(self._table(progress, now))
            parts.extend(Text(words, style="yellow") for words in self._news(progress, now))
        return Group(*parts)

    def _table(self, progress: Progress, now: float) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        # Widths that do not jump while numbers grow.
        for width in (1, 10, 0, 28):
            table.add_column(min_width=width, no_wrap=True)
        table.add_column(min_width=7, justify="right", no_wrap=True)
        for row in rows.table(progress, now, max(self._console.height - 8, 4)):
            style = _STYLES[row.state]
            bar: RenderableType = ""
            if row.share is not None:
                bar = ProgressBar(total=1.0, completed=row.share, width=26)
            faint = "dim" if row.state in ("pending", "skipped", None) else ""
            words = "  ".join(part for part in (row.count, row.detail) if part)
            mark = rows.MARKS[row.state] if row.state is not None else ""
            table.add_row(
                Text(mark, style=style),
                Text(row.name, style=faint),
                bar,
                Text(words, style=faint),
                row.time,
            )
        return table

    def _news(self, progress: Progress, now: float) -> list[str]:
        waits = {key for step in progress.steps for key in step.waits}
        recent = [words for at, words in self._retries if now - at < _LINGER]
        return [*recent, *(words for key, words in self._waiting.items() if key in waits)]
