"""Progress where nothing can be repainted: one line for each thing that happens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agentflow.cli import rows, terminal, text
from agentflow.cli.progress import ItemsCounted, Retrying, StepEnded, StepStarted, Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow.cli.progress import Happening, Progress, StepProgress

SECONDS = 5.0
"""A map tells how far it is after this long, or after a tenth of its items, whichever is later."""
SHARE = 0.1
WIDTH = 24
"""Columns for the names of steps."""


class Silence:
    """Shows nothing (`--quiet`)."""

    def say(self, words: str) -> None:
        """Nothing."""

    def phase(self, words: str | None, *, failed: bool) -> None:
        """Nothing."""

    def printed(self, key: str, lines: Sequence[str]) -> None:
        """Nothing."""

    def happened(self, progress: Progress, happenings: Sequence[Happening]) -> None:
        """Nothing."""

    def refresh(self, progress: Progress | None) -> None:
        """Nothing."""

    def close(self, progress: Progress | None) -> None:
        """Nothing."""


class Lines:
    """Writes a line for each change; `verbose` adds the beginnings of steps."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._phase: tuple[str, float] | None = None
        self._told: dict[str, tuple[float, int]] = {}
        """When a step's items were last told, and how many were done then."""

    def say(self, words: str) -> None:
        """Say it."""
        terminal.note(words)

    def phase(self, words: str | None, *, failed: bool) -> None:
        """Say that something began, and how long it took."""
        now = time.time()
        if words is not None:
            self._phase = (words, now)
            terminal.note(f"{text.clock(now)} {words}…")
        elif self._phase is not None:
            begun, since = self._phase
            self._phase = None
            became = "failed after" if failed else "done in"
            terminal.note(f"{text.clock(now)} {begun}: {became} {text.duration(now - since)}")

    def printed(self, key: str, lines: Sequence[str]) -> None:
        """Pass on what a function printed."""
        for line in lines:
            terminal.note(terminal.paint(f"{key} │ {line}", "dim"))

    def happened(self, progress: Progress, happenings: Sequence[Happening]) -> None:
        """Write what is worth a line."""
        for happening in happenings:
            words = self._words(progress, happening)
            if words:
                terminal.note(f"{text.clock(happening.at)} {words}")

    def refresh(self, progress: Progress | None) -> None:
        """Lines are written as they come."""

    def close(self, progress: Progress | None) -> None:
        """Lines are complete."""

    def _words(self, progress: Progress, happening: Happening) -> str:
        match happening:
            case StepStarted(step=step):
                return _line(progress, step.id, "started") if self._verbose else ""
            case StepEnded(step=step):
                return _line(progress, step.id, rows.ending(step))
            case ItemsCounted(at=at, step=step):
                told = self._counted(step, at)
                return _line(progress, step.id, told) if told else ""
            case Retrying(key=key):
                return f"{key} retry {rows.retrying(happening)}"
            case Waiting(key=key):
                return _line(progress, key, rows.waiting(happening, progress.execution or ""))

    def _counted(self, step: StepProgress, at: float) -> str:
        """How far a map is, if it was long enough ago that this was told."""
        items = step.items
        if items is None:
            return ""
        over = len(items.failed) + items.done
        since, before = self._told.setdefault(step.id, (step.started or at, 0))
        share = (over - before) / items.total if items.total else 1.0
        if at - since < SECONDS or share < SHARE:
            return ""
        self._told[step.id] = (at, over)
        busy = ", ".join(rows.busy(step))
        return f"{rows.counted(step)} ({busy})" if busy else rows.counted(step)


def _line(progress: Progress, name: str, words: str) -> str:
    width = min(max(len(step.id) for step in progress.steps), WIDTH)
    return f"{name:<{width}} {words}"
