"""Where output goes: results to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal, TextIO

from agentflow.cli import text
from agentflow.errors import Conflict

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow.errors import Json

Style = Literal["bold", "dim", "red", "green", "yellow", "cyan"]

_CODES: dict[Style, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
}


def coloured(stream: TextIO) -> bool:
    """Whether `stream` may get colours: a terminal that is not `dumb`, unless `NO_COLOR` is set.

    `FORCE_COLOR` asks for them anyway; both follow their own sites, no-color.org and
    force-color.org: any value that is not empty counts.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(words: str, style: Style, stream: TextIO | None = None) -> str:
    """`words` in a style, where the stream (stderr by default) shows styles."""
    if not coloured(stream or sys.stderr):
        return words
    return f"\x1b[{_CODES[style]}m{words}\x1b[0m"


def note(words: str = "") -> None:
    """Say something to the person watching."""
    _write(sys.stderr, words)


def result(words: str) -> None:
    """Print the result, as text."""
    _write(sys.stdout, words)


def write(file: Path, words: str) -> None:
    """Write the result into a file, and say so.

    Raises:
        Conflict: it cannot be written.
    """
    try:
        file.write_text(words, encoding="utf-8")
    except OSError as error:
        raise Conflict(
            f"{file} cannot be written: {error.strerror or error}",
            help="name a file in a folder that is there",
        ) from error
    note(f"Wrote {file}")


def result_json(data: Json) -> None:
    """Print the result, as one JSON document on one line."""
    _write(sys.stdout, text.value(data))


def output(data: Json) -> None:
    """Print an execution's output: one line for programs, indented where a person reads it."""
    import json

    line = text.value(data)
    if sys.stdout.isatty() and len(line) > 100:
        line = json.dumps(data, ensure_ascii=False, indent=2)
    _write(sys.stdout, line)


def _write(stream: TextIO, words: str) -> None:
    """Write a line; a reader that has left (`| head`) is no error and changes no exit code."""
    try:
        stream.write(words + "\n")
        stream.flush()
    except BrokenPipeError:
        silence(stream)


def silence(stream: TextIO) -> None:
    """Send a stream that nobody reads any more to nowhere, so that its flush at exit is quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
