"""The items of a chunk, from what was sent of them: values, a range, or places in files.

    {"range": [start, stop, step]}        numbers, which travel as three
    {"values": [...]}                     JSON values
    {"parcel": {...}}                     values with arrays or tables among them
    {"spilled": path}                     values, in a file on this machine
    {"files": [[url, start, stop], ...]}  an item is what stands there, as bytes
    {"lines": [[url, start, stop], ...]}  an item is a line that begins there, as text

Bytes of files are counted from 0. What is not a path on this machine is opened with fsspec.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias

from agentflow.errors import Fault, Json
from agentflow.functions.encoding import decode, encode
from agentflow.functions.packs import open_pack
from agentflow.functions.parcels import Place, mapped, unpack

SHOWN_BYTES = 16 * 1024
"""The largest input that is kept with a failure."""

Stretch: TypeAlias = "tuple[str, int, int]"
"""A file, and from where to where in it."""


class Portion(Protocol):
    """Items in order. Reading one may fail; that is the item's failure."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...

    def span(self, start: int, stop: int) -> Iterable[Any]:
        """Some of the items in a row."""
        ...

    def units(self, count: int) -> int:
        """How far the first `count` items reach: in items, or for lines in bytes."""
        ...

    def described(self, index: int) -> Json:
        """The item as JSON for people, `null` where that is not possible."""
        ...


def portion_of(sent: dict[str, Json], place: Place) -> Portion:
    """The items that were sent; `place` is where large parcels are."""
    ((kind, content),) = sent.items()
    match kind:
        case "range":
            return Values(range(*content))
        case "values":
            return Values(content)
        case "parcel":
            return Values(unpack(content, place))
        case "spilled":
            return Values(open_pack(mapped(Path(content))))
        case "files":
            return Pieces(content)
        case _:
            return Lines(content)


class Values:
    """Items that are there."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int, /) -> Any:
        return self._items[index]

    def span(self, start: int, stop: int) -> Iterable[Any]:
        return self._items[start:stop]

    def units(self, count: int) -> int:
        return count

    def described(self, index: int) -> Json:
        return shown(self._items[index])


class Pieces:
    """Parts of files, each read when its turn comes."""

    def __init__(self, places: Sequence[Stretch]) -> None:
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int, /) -> bytes:
        url, start, stop = self._places[index]
        with opened(url) as file:
            file.seek(start)
            return file.read(stop - start)

    def span(self, start: int, stop: int) -> Iterable[Any]:
        return map(self.__getitem__, range(start, stop))

    def units(self, count: int) -> int:
        return count

    def described(self, index: int) -> Json:
        url, start, stop = self._places[index]
        return {"file": url, "start": start, "stop": stop}


class Lines:
    """The lines that begin in parts of files; all of them are read at once."""

    def __init__(self, places: Sequence[Stretch]) -> None:
        self._raw: list[bytes] = []
        ends: list[int] = []
        base = 0
        for url, start, stop in places:
            skipped, lines = _lines_from(url, start, stop)
            ends += accumulate(map(len, lines), initial=base + skipped)
            del ends[-len(lines) - 1]
            base += stop - start
            self._raw += lines
        self._ends = ends
        self._total = base

    def __len__(self) -> int:
        return len(self._raw)

    def __getitem__(self, index: int, /) -> str:
        return self._raw[index].removesuffix(b"\n").removesuffix(b"\r").decode()

    def span(self, start: int, stop: int) -> Iterable[Any]:
        return map(self.__getitem__, range(start, stop))

    def units(self, count: int) -> int:
        """Bytes; the last line may end behind the part it begins in."""
        return self._total if count == len(self._raw) else min(self._ends[count - 1], self._total)

    def described(self, index: int) -> Json:
        return self._raw[index].rstrip(b"\r\n")[:SHOWN_BYTES].decode(errors="replace")


class Picked:
    """Some items of a portion, by their offsets."""

    def __init__(self, portion: Portion, offsets: Sequence[int]) -> None:
        self._portion = portion
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, index: int, /) -> Any:
        return self._portion[self._offsets[index]]

    def span(self, start: int, stop: int) -> Iterable[Any]:
        return map(self.__getitem__, range(start, stop))

    def units(self, count: int) -> int:
        return count

    def described(self, index: int) -> Json:
        return self._portion.described(self._offsets[index])


def opened(url: str) -> BinaryIO:
    """A file to read.

    Raises:
        Fault: `FileNotReadable` if it needs fsspec and that is not installed.
    """
    if "://" not in url:
        return Path(url).open("rb")
    try:
        import fsspec
    except ImportError:
        raise Fault(
            "FileNotReadable", f"{url} needs fsspec, which is not installed on this worker"
        ) from None
    file: BinaryIO = fsspec.open(url, "rb").open()
    return file


def shown(item: Any) -> Json:
    """An item as JSON, `null` if it is none or large."""
    try:
        return decode(encode(item, limit=SHOWN_BYTES))
    except Fault:
        return None


def _lines_from(url: str, start: int, stop: int) -> tuple[int, list[bytes]]:
    """The lines that begin in a part of a file, and how many bytes stand before the first.

    A line that began before the part belongs to the part before it.
    """
    with opened(url) as file:
        skipped = 0
        if start:
            file.seek(start - 1)
            skipped = len(file.readline()) - 1
        if start + skipped >= stop:
            return stop - start, []
        content = file.read(stop - start - skipped)
        if not content.endswith(b"\n"):
            content += file.readline()
    lines = content.split(b"\n")
    last = lines.pop()
    return skipped, [line + b"\n" for line in lines] + ([last] if last else [])
