"""What a call prints or logs, as lines, and away from the process's own output.

While a `Redirection` is in place, `sys.stdout` and `sys.stderr` belong to whichever call writes:
threads and tasks of calls are told apart by a context variable. Writers outside of any call reach
the streams that were there before. Output of subprocesses does not pass here.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

from agentflow.functions.context import LOGGER

MAX_LINES = 10_000
"""Lines kept of one call."""
MAX_LINE = 8_192
"""Characters kept of one line."""

_CAPTURE: ContextVar[Capture | None] = ContextVar("agentflow_capture", default=None)


class Capture:
    """Collects the lines of one call and hands each on as it ends."""

    def __init__(self, emit: Callable[[str], None]) -> None:
        self._emit = emit
        self._left = MAX_LINES
        self._pending = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Take text; complete lines go out at once."""
        with self._lock:
            *lines, rest = (self._pending + text).split("\n")
            self._pending = rest[: MAX_LINE + 1]
            for line in lines:
                self._line(line)

    def end(self) -> None:
        """The call is over: hand on what stands after the last line end."""
        with self._lock:
            if self._pending:
                self._line(self._pending)
            self._pending = ""

    def _line(self, line: str) -> None:
        if self._left <= 0:
            return
        self._left -= 1
        if self._left == 0:
            line = f"(more output is left out after {MAX_LINES} lines)"
        if len(line) > MAX_LINE:
            line = line[:MAX_LINE] + "…"
        self._emit(line.encode(errors="replace").decode())


@contextmanager
def captured(emit: Callable[[str], None]) -> Iterator[None]:
    """Whatever this block prints goes to `emit`, line by line."""
    capture = Capture(emit)
    Redirection.ensure()
    token = _CAPTURE.set(capture)
    try:
        yield
    finally:
        _CAPTURE.reset(token)
        capture.end()


class _Stream(io.TextIOBase):
    """A standard stream that belongs to the call that writes, else to the one it replaced."""

    def __init__(self, original: TextIO | None) -> None:
        self.original = original

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read-only here
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        capture = _CAPTURE.get()
        if capture is not None:
            capture.write(text)
        elif self.original is not None:
            self.original.write(text)
        return len(text)

    def flush(self) -> None:
        if _CAPTURE.get() is None and self.original is not None:
            self.original.flush()

    def isatty(self) -> bool:
        return _CAPTURE.get() is None and self.original is not None and self.original.isatty()

    def fileno(self) -> int:
        if self.original is None:
            raise io.UnsupportedOperation("fileno")
        return self.original.fileno()


class _Handler(logging.Handler):
    """Log records of a call become its lines."""

    def emit(self, record: logging.LogRecord) -> None:
        capture = _CAPTURE.get()
        if capture is not None:
            capture.write(self.format(record) + "\n")


class Redirection:
    """Puts the streams of calls in place of the standard ones, and back.

    Counted, so that several executors in one process may overlap.
    """

    _lock = threading.Lock()
    _count = 0
    _handler = _Handler()
    _handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))

    @classmethod
    def begin(cls) -> None:
        """Put the streams in place."""
        with cls._lock:
            cls._count += 1
            if cls._count == 1:
                LOGGER.addHandler(cls._handler)
                if LOGGER.level == logging.NOTSET:
                    LOGGER.setLevel(logging.INFO)
        cls.ensure()

    @classmethod
    def ensure(cls) -> None:
        """Put the streams in place again if someone has replaced them since.

        Progress displays and test runners do; then theirs become the ones outside of calls.
        """
        if cls._count and not (type(sys.stdout) is type(sys.stderr) is _Stream):
            with cls._lock:
                if cls._count and type(sys.stdout) is not _Stream:
                    sys.stdout = _Stream(sys.stdout)
                if cls._count and type(sys.stderr) is not _Stream:
                    sys.stderr = _Stream(sys.stderr)

    @classmethod
    def end(cls) -> None:
        """Put back what was there, unless someone else has replaced it since."""
        with cls._lock:
            cls._count -= 1
            if cls._count:
                return
            LOGGER.removeHandler(cls._handler)
            if isinstance(sys.stdout, _Stream) and sys.stdout.original is not None:
                sys.stdout = sys.stdout.original
            if isinstance(sys.stderr, _Stream) and sys.stderr.original is not None:
                sys.stderr = sys.stderr.original
