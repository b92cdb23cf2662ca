"""What a worker process is doing, in memory it shares with its pool.

A worker that hangs in C, or has just died, cannot tell; this page still can. Cell 0 is the plain
function that runs, the others are coroutines. Writing costs a fraction of a microsecond, hence
every call and every item of a batch is noted here before it begins.
"""

from __future__ import annotations

import math
import mmap
import struct
import time
from dataclasses import dataclass

COROUTINES = 64
"""Coroutines that one worker runs at once."""

_CELL = struct.Struct("<Qqd")
_SIZE = (1 + COROUTINES) * _CELL.size
_BEGAN = struct.Struct("<d")
_ID_INDEX = struct.Struct("<Qq")


@dataclass(frozen=True, slots=True)
class Running:
    """A call that has begun and whose result is not out yet."""

    cell: int
    id: int
    index: int
    """Item of a batch; 0 for others."""
    began: float
    """`time.monotonic()`, which all processes of a machine share; infinite once it has ended."""


class Cells:
    """The page; both sides map the same file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._page = mmap.mmap(descriptor, _SIZE)

    @staticmethod
    def size() -> int:
        """Bytes the descriptor must have."""
        return _SIZE

    def begin(self, cell: int, id: int, index: int = 0, *, used: float = 0.0) -> None:
        """Note that a call begins; `used` seconds of its time are gone already."""
        # The time is written first: a reader between the two writes sees a call that is younger
        # than it is, never one that is older.
        _BEGAN.pack_into(self._page, cell * _CELL.size + _ID_INDEX.size, time.monotonic() - used)
        _ID_INDEX.pack_into(self._page, cell * _CELL.size, id, index)

    def ended(self, cell: int) -> None:
        """Note that the function has returned; its result is on the way."""
        _BEGAN.pack_into(self._page, cell * _CELL.size + _ID_INDEX.size, math.inf)

    def clear(self, cell: int) -> None:
        """Note that the result is out."""
        _ID_INDEX.pack_into(self._page, cell * _CELL.size, 0, 0)

    def running(self) -> list[Running]:
        """What has begun and not been cleared."""
        cells = enumerate(_CELL.iter_unpack(self._page))
        return [Running(cell, id, index, began) for cell, (id, index, began) in cells if id]

    def plain(self) -> int:
        """The id of the plain function that runs, or 0."""
        return int(_ID_INDEX.unpack_from(self._page)[0])

    def close(self) -> None:
        """Let go of the page."""
        self._page.close()
