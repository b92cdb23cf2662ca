"""The bytes between an executor, its worker pools and their processes.

Arguments and results are JSON that only the function's process and the executor read; whoever
stands between passes them on unopened. Nothing is ever pickled.

A *job* goes towards the function: a header, what the worker must know of the task, the arguments.
A *frame* goes back: a kind, the job's id, a payload. Commands to a pool are frames too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TypeAlias

_FRAME = struct.Struct("<BQI")
_JOB = struct.Struct("<QBBdIII")
SECONDS = struct.Struct("<d")
INDEX = struct.Struct("<I")
VERSION = struct.Struct("<Q")
COUNT = struct.Struct("<I")

_HEADER = _FRAME.size


class Kind(IntEnum):
    """What a frame says."""

    # from a worker, and from a pool
    COMPLETED = 1
    """Seconds, then the result."""
    FAILED = 2
    """Seconds, then `{"error", "trace"}`."""
    BATCH = 3
    """Seconds, then the outcomes of the items, with commas between."""
    YIELDED = 4
    """The stream's next values, with commas between."""
    PRINTED = 5
    """A line of text."""
    STATE = 6
    """Version, then the state of an agent's instance after the call that ends next."""
    # from a worker to its pool
    READY = 10
    """The worker has started."""
    ITEM = 11
    """Index, then the outcome of one item of a batch."""
    ASIDE = 12
    """The job runs as a coroutine from now on; the worker takes the next one."""
    BEGUN = 13
    """The call of an agent has begun."""
    # to a pool, and from it to a worker
    SUBMIT = 20
    """A job."""
    WITHDRAW = 21
    DEMAND = 22
    """Count: a stream may give so many more values."""
    RECALL = 23
    """Count: give back so many jobs that have not begun; answered by `RETURNED`."""
    RETURNED = 24
    # from the host of a pool
    BEAT = 30
    """It is alive."""


Frame: TypeAlias = tuple[Kind, int, bytes]
"""What a frame says, of which job, and its payload."""


class Shape(IntEnum):
    """What kind of task a job is."""

    CALL = 1
    BATCH = 2
    STREAM = 3


_APART = 1
_INDEXED = 2
_IN_FILE = 4
_ONCE = 8
_IN_TURN = 16


@dataclass(slots=True)
class Job:
    """A task on its way to a worker."""

    id: int
    shape: Shape
    about: bytes
    """The fields of a `Call` as a JSON list."""
    body: bytes
    """Arguments as JSON: an object, or for a batch a list of objects."""
    timeout: float = 0.0
    """Seconds for each call; zero: none."""
    demand: int = 0
    skip: int = 0
    apart: bool = False
    """Run in a process of its own, coroutines one at a time."""
    indexed: bool = False
    """The body is `[indexes, objects]`: what is left of a batch."""
    once: bool = False
    """Never to be begun a second time."""
    in_turn: bool = False
    """A batch's coroutines run one at a time."""

    def pack(self, file: Path | None = None) -> bytes:
        """The job as bytes; with `file`, the arguments are left there."""
        flags = self.apart * _APART | self.indexed * _INDEXED | self.once * _ONCE
        flags |= (file is not None) * _IN_FILE | self.in_turn * _IN_TURN
        header = _JOB.pack(
            self.id, self.shape, flags, self.timeout, self.demand, self.skip, len(self.about)
        )
        return header + self.about + (self.body if file is None else bytes(file))

    @classmethod
    def unpack(cls, data: bytes) -> Job:
        """The job that was packed; arguments that were left in a file are taken from it."""
        id, shape, flags, timeout, demand, skip, length = _JOB.unpack_from(data)
        start = _JOB.size + length
        about, body = data[_JOB.size : start], data[start:]
        if flags & _IN_FILE:
            file = Path(body.decode())
            body = file.read_bytes()
            file.unlink()
        apart, indexed = bool(flags & _APART), bool(flags & _INDEXED)
        once, in_turn = bool(flags & _ONCE), bool(flags & _IN_TURN)
        return cls(
            id, Shape(shape), about, body, timeout, demand, skip, apart, indexed, once, in_turn
        )

    @staticmethod
    def id_of(data: bytes) -> int:
        """The id of a packed job, without opening it."""
        return int.from_bytes(data[:8], "little")


def frame(kind: Kind, id: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return _FRAME.pack(kind, id, len(payload)) + payload


def frames(data: bytes) -> Iterator[Frame]:
    """The frames in a piece of bytes that ends with a whole one."""
    at = 0
    while at < len(data):
        kind, id, length = _FRAME.unpack_from(data, at)
        at += _HEADER
        yield Kind(kind), id, data[at : at + length]
        at += length


class Frames:
    """Cuts what arrives in pieces into frames."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """The frames that are whole with this piece."""
        self._data += piece
        at = 0
        while len(self._data) - at >= _HEADER:
            kind, id, length = _FRAME.unpack_from(self._data, at)
            end = at + _HEADER + length
            if len(self._data) < end:
                break
            yield Kind(kind), id, bytes(self._data[at + _HEADER : end])
            at = end
        del self._data[:at]
