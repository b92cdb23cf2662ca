"""What was acknowledged, kept outside of the store.

A store that is put back to an older state, by a restored file or a standby that lagged behind, is
in order in itself: only what is remembered elsewhere shows that it has lost something. Heads of
histories are therefore appended to a log beside the project's files, at most once a second. It is
evidence, not truth: it may lag, it may be deleted to accept a store as it is, and when it cannot be
written nothing else fails.

A line is `SEQ HASH AT ID CHECKSUM`: the last event of an execution, the first half of its hash in
hexadecimal, and when it happened.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from agentflow.runtime.journal.backend import create_folder

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0

_MAX_BYTES = 8 * 2**20
_KEPT = 20_000
"""How many executions a log that has grown too large is cut back to."""

_TAIL_BYTES = 4096


class Noted(NamedTuple):
    """The last event of an execution, as a commit makes it."""

    execution: str
    seq: int
    hash: bytes
    at: float


class Head(NamedTuple):
    """The last event of an execution that was acknowledged."""

    execution: str
    seq: int
    hash: str
    at: float


def short(hash: bytes) -> str:
    """A hash as the log keeps it."""
    return hash.hex()[:32]


class Heads:
    """The log of one store's heads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._unwritten: dict[str, Noted] = {}
        self._written_at = 0.0
        self._timer: threading.Timer | None = None

    def note(self, heads: Iterable[Noted]) -> None:
        """Events are durable."""
        with self._lock:
            self._unwritten.update((head.execution, head) for head in heads)
            if not self._unwritten:
                return
            wait = self._written_at + EVERY_SECONDS - time.monotonic()
            if wait <= 0:
                self._write()
            elif self._timer is None:
                self._timer = threading.Timer(wait, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what was noted."""
        with self._lock:
            self._write()

    def known(self, execution: str) -> Head | None:
        """The last head of an execution that was written before this log was opened."""
        return self._known.get(execution)

    def latest(self) -> list[Head]:
        """The heads that were written last."""
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - _TAIL_BYTES))
            return list({head.execution: head for head in _parse(file.read())}.values())
        return []

    def others(self) -> list[Path]:
        """Logs of other stores that were in the place of one that has none yet."""
        if self.path.exists():
            return []
        place = self.path.name.rpartition("-")[0]
        return sorted(self.path.parent.glob(f"{place}-*.log"))

    @cached_property
    def _known(self) -> dict[str, Head]:
        with contextlib.suppress(OSError):
            return {head.execution: head for head in _parse(self.path.read_bytes())}
        return {}

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        heads, self._unwritten = self._unwritten, {}
        if not heads:
            return
        self._written_at = time.monotonic()
        try:
            with self._locked() as file:
                os.write(file, b"".join(_line(_head(noted)) for noted in heads.values()))
                if os.fstat(file).st_size > _MAX_BYTES:
                    self._cut()
        except OSError as error:
            log.debug("%s was not written: %s", self.path, error)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The open file, which no other process writes or replaces."""
        create_folder(self.path.parent)
        while True:
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(file).st_ino == self.path.stat().st_ino:
                    yield file
                    return
            finally:
                os.close(file)

    def _cut(self) -> None:
        latest = {head.execution: head for head in _parse(self.path.read_bytes())}
        kept = sorted(latest.values(), key=lambda head: head.at)[-_KEPT:]
        partial = self.path.with_suffix(".partial")
        partial.write_bytes(b"".join(map(_line, kept)))
        partial.replace(self.path)


def _head(noted: Noted) -> Head:
    return Head(noted.execution, noted.seq, short(noted.hash), noted.at)


def _line(head: Head) -> bytes:
    text = f"{head.seq} {head.hash} {head.at!r} {head.execution}".encode()
    return b"%b %08x\n" % (text, zlib.crc32(text))


def _parse(content: bytes) -> Iterator[Head]:
    """The heads in a log; a line that was cut or damaged is no evidence."""
    for line in content.splitlines():
        text, _, checksum = line.rpartition(b" ")
        if checksum == b"%08x" % zlib.crc32(text):
            seq, hash, at, execution = text.decode().split(" ", 3)
            yield Head(execution, int(seq), hash, float(at))
