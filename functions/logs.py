"""Access logs of web servers, in the Common Log Format.

A line: `192.0.2.7 - - [14/Mar/2025:06:25:24 +0000] "GET /docs HTTP/1.1" 200 5120`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import TypedDict

from agentflow.functions import function
from functions.project import existing_file

LINE = re.compile(
    r"(?P<client>\S+) \S+ \S+ "
    r"\[(?P<day>[^:\]]+):(?P<hour>\d\d):[^\]]+\] "
    r'"(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" '
    r"(?P<status>\d{3}) (?P<bytes>\d+|-)"
)


class Request(TypedDict):
    """One line of an access log."""

    client: str
    hour: int
    method: str
    path: str
    status: int
    bytes: int


class Traffic(TypedDict):
    """What some requests add up to."""

    requests: int
    failures: int
    """Answered with a status of 500 or more."""
    bytes: int
    malformed: int


class Block(TypedDict):
    """Some lines of a log, parsed."""

    requests: list[Request]
    malformed: int
    """Lines that are not in the Common Log Format."""


class Page(TypedDict):
    """A piece of a log, and where the next one begins."""

    traffic: Traffic
    next: int | None
    """A byte offset; `null` at the end of the log."""


class Tally(TypedDict):
    """How often a value occurs."""

    value: str
    count: int


@function
def read_requests(path: str) -> list[Request]:
    """Read a log's requests; malformed lines are left out."""
    with existing_file(path).open(encoding="utf-8") as lines:
        return [request for line in lines if (request := _parse(line))]


@function
def stream_blocks(path: str, lines: int = 200) -> Iterator[list[str]]:
    """Give a log block by block, `lines` lines each, without ever holding all of it."""
    with existing_file(path).open(encoding="utf-8") as log:
        while block := [line.rstrip("\n") for line in islice(log, lines)]:
            yield block


@function
def parse_block(lines: list[str]) -> Block:
    """Parse lines of a log."""
    requests = [request for line in lines if (request := _parse(line))]
    return {"requests": requests, "malformed": len(lines) - len(requests)}


@function
def measure(requests: list[Request], malformed: int = 0) -> Traffic:
    """Add up what requests moved and how many failed."""
    return {
        "requests": len(requests),
        "failures": sum(request["status"] >= 500 for request in requests),
        "bytes": sum(request["bytes"] for request in requests),
        "malformed": malformed,
    }


@function
def add_traffic(items: list[Traffic]) -> Traffic:
    """Add up what several blocks came to."""
    return {
        "requests": sum(item["requests"] for item in items),
        "failures": sum(item["failures"] for item in items),
        "bytes": sum(item["bytes"] for item in items),
        "malformed": sum(item["malformed"] for item in items),
    }


@function
def read_page(path: str, offset: int, size: int) -> Page:
    """Measure about `size` bytes of a log from a byte offset on; lines are never cut."""
    with existing_file(path).open("rb") as log:
        log.seek(offset)
        lines = [line.decode("utf-8") for line in log.readlines(size)]
        end = log.tell()
        more = log.read(1) != b""
    return {"traffic": measure(**parse_block(lines)), "next": end if more else None}


@function
def tally(requests: list[Request], field: str, n: int = 5) -> list[Tally]:
    """Give the `n` most frequent values of a field, the most frequent first."""
    counts = Counter(str(dict(request)[field]) for request in requests)
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [{"value": value, "count": count} for value, count in ranked[:n]]


@function
def requests_per_hour(path: str) -> list[int]:
    """Count a log's requests for each hour of the day: 24 numbers."""
    counts = Counter(request["hour"] for request in read_requests(path))
    return [counts[hour] for hour in range(24)]


@function
def failing_paths(path: str, n: int = 5) -> list[Tally]:
    """Give the paths that failed most often in a log."""
    return tally([r for r in read_requests(path) if r["status"] >= 500], "path", n)


@function
def heaviest_paths(path: str, n: int = 5) -> list[Tally]:
    """Give the paths that a log says moved most bytes; `count` is the bytes."""
    moved: Counter[str] = Counter()
    for request in read_requests(path):
        moved[request["path"]] += request["bytes"]
    ranked = sorted(moved.items(), key=lambda entry: (-entry[1], entry[0]))
    return [{"value": value, "count": count} for value, count in ranked[:n]]


def _parse(line: str) -> Request | None:
    match = LINE.match(line)
    if match is None:
        return None
    return {
        "client": match["client"],
        "hour": int(match["hour"]),
        "method": match["method"],
        "path": match["path"],
        "status": int(match["status"]),
        "bytes": 0 if match["bytes"] == "-" else int(match["bytes"]),
    }
