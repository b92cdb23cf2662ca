"""From bytes to a positioned tree: decoding, and the choice between YAML and JSON."""

from __future__ import annotations

import re
from pathlib import Path

from agentflow.errors import Diagnostic, Span
from agentflow.spec.read_json import read_json
from agentflow.spec.read_yaml import read_yaml
from agentflow.spec.source import Node, Source
from agentflow.spec.tree import MAX_BYTES, Builder, Unreadable

_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML 1.2 does not allow in a file."""
_BOM = "\ufeff"


def decode(file: Path, shown: str) -> str:
    """The text of a file; `shown` is how messages call it.

    Raises:
        Unreadable: there is no such file, or it is a folder, too large, or not UTF-8.
    """
    try:
        if file.is_dir():
            raise _stop(shown, "AF103", "this is a folder, not a file", "name a file in it")
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        remedy = "check the path; it is relative to the working folder"
        raise _stop(shown, "AF103", "there is no such file", remedy) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _stop(shown, "AF103", f"the file cannot be read: {reason}", "") from None
    if len(data) > MAX_BYTES:
        raise _too_large(shown)
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _stop(shown, "AF102", "this is a binary file", "a spec is YAML or JSON text")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode()) + 1
        raise Unreadable(
            Diagnostic(
                "AF102",
                f"byte 0x{data[error.start]:02x} is not UTF-8",
                Span(shown, line, column, line, column + 1),
                help="save the file as UTF-8",
            )
        ) from None


def read(text: str, path: str, diagnostics: list[Diagnostic]) -> Node:
    """The tree of a text, read as JSON if `path` ends in .json and as YAML otherwise.

    Raises:
        Unreadable: it goes beyond a limit, or is not YAML or JSON.
    """
    text = text.removeprefix(_BOM)
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise _too_large(path)
    source = Source(text, path)
    strange = _NOT_TEXT.search(text)
    if strange is not None:
        span = source.span(strange.start(), strange.end())
        message = f"character U+{ord(strange.group()):04X} cannot stand in a spec"
        remedy = 'remove it, or write it as an escape in quotes: "\\u0007"'
        raise Unreadable(Diagnostic("AF102", message, span, help=remedy))
    builder = Builder(source, diagnostics)
    (read_json if path.endswith(".json") else read_yaml)(source, builder)
    if builder.root is None:
        remedy = "a workflow begins with `workflow: NAME` and has steps under `do:`"
        raise _stop(path, "AF112", "the file is empty", remedy)
    return builder.root


def _stop(path: str, code: str, message: str, remedy: str) -> Unreadable:
    return Unreadable(Diagnostic(code, message, Span(path, 1, 1, 1, 2), help=remedy))


def _too_large(path: str) -> Unreadable:
    remedy = "move parts to files of their own and run them from here; pass data as input"
    return _stop(path, "AF104", f"larger than {MAX_BYTES:,} bytes", remedy)
