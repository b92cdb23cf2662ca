"""Between the engine and the screen: notices queue up here and are shown from a thread.

The engine only puts a notice into a queue; everything else, from counting to drawing, happens in
the thread, at most ten times a second.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agentflow.cli.lines import Silence
from agentflow.cli.replaying import replay
from agentflow.runtime.notices import Changed, Notice, Phase, Printed, TakenOver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow.cli.progress import Happening, Progress
    from agentflow.runtime.journal.protocol import StoredExecution

INTERVAL = 0.1
"""Seconds between two looks at the queue."""


class View(Protocol):
    """Shows progress; called from one thread at a time."""

    def say(self, words: str) -> None:
        """Say something beside the progress."""
        ...

    def phase(self, words: str | None, *, failed: bool) -> None:
        """Something that takes a while began, or (`None`) is over: done, or failed."""
        ...

    def printed(self, key: str, lines: Sequence[str]) -> None:
        """A function printed."""
        ...

    def happened(self, progress: Progress, happenings: Sequence[Happening]) -> None:
        """The execution moved on."""
        ...

    def refresh(self, progress: Progress | None) -> None:
        """Everything new has been told; draw."""
        ...

    def close(self, progress: Progress | None) -> None:
        """Nothing more will come."""
        ...


@dataclass(frozen=True, slots=True)
class Introduction:
    """Which execution is followed, and what is said of it."""

    execution: str
    words: str


class Watch:
    """What the engine reports to, as its `watch`."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._progress: Progress | None = None
        self._early: list[Notice] = []
        """What happened in the execution before it was introduced."""
        self._introduced: str | None = None
        self._queue: queue.SimpleQueue[Notice | Introduction] = queue.SimpleQueue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agentflow-watch", daemon=True)
        self._thread.start()

    def __call__(self, notice: Notice) -> None:
        """Take a notice; cheap, from any thread."""
        self._queue.put(notice)

    def follow(self, progress: Progress) -> None:
        """Show this execution, from where it stands; to be called before it moves on.

        One that is taken over needs it not: where it stands is among the notices.
        """
        self._progress = progress

    def introduce(self, execution: str, words: str) -> None:
        """Say which execution it is, before anything that happens in it."""
        self._queue.put(Introduction(execution, words))

    def close(self) -> None:
        """Show what is still in the queue, then stop. Closing twice is harmless."""
        if not self._over.is_set():
            self._stop()
            self._view.close(self._progress)

    def conclude(self, record: StoredExecution) -> None:
        """Stop, and show the end as the record says it was."""
        self._stop()
        if self._progress is not None and record.ended_at is not None:
            happenings = self._progress.conclude(record.status, record.origin, record.ended_at)
            self._view.happened(self._progress, happenings)
        self._view.close(self._progress)

    def _stop(self) -> None:
        self._over.set()
        self._thread.join()
        self._show()

    def _run(self) -> None:
        while not self._over.wait(INTERVAL):
            self._show()

    def _show(self) -> None:
        try:
            for _ in range(self._queue.qsize()):
                self._take(self._queue.get())
            if self._over.is_set() and self._introduced is None:
                self._release("")
            self._view.refresh(self._progress)
        except OSError:  # the terminal is gone; the execution goes on without a witness
            self._view = Silence()

    def _release(self, execution: str) -> None:
        self._introduced = execution
        early, self._early = self._early, []
        for notice in early:
            self._take(notice)

    def _take(self, notice: Notice | Introduction) -> None:
        match notice:
            case Introduction(execution, words):
                self._view.say(words)
                self._release(execution)
            case TakenOver() | Changed() | Printed() if self._introduced is None:
                self._early.append(notice)
            case TakenOver(execution, loaded, records):
                if execution == self._introduced:
                    self._progress = replay(loaded.workflow, execution, records).progress
            case Changed(execution, events, commands):
                if self._progress is not None:
                    happenings = self._progress.feed(execution, events, commands)
                    self._view.happened(self._progress, happenings)
            case Printed(_, key, lines):
                self._view.printed(key, lines)
            case Phase(text, failed):
                self._view.phase(text, failed=failed)
