"""Read YAML 1.2 into a tree, from the events of libyaml (or of PyYAML's own parser).

PyYAML follows YAML 1.1; only its events are used, which know nothing of types. Plain scalars get
their meaning here, by the core schema of YAML 1.2: `on`, `yes`, `12:30:45` and dates are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NoReturn

import yaml

from agentflow.errors import MAX_INTEGER, Json
from agentflow.spec.source import Mapping, Sequence, Source
from agentflow.spec.tree import Builder

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CONSTANTS: dict[str, Json] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NUMERIC = frozenset("+-.0123456789")

QUOTE = 'put quotes around an expression that has `{`, `}`, `: ` or ` #` in it: "${ … }"'


def read_yaml(source: Source, builder: Builder) -> None:
    """Feed a YAML text to the builder.

    Raises:
        Unreadable: the text is not YAML, or goes beyond a limit.
    """
    documents = 0
    try:
        for event in _events(source.text):
            start, end = _index(event.start_mark), _index(event.end_mark)
            if isinstance(event, yaml.ScalarEvent):
                _refuse_tag(event.tag, builder, start, end)
                style = event.style or ""
                text = event.value
                value = text if style else _value(text, builder, start, end)
                builder.scalar(start, end, value=value, text=text, style=style, anchor=event.anchor)
            elif isinstance(event, yaml.MappingStartEvent):
                _refuse_tag(event.tag, builder, start, end)
                builder.open(Mapping(source, start), anchor=event.anchor)
            elif isinstance(event, yaml.SequenceStartEvent):
                _refuse_tag(event.tag, builder, start, end)
                builder.open(Sequence(source, start), anchor=event.anchor)
            elif isinstance(event, yaml.CollectionEndEvent):
                builder.close(end)
            elif isinstance(event, yaml.AliasEvent):
                builder.alias(event.anchor or "", start, end)
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    _refuse_second(builder, start)
    except yaml.MarkedYAMLError as error:
        _fail(error, source, builder)


def _events(text: str) -> Iterator[yaml.Event]:
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)
    return events


def _index(mark: Any) -> int:
    return int(mark.index)


def _refuse_tag(tag: str | None, builder: Builder, start: int, end: int) -> None:
    if tag is not None:
        shown = tag.replace("tag:yaml.org,2002:", "!!")
        builder.error(
            "AF107",
            f"the tag `{shown}` is not part of the language",
            start,
            max(end, start + 1),
            remedy="remove it; quotes make a value text",
        )


def _refuse_second(builder: Builder, start: int) -> NoReturn:
    builder.fail(
        "AF109",
        "a second document begins here",
        start,
        start + 3,
        remedy="a file holds one workflow: move the other one to a file of its own",
    )


def _value(text: str, builder: Builder, start: int, end: int) -> Json:
    """What a plain scalar means; numbers that not every engine can hold are refused."""
    value = _resolve(text)
    if value is not _REFUSED:
        return value
    builder.error(
        "AF111",
        f"`{text if len(text) <= 40 else text[:37] + '…'}` is not a number every engine can hold",
        start,
        end,
        remedy=f"integers go to ±{MAX_INTEGER}, other numbers are finite; quotes make it text",
    )
    return 0


def is_text(plain: str) -> bool:
    """Whether a scalar without quotes means its own characters, rather than a number, say."""
    return bool(_resolve(plain) == plain)


_REFUSED = object()


@lru_cache(maxsize=4096)
def _resolve(text: str) -> Json:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMERIC:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if abs(number) != float("inf") else _REFUSED
    return _REFUSED if _NOT_FINITE.fullmatch(text) else text


def _integer(text: str) -> Json:
    if len(text) > 32:
        return _REFUSED
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    number = int(text.removeprefix("0o").removeprefix("0x"), base)
    return number if abs(number) <= MAX_INTEGER else _REFUSED


def _fail(error: yaml.MarkedYAMLError, source: Source, builder: Builder) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    at = min(mark.index if mark else 0, len(source.text))
    problem = error.problem or "this is not YAML"
    if "nesting depth" in problem:
        builder.too_deep(at)
    message, remedy = _explain(problem, error, source.text, at)
    builder.fail("AF101", message, at, at + 1, remedy=remedy)


def _explain(problem: str, error: yaml.MarkedYAMLError, text: str, at: int) -> tuple[str, str]:
    """The parser's words, and the remedy for the mistakes that are made most."""
    begin = text.rfind("\n", 0, at) + 1
    line = text[begin:].split("\n", 1)[0][:1000]
    if text[at : at + 1] == "\t":
        return "a tab cannot indent", "indent with spaces"
    if "${" in line:
        return problem, QUOTE
    if text[at : at + 1] and text[at] in "@`%":
        return f"a value cannot begin with `{text[at]}`", "put the value in quotes"
    if error.context and error.context_mark and "while parsing" in error.context:
        row = text.count("\n", 0, error.context_mark.index) + 1
        kind = error.context.removeprefix("while parsing ")
        return f"{problem} in {kind} that begins on line {row}", _INDENT
    if "mapping values" in problem:
        return "`:` cannot stand here", f"{_INDENT}, or put the value in quotes"
    return problem, ""


_INDENT = "check the indentation and the brackets"
