"""Where items come from, and pieces of them: what a chunk is made of.

A piece knows its place, `start` to `stop` in the units of its source (items, or bytes where items
are lines), what is sent of it, and the digest by which it is recognised when a run goes on.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from agentflow.errors import Fault, InputError, Json
from agentflow.functions.packs import encoded, is_pack
from agentflow.functions.parcels import parcel_of
from agentflow.functions.portions import shown

PIECE_BYTES = 8 * 1024 * 1024
"""A piece of several items is not made larger than this."""
_STRICTLY = (
    orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)
ITEM_BYTES = 512 * 1024 * 1024
"""The largest item."""
_GATHER_SECONDS = 0.05
"""How long a source that gives its items slowly is waited for."""


class Piece(Protocol):
    """Items that belong together."""

    start: int
    stop: int

    @property
    def digest(self) -> str:
        """Differs if the items do."""
        ...

    def sent(self) -> dict[str, Json]:
        """What the worker gets; see `functions.portions`."""
        ...

    @property
    def content(self) -> bytes:
        """The items, where they travel by value; a file may take them to a worker."""
        ...

    def split(self, at: int) -> tuple[Piece, Piece]:
        """Two pieces: the first `at` units, and the rest."""
        ...

    def described(self) -> Json:
        """The only item, as JSON for people."""
        ...


class Source(Protocol):
    """Gives pieces, one after another."""

    kind: str
    total: int | None
    """Units in all, if that is known."""
    blocks: bool
    """Whether giving a piece may take long."""
    position: int
    """Where the next piece starts."""

    def take(self, count: int, *, exactly: bool = False) -> Piece | None:
        """The next piece, of at most `count` units; `None` at the end.

        Raises:
            InputError: an item cannot be sent.
        """
        ...

    def described(self) -> Json:
        """What the input of the execution says of it."""
        ...


def digest_of(content: bytes) -> str:
    """What items are recognised by."""
    return hashlib.sha256(content).hexdigest()[:32]


@dataclass(slots=True)
class RangePiece:
    """A part of a range: three numbers."""

    start: int
    stop: int
    numbers: range

    @property
    def digest(self) -> str:
        return digest_of(orjson.dumps(self.sent()))

    def sent(self) -> dict[str, Json]:
        return {"range": [self.numbers.start, self.numbers.stop, self.numbers.step]}

    def split(self, at: int) -> tuple[Piece, Piece]:
        middle = self.start + at
        return (
            RangePiece(self.start, middle, self.numbers[:at]),
            RangePiece(middle, self.stop, self.numbers[at:]),
        )

    @property
    def content(self) -> bytes:
        return b""

    def described(self) -> Json:
        return self.numbers[0]


@dataclass(slots=True)
class ValuesPiece:
    """Items by value."""

    start: int
    stop: int
    items: Sequence[Any]
    _encoded: bytes | None = field(default=None, repr=False)

    @property
    def digest(self) -> str:
        return digest_of(self.content)

    @property
    def content(self) -> bytes:
        if self._encoded is None:
            self._encoded = _encoded(self.items, self.start)
        return self._encoded

    def sent(self) -> dict[str, Json]:
        if is_pack(self.content):
            return {"parcel": parcel_of([self.content], None)}
        return {"values": orjson.Fragment(self.content)}

    def split(self, at: int) -> tuple[Piece, Piece]:
        middle = self.start + at
        return (
            ValuesPiece(self.start, middle, self.items[:at]),
            ValuesPiece(middle, self.stop, self.items[at:]),
        )

    def described(self) -> Json:
        return shown(self.items[0])


def _encoded(items: Sequence[Any], start: int) -> bytes:
    """Items as JSON or as a pack.

    Raises:
        InputError: an item is not JSON, nor an array or a table.
    """
    try:
        return _easily(items) or encoded(_listed(items), path="items", limit=ITEM_BYTES)
    except Fault as fault:
        raise _not_sendable(items, start, fault) from fault


def _easily(items: Sequence[Any]) -> bytes | None:
    """Items as JSON, in one pass of C; `None` if there is more to look at."""
    if not isinstance(items, (list, tuple)):
        return None
    with suppress(TypeError):  # something that JSON does not have
        content = orjson.dumps(items, option=_STRICTLY)
        # It writes null for numbers that are not finite.
        return None if b"null" in content else content
    return None


def _listed(items: Sequence[Any]) -> Any:
    """A tuple as a list; an array as it is."""
    return list(items) if isinstance(items, tuple) else items


def _not_sendable(items: Sequence[Any], start: int, fault: Fault) -> InputError:
    """Which of the items it is."""
    for index, item in enumerate(items, start):
        try:
            encoded(item, path=f"item {index}", limit=ITEM_BYTES)
        except Fault as found:
            fault = found
            break
    return InputError(
        fault.message,
        help="items are JSON, NumPy arrays or Arrow tables; or pass addresses of them",
    )


class Range:
    """A `range`, whatever its length."""

    kind = "range"
    blocks = False

    def __init__(self, numbers: range) -> None:
        self._numbers = numbers
        self.total: int | None = len(numbers)
        self.position = 0

    def take(self, count: int, *, exactly: bool = False) -> Piece | None:
        start, stop = self.position, min(self.position + count, len(self._numbers))
        if start >= stop:
            return None
        self.position = stop
        return RangePiece(start, stop, self._numbers[start:stop])

    def described(self) -> Json:
        numbers = self._numbers
        return {"range": [numbers.start, numbers.stop, numbers.step]}


class InMemory:
    """A list, a tuple, an array: what has a length and can be sliced."""

    kind = "list"
    blocks = False

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items
        self.total: int | None = len(items)
        self.position = 0
        self._weight = 0.0
        """Bytes of an item, as far as was seen."""

    def take(self, count: int, *, exactly: bool = False) -> Piece | None:
        start = self.position
        if start >= len(self._items):
            return None
        if not exactly:
            if not self._weight:
                self._weight = _weight(self._items[start], start)
            count = max(1, min(count, int(PIECE_BYTES / self._weight)))
        piece = ValuesPiece(start, min(start + count, len(self._items)), ())
        piece.items = self._items[piece.start : piece.stop]
        if not exactly:
            self._weight = max(1.0, len(piece.content) / (piece.stop - start))
        self.position = piece.stop
        return piece

    def described(self) -> Json:
        return {"list": len(self._items)}


class Stream:
    """A generator, or anything else that is iterated over once."""

    kind = "stream"
    blocks = True
    total: int | None = None

    def __init__(self, items: Iterable[Any]) -> None:
        self._items: Iterator[Any] = iter(items)
        self.position = 0
        self._weight = 0.0

    def take(self, count: int, *, exactly: bool = False) -> Piece | None:
        found = self._gathered(count, exactly=exactly)
        if not found:
            return None
        piece = ValuesPiece(self.position, self.position + len(found), found)
        self._weight = max(1.0, len(piece.content) / len(found))
        self.position = piece.stop
        return piece

    def _gathered(self, count: int, *, exactly: bool) -> list[Any]:
        if exactly:
            return list(itertools.islice(self._items, count))
        until = time.monotonic() + _GATHER_SECONDS
        found = list(itertools.islice(self._items, 1))
        if found and not self._weight:
            self._weight = _weight(found[0], self.position)
        count = min(count, int(PIECE_BYTES / max(1.0, self._weight)))
        step = 1
        while found and len(found) < count and time.monotonic() < until:
            more = list(itertools.islice(self._items, min(step, count - len(found))))
            found += more
            if len(more) < step:
                break
            step *= 2
        return found

    def described(self) -> Json:
        return {"stream": True}


def _weight(item: Any, position: int) -> float:
    """About how many bytes an item takes."""
    return max(1.0, len(_encoded([item], position)))
