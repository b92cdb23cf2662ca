"""Exceptions as values: a name, a message, perhaps data and a cause; and the user's own frames.

Exceptions come from anywhere and may be hostile: their `__str__` may raise, their attributes may
not be JSON, their chains may be endless. Nothing here raises because of them, and nothing of
them is pickled.
"""

from __future__ import annotations

import linecache
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from agentflow.errors import Fault, Json, fault_value
from agentflow.functions.encoding import decode, encode

MESSAGE_LIMIT = 4096
"""Characters of an error's message."""
DATA_LIMIT = 64 * 1024
"""Bytes of an error's data as JSON."""
FRAME_LIMIT = 20
"""Frames of a trace, the innermost ones."""
_CAUSE_LIMIT = 8

T = TypeVar("T")


class Stopped(BaseException):
    """Raised inside a call that is to stop: it was withdrawn, or its time is over."""


def error_value(error: BaseException, depth: int = 0) -> dict[str, Json]:
    """The error as workflows see it, `{name, message, data, cause}`.

    A `Fault` keeps the name and data it was raised with; any other exception is named by its
    class, and keeps an attribute `data` if that is JSON.
    """
    cause: Json = error.cause if isinstance(error, Fault) else None
    cause = None if cause is None else _json(cause)
    if cause is None and depth < _CAUSE_LIMIT:
        below = error.__cause__
        cause = None if below is None else error_value(below, depth + 1)
    data = _json(_safely(lambda: getattr(error, "data", None), None))
    return fault_value(_name(error), _clip(_message(error)), data, cause)


def user_frames(error: BaseException, root: str) -> list[dict[str, Json]]:
    """The user's own frames of the error, outermost first: `[{file, line, function, code}]`.

    Frames of AgentFlow, of installed packages and of the standard library are left out. Files
    below `root` are named relative to it. An error without own frames shows those of its cause.
    """
    seen: BaseException | None = error
    for _ in range(_CAUSE_LIMIT):
        if seen is None:
            break
        if frames := _own(seen, root):
            return frames[-FRAME_LIMIT:]
        seen = seen.__cause__
    return []


def _name(error: BaseException) -> str:
    if isinstance(error, Fault):
        return _clip(_safely(lambda: str(error.name), "Fault"))
    return _clip(_safely(lambda: str(type(error).__name__), "Exception"))


def _message(error: BaseException) -> str:
    if isinstance(error, Fault):
        return _safely(lambda: str(error.message), "")
    if isinstance(error, SystemExit):
        return f"the function called sys.exit({_safely(lambda: repr(error.code), '…')})"
    return _safely(lambda: str(error), "(the error's text cannot be shown)")


def _clip(text: str) -> str:
    text = text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"
    return text.encode(errors="replace").decode()


def _json(value: object) -> Json:
    return None if value is None else _safely(lambda: decode(encode(value, limit=DATA_LIMIT)), None)


def _safely(make: Callable[[], T], otherwise: T) -> T:
    try:
        return make()
    except BaseException:  # noqa: BLE001  # user code runs in there: __str__, __repr__, properties
        return otherwise


def _own(error: BaseException, root: str) -> list[dict[str, Json]]:
    frames = [
        (file, line, function)
        for file, line, function in _raw(error.__traceback__)
        if not _foreign(file)
    ]
    if isinstance(error, SyntaxError) and error.filename and not _foreign(error.filename):
        frames.append((error.filename, error.lineno or 1, "<module>"))
    return [frame(file, line, function, root) for file, line, function in frames[-FRAME_LIMIT:]]


def frame(file: str, line: int, function: str, root: str) -> dict[str, Json]:
    """One frame of a trace, with its line of code if that can be read."""
    place = Path(file)
    shown = str(place.relative_to(root)) if place.is_relative_to(root) else file
    code = linecache.getline(file, line).strip()[:200]
    return {"file": shown, "line": line, "function": function, "code": code}


def is_own(file: str) -> bool:
    """Whether a source file is the user's: not AgentFlow, a library, or made up."""
    return not _foreign(file)


def _raw(traceback: TracebackType | None) -> Iterator[tuple[str, int, str]]:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        yield code.co_filename, traceback.tb_lineno, code.co_name
        traceback = traceback.tb_next


def _installed() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"]}
    folders.update(site.getsitepackages())
    folders.add(str(Path(__file__).resolve().parents[1]))  # agentflow itself
    folders.add(f"{sys.base_prefix}/lib")
    return tuple(folder.rstrip("/") + "/" for folder in folders)


_FOREIGN = _installed()


def _foreign(file: str) -> bool:
    if file.startswith("<") or "/site-packages/" in file or "/dist-packages/" in file:
        return True
    return file.startswith(_FOREIGN)
