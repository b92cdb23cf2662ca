"""How times, durations, values and tables are written for people."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agentflow.errors import Json


def duration(seconds: float) -> str:
    """A span of time at the precision that matters: `0.3s`, `12.4s`, `2m 05s`, `3h 07m`."""
    if seconds < 59.95:
        return f"{max(seconds, 0.0):.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def size(count: int) -> str:
    """A number of bytes at the precision that matters: `812 bytes`, `64 KB`, `1.2 MB`, `3.0 GB`."""
    if count < 1000:
        return counted(count, "byte")
    if count < 999_500:
        return f"{count / 1e3:.0f} KB"
    return f"{count / 1e6:.1f} MB" if count < 999_950_000 else f"{count / 1e9:.1f} GB"


def clock(at: float) -> str:
    """The local time of day of a Unix time: `12:00:01`."""
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


def stamp(at: float | None) -> str | None:
    """A Unix time as RFC 3339 in UTC with milliseconds, for JSON."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def day(at: float) -> str:
    """The local date and time of a Unix time: `2026-11-22 12:00:01`."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def value(data: Json) -> str:
    """A JSON value on one line."""
    return json.dumps(data, ensure_ascii=False)


def shortened(data: Json, limit: int = 100) -> str:
    """A JSON value on one line of at most `limit` characters, however large it is.

    Long texts and lists inside are cut first, so that every key of an object stays visible as
    long as there is room.
    """
    text = value(_trimmed(data, limit // 2, 3))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _trimmed(data: Json, limit: int, depth: int) -> Json:
    match data:
        case str() if len(data) > limit:
            return data[: limit - 1] + "…"
        case list() if depth == 0 or len(data) > limit // 4:
            kept = [_trimmed(item, limit // 2, depth - 1) for item in data[:3]] if depth else []
            return [*kept, f"… {len(data)} in all"]
        case list():
            return [_trimmed(item, limit, depth - 1) for item in data]
        case dict() if depth == 0:
            return {"…": f"{len(data)} keys"} if data else {}
        case dict():
            return {key: _trimmed(item, limit, depth - 1) for key, item in data.items()}
        case _:
            return data


def printable(words: str) -> str:
    """Words that cannot move the cursor or change the terminal: control characters are marked."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)


def counted(number: int, noun: str) -> str:
    """`1 item`, `40 items`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def columns(rows: Iterable[Sequence[str]], *, gap: int = 2) -> str:
    """Rows aligned in columns, without frames, so that `grep` and `awk` can read them."""
    table = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        (" " * gap)
        .join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        .rstrip()
        for row in table
    )
