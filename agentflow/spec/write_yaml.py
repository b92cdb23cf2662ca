"""Plain data as the YAML a person would lay out: blocks for structure, one line for what is small.

Values mean the same under YAML 1.1 and 1.2, so that every tool agrees on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import yaml

from agentflow.errors import Json
from agentflow.spec.read_yaml import is_text

_WIDTH = 92
"""Columns that what stands on one line may reach."""
_STEP = "  "
_LONGEST_KEY = 100
"""Longer keys are written with `? `; YAML allows 1024 characters without it."""
_HEAD = ("workflow", "version", "description")
"""What stands together at the top."""
_FIELDS = ("on",)
"""Fields of the language that stand without quotes, though YAML 1.1 takes them for booleans."""
_PLAIN = re.compile(r"[A-Za-z0-9_$./<(=][^\n]*")
_NOT_PLAIN = re.compile(r": | #|[:\s]\Z")
_NOT_PLAIN_IN_FLOW = re.compile(r"[,\[\]{}:]")
_OTHER_MEANINGS = yaml.SafeLoader.yaml_implicit_resolvers
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def document(data: Mapping[str, Json], comments: Mapping[int, str]) -> str:
    """A spec; `comments` stand at the first line of an object, by the object's `id()`."""
    layout = _Layout(comments)
    sections: list[list[str]] = []
    for key, value in data.items():
        if key == "do" and value:
            steps = [list(layout.item(step, _STEP)) for step in value]
            lines = ["do:", *_spread(steps)]
        else:
            lines = list(layout.entry(key, value, ""))
        goes_on = len(lines) == 1 and sections and not _is_block(sections[-1])
        if goes_on or (sections and key in _HEAD):
            sections[-1] += lines
        else:
            sections.append(lines)
    return "\n".join(_spread(sections)) + "\n"


def _is_block(lines: Sequence[str]) -> bool:
    return any(line.startswith(" ") for line in lines)


def _spread(groups: Sequence[Sequence[str]]) -> list[str]:
    """Groups of lines with an empty line between them."""
    lines: list[str] = []
    for group in groups:
        lines += ["", *group] if lines else group
    return lines


class _Layout:
    """Lays data out in lines."""

    def __init__(self, comments: Mapping[int, str]) -> None:
        self.comments = comments

    def mapping(self, value: Mapping[str, Json], indent: str) -> Iterator[str]:
        """The entries of an object, one below the other."""
        comment = self.comments.get(id(value), "")
        for key, each in value.items():
            lines = self.entry(key, each, indent)
            if comment:
                yield f"{next(iter(lines))}  # {comment}"
                comment = ""
            yield from lines

    def entry(self, key: str, value: Json, indent: str) -> Iterator[str]:
        """One key with its value."""
        name = key if key in _FIELDS else _scalar(key)
        if len(name) > _LONGEST_KEY:
            yield f"{indent}? {name}"
            name = ""
        yield from self._after(f"{indent}{name}:", value, indent)

    def item(self, value: Json, indent: str) -> Iterator[str]:
        """One item of a list."""
        line = f"{indent}- "
        if isinstance(value, dict) and value:
            lines = self.mapping(value, indent + _STEP)
            yield line + next(lines).lstrip()
            yield from lines
        elif isinstance(value, list) and value and not _fits(value, line):
            lines = self._items(value, indent + _STEP)
            yield line + next(lines).lstrip()
            yield from lines
        else:
            yield from self._after(f"{indent}-", value, indent)

    def _after(self, line: str, value: Json, indent: str) -> Iterator[str]:
        """A value behind its key or dash: on the same line, or below it."""
        if isinstance(value, dict) and value and not _fits(value, line):
            yield line
            yield from self.mapping(value, indent + _STEP)
        elif isinstance(value, list) and value and not _fits(value, line):
            yield line
            yield from self._items(value, indent + _STEP)
        elif isinstance(value, str) and _is_literal(value):
            yield f"{line} |" if value.endswith("\n") else f"{line} |-"
            for each in value.removesuffix("\n").split("\n"):
                yield f"{indent}{_STEP}{each}" if each else ""
        else:
            yield f"{line} {_flow(value) if isinstance(value, dict | list) else _scalar(value)}"

    def _items(self, value: Sequence[Json], indent: str) -> Iterator[str]:
        for each in value:
            yield from self.item(each, indent)


def _fits(value: Json, line: str) -> bool:
    """Whether a collection is small enough for the rest of a line."""
    return _is_small(value, 2) and len(line) + 1 + len(_flow(value)) <= _WIDTH


def _is_small(value: Json, depth: int) -> bool:
    """Whether a collection reads well on one line: one of its values is a collection, at most."""
    if not isinstance(value, dict | list):
        return not (isinstance(value, str) and "\n" in value)
    inner = list(value.values()) if isinstance(value, dict) else value
    collections = [each for each in inner if isinstance(each, dict | list) and each]
    if isinstance(value, list) and any(isinstance(each, dict) for each in inner):
        return False
    if depth == 0 or len(collections) > 1:
        return False
    return all(_is_small(each, depth - 1) for each in inner)


def _flow(value: Json) -> str:
    """A value on one line, inside of brackets."""
    if isinstance(value, dict):
        keys = (key if key in _FIELDS else _scalar(key, flow=True) for key in value)
        inside = (f"{key}: {_flow(each)}" for key, each in zip(keys, value.values(), strict=True))
        return f"{{{', '.join(inside)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return _scalar(value, flow=True)


def _scalar(value: Json, *, flow: bool = False) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return value if _is_plain(value, flow=flow) else _quoted(value)
        case _:
            return repr(value)


def _is_plain(text: str, *, flow: bool) -> bool:
    """Whether a text can stand without quotes, and then is a text for every reader."""
    return (
        _PLAIN.fullmatch(text) is not None
        and text.isprintable()
        and not _NOT_PLAIN.search(text)
        and not (flow and _NOT_PLAIN_IN_FLOW.search(text))
        and not text.startswith(("...", "<<"))
        and is_text(text)
        and not any(known.match(text) for _, known in _OTHER_MEANINGS.get(text[0], ()))
    )


def _quoted(text: str) -> str:
    if text.isprintable() and ('"' in text or "\\" in text) and "'" not in text:
        return f"'{text}'"
    return '"' + "".join(_ESCAPES.get(c) or _printable(c) for c in text) + '"'


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_literal(text: str) -> bool:
    """Whether a text of several lines can stand in a block as it is."""
    lines = text.removesuffix("\n").split("\n")
    return (
        "\n" in text
        and not text.endswith("\n\n")
        and all(line.isprintable() and line == line.rstrip() for line in lines)
        and not lines[0].startswith(" ")
        and lines[0] != ""
    )
