"""A stream's values on their way out of a worker.

A value that comes a while after the one before goes out at once. Those that follow each other
faster go out together: a frame for each would cost more than most generators take.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

WINDOW = 0.002
"""Seconds for which a value may be kept, for others that follow."""
LARGE = 256 * 1024
"""Bytes of values that are not kept for longer."""


class Yields:
    """Takes values, one at a time, and sends them on in groups: JSON with commas between."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._changed = threading.Condition()
        self._kept: list[bytes] = []
        self._bytes = 0
        self._sent = 0.0
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def add(self, value: bytes) -> None:
        """Let a value out, now or very soon, whatever the generator does next."""
        with self._changed:
            self._kept.append(value)
            self._bytes += len(value)
            if self._bytes >= LARGE or time.monotonic() - self._sent >= WINDOW:
                self._flush()
            elif len(self._kept) == 1:
                self._watch()

    def flush(self) -> None:
        """Let out what is kept."""
        with self._changed:
            self._flush()

    def close(self) -> None:
        """Let out what is kept; nothing more comes."""
        with self._changed:
            self._flush()
            self._is_closed = True
            self._changed.notify()

    def _flush(self) -> None:
        if self._kept:
            self._send(b",".join(self._kept))
            self._kept.clear()
            self._bytes = 0
            self._sent = time.monotonic()

    def _watch(self) -> None:
        """See to it that what is kept goes out in time."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._serve, name="agentflow-yields", daemon=True
            )
            self._thread.start()
        self._changed.notify()

    def _serve(self) -> None:
        with self._changed:
            while not self._is_closed:
                left = self._sent + WINDOW - time.monotonic()
                if not self._kept:
                    self._changed.wait()
                elif left > 0:
                    self._changed.wait(left)
                else:
                    self._flush()
