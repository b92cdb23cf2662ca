"""JSON that the user gives: in the argument itself, in a file (`@FILE`) or on stdin (`-`)."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from agentflow.errors import MAX_INTEGER, InputError

if TYPE_CHECKING:
    from agentflow.errors import Json

_EXCERPT = 72


def read(given: str, *, of: str) -> Json:
    """The JSON value behind an option's value; `of` names the option in messages.

    Raises:
        InputError: it cannot be read, is not JSON, or holds numbers that do not survive the trip
            to every engine.
    """
    source, words = _text(given, of)
    try:
        data = json.loads(words, parse_constant=_constant, parse_float=_float, parse_int=_integer)
    except json.JSONDecodeError as error:
        message = f"{of} is not JSON: {error.msg} at {source}:{error.lineno}:{error.colno}"
        raise InputError(_with_excerpt(message, words, error.pos), help=_advice(given)) from None
    except RecursionError:
        raise InputError(f"{of} is nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{of}: {error}") from None
    _check_texts(words, data, of)
    return data


def _text(given: str, of: str) -> tuple[str, str]:
    """Where the text is from, and the text."""
    if given == "-":
        return "<stdin>", _decoded(sys.stdin.buffer.read(), of, "<stdin>")
    if not given.startswith("@"):
        return "<argument>", given
    path = Path(given[1:])
    try:
        return str(path), _decoded(path.read_bytes(), of, str(path))
    except OSError as error:
        why = error.strerror or "cannot be read"
        raise InputError(f"{of}: {path}: {why}", help="@FILE names a file with JSON") from None


def _decoded(data: bytes, of: str, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{of}: {source} is not UTF-8 (byte {error.start})") from None


def _advice(given: str) -> str:
    if given.lstrip().startswith(("{", "[")) and "'" in given:
        return "JSON writes texts and keys in double quotes"
    if given.startswith(("{", "[", "@", '"')) or given == "-":
        return ""
    if Path(given).is_file():
        return f"to read the file, write @{given}"
    return "a text needs double quotes; a file is written @FILE, standard input -"


def _with_excerpt(message: str, words: str, at: int) -> str:
    """The message, the line, and a caret below the place."""
    start = words.rfind("\n", 0, at) + 1
    end = words.find("\n", at)
    line = words[start : end if end >= 0 else len(words)]
    column = at - start
    first = max(0, column - _EXCERPT // 2)
    window = "".join(c if c.isprintable() else " " for c in line[first : first + _EXCERPT])
    return f"{message}\n   | {window}\n   | {' ' * (column - first)}^"


def _integer(digits: str) -> int:
    number = int(digits) if len(digits) < 20 else MAX_INTEGER + 1
    if abs(number) > MAX_INTEGER:
        raise ValueError(f"the integer {digits[:24]} is beyond 2^53-1; write it as a text")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits[:24]} is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _check_texts(words: str, data: Json, of: str) -> None:
    """Half of a surrogate pair is no text that could be stored."""
    if "\\u" not in words:
        return
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InputError(f"{of} has a text with half a character (a lone surrogate)") from None
