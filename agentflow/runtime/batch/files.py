"""Items in files: the files themselves, pieces of them, or their lines."""

from __future__ import annotations

import bisect
import glob
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import orjson

from agentflow.errors import InputError, Json, Unavailable, UsageError
from agentflow.functions.portions import Stretch, opened
from agentflow.runtime.batch.sources import Piece, digest_of

Split: TypeAlias = "Literal['lines'] | int | None"
"""How files become items: by lines, by pieces of about so many bytes, or not at all."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that was found."""

    url: str
    size: int
    version: str
    """Changes when the file does."""


@dataclass(slots=True)
class FilesPiece:
    """Places in files. Units are places, or bytes where items are lines."""

    start: int
    stop: int
    places: Sequence[Stretch]
    versions: Sequence[str]
    by_lines: bool

    @property
    def digest(self) -> str:
        return digest_of(orjson.dumps([self.places, self.versions]))

    def sent(self) -> dict[str, Json]:
        return {"lines" if self.by_lines else "files": [list(place) for place in self.places]}

    @property
    def content(self) -> bytes:
        return b""

    def split(self, at: int) -> tuple[Piece, Piece]:
        first, second = self._divided(at) if self.by_lines else (self.places[:at], self.places[at:])
        middle = self.start + at
        known = dict(zip((url for url, _, _ in self.places), self.versions, strict=True))
        return (
            FilesPiece(self.start, middle, first, [known[p[0]] for p in first], self.by_lines),
            FilesPiece(middle, self.stop, second, [known[p[0]] for p in second], self.by_lines),
        )

    def _divided(self, at: int) -> tuple[list[Stretch], list[Stretch]]:
        first: list[Stretch] = []
        second: list[Stretch] = []
        for url, start, stop in self.places:
            middle = min(max(start + at, start), stop)
            at -= stop - start
            if start < middle:
                first.append((url, start, middle))
            if middle < stop:
                second.append((url, middle, stop))
        return first, second

    def described(self) -> Json:
        url, start, stop = self.places[0]
        return {"file": url, "start": start, "stop": stop}


class Files:
    """Files, or pieces of them, each of which is an item."""

    kind = "files"
    blocks = True

    def __init__(self, files: Sequence[File], pattern: str, size: int | None) -> None:
        self._pattern = pattern
        self._size = size
        self._files = files
        self._found = _pieces(files, size)
        self.total: int | None = len(files) if size is None else None
        self.position = 0

    def take(self, count: int, *, exactly: bool = False) -> Piece | None:
        found = list(itertools.islice(self._found, count))
        if not found:
            return None
        places, versions = zip(*found, strict=True)
        piece = FilesPiece(
            self.position, self.position + len(found), places, versions, by_lines=False
        )
        self.position = piece.stop
        return piece

    def described(self) -> Json:
        return {"files": self._pattern, "found": len(self._files), "split": self._size}


class LinesOfFiles:
    """The lines of files. Units are bytes, of all files one behind the other."""

    kind = "lines"
    blocks = False

    def __init__(self, files: Sequence[File], pattern: str) -> None:
        self._pattern = pattern
        self._files = files
        self._ends = list(itertools.accumulate(file.size for file in files))
        self.total: int | None = self._ends[-1]
        self.position = 0

    def take(self, count: int, *, exactly: bool = False) -> Piece | None:
        start, stop = self.position, min(self.position + count, self._ends[-1])
        if start >= stop:
            return None
        first = bisect.bisect_right(self._ends, start)
        last = bisect.bisect_left(self._ends, stop)
        places, versions = [], []
        for number in range(first, last + 1):
            file = self._files[number]
            base = self._ends[number] - file.size
            if file.size:
                begin, end = max(start - base, 0), min(stop - base, file.size)
                places.append((file.url, begin, end))
                versions.append(file.version)
        self.position = stop
        return FilesPiece(start, stop, places, versions, by_lines=True)

    def described(self) -> Json:
        return {"lines": self._pattern, "found": len(self._files), "bytes": self._ends[-1]}


def files_source(pattern: str, split: Split) -> Files | LinesOfFiles:
    """The items in the files that a path, a glob or an fsspec URL means.

    Raises:
        InputError: there are no such files.
        UsageError: `split` is none of its kinds.
        Unavailable: they cannot be listed.
    """
    if split != "lines" and split is not None and not (isinstance(split, int) and split > 0):
        raise UsageError(
            f"split={split!r} is not a way to split files",
            help='write split="lines", a number of bytes, or nothing for whole files',
        )
    files = _remote(pattern) if "://" in pattern else _local(pattern)
    if not files:
        remedy = "give a path, a glob such as data/*.csv, or a URL"
        if "://" not in pattern and Path(pattern).is_dir():
            remedy = f"it is a folder; {pattern.rstrip('/')}/* are the files in it"
        raise InputError(f"no file matches {pattern!r}", help=remedy)
    if split == "lines":
        return LinesOfFiles(files, pattern)
    return Files(files, pattern, split)


def _local(pattern: str) -> list[File]:
    found = []
    for path in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207  # patterns may be absolute
        if os.path.isfile(path):  # noqa: PTH113
            stat = os.stat(path)  # noqa: PTH116
            # Workers run elsewhere, so paths must be whole.
            found.append(File(os.path.abspath(path), stat.st_size, str(stat.st_mtime_ns)))  # noqa: PTH100
    return found


def _remote(pattern: str) -> list[File]:
    try:
        import fsspec

        system, _ = fsspec.core.url_to_fs(pattern)
        protocol = pattern.partition("://")[0]
        listed: dict[str, Any] = system.glob(pattern, detail=True)
    except ImportError as error:
        raise Unavailable(
            f"{pattern} needs a library that is not installed: {error}",
            help="pip install fsspec, and what that kind of store needs (s3:// needs s3fs)",
        ) from error
    except Exception as error:  # each kind of store has errors of its own
        raise Unavailable(
            f"{pattern} cannot be listed: {error}", help="check the address and the access to it"
        ) from error
    return [
        File(f"{protocol}://{path}", int(info["size"]), _version(info))
        for path, info in sorted(listed.items())
        if info["type"] == "file"
    ]


def _version(info: dict[str, Any]) -> str:
    names = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")
    return next((str(info[name]) for name in names if info.get(name)), "")


def _pieces(files: Sequence[File], size: int | None) -> Iterator[tuple[Stretch, str]]:
    """Whole files, or pieces that end where a line does."""
    for file in files:
        start = 0
        while size is not None and start + size < file.size:
            with opened(file.url) as content:
                content.seek(start + size - 1)
                stop = start + size - 1 + len(content.readline())
            yield (file.url, start, stop), file.version
            start = stop
        if start < file.size or file.size == 0:
            yield (file.url, start, file.size), file.version
