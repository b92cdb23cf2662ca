r"""Read calls of intrinsic functions.

    call     = "States." name "(" [argument *("," argument)] ")"
    argument = call | path | number | true | false | null | "'" text "'"

Within text `\'`, `\{`, `\}` and `\\` are escapes; there are no others.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html (2026-08).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from agentflow.adapters.aws.asl.errors import MalformedError
from agentflow.adapters.aws.asl.jsonpath import Path, parse_prefix
from agentflow.errors import Json

MAX_NESTING: Final = 10
ARITY: Final[dict[str, tuple[int, int | None]]] = {
    "Array": (0, None),
    "ArrayContains": (2, 2),
    "ArrayGetItem": (2, 2),
    "ArrayLength": (1, 1),
    "ArrayPartition": (2, 2),
    "ArrayRange": (3, 3),
    "ArrayUnique": (1, 1),
    "Base64Decode": (1, 1),
    "Base64Encode": (1, 1),
    "Format": (1, None),
    "Hash": (2, 2),
    "JsonMerge": (3, 3),
    "JsonToString": (1, 1),
    "MathAdd": (2, 2),
    "MathRandom": (2, 3),
    "StringSplit": (2, 2),
    "StringToJson": (1, 1),
    "UUID": (0, None),
}
"""How many arguments each function takes; no upper limit is None. `UUID` ignores what it gets."""

_BLANK = re.compile(r"\s*")
_CALL = re.compile(r"States\.([A-Za-z0-9]+)\s*\(")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?=\s*[,)])")
_WORD = re.compile(r"(true|false|null)(?=\s*[,)])")
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text, with its escapes."""

    raw: str

    @property
    def value(self) -> str:
        """The text without escapes."""
        return _ESCAPE.sub(r"\1", self.raw)


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a boolean or null."""

    value: Json


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments; `text` is the call as written."""

    name: str
    arguments: tuple[Argument, ...]
    text: str


Argument: TypeAlias = "Call | Path | Text | Literal"


@lru_cache(maxsize=4096)
def parse(text: str) -> Call:
    """The call that a text holds.

    Raises:
        MalformedError: it is not a call, there is no such function, or it takes other arguments.
    """
    reader = _Reader(text)
    call = reader.call(1)
    if text[reader.at :].strip():
        raise MalformedError(f"unexpected `{text[reader.at :].strip()[:20]}`", reader.at)
    return call


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def call(self, depth: int) -> Call:
        start = self.at
        found = _CALL.match(self.text, self._blank())
        if found is None:
            raise MalformedError("a call looks like `States.Format('…', $.name)`", self.at)
        name = found[1]
        if name not in ARITY:
            raise MalformedError(f"there is no intrinsic function `States.{name}`", self.at)
        if depth > MAX_NESTING:
            raise MalformedError(f"more than {MAX_NESTING} functions inside each other", self.at)
        self.at = found.end()
        arguments: list[Argument] = []
        while not self._accept(")"):
            if arguments and not self._accept(","):
                raise MalformedError("`,` or `)` is missing", self.at)
            arguments.append(self._argument(depth))
        least, most = ARITY[name]
        if len(arguments) < least or (most is not None and len(arguments) > most):
            raise MalformedError(f"`States.{name}` takes {_count(least, most)}", start)
        return Call(name, tuple(arguments), self.text[start : self.at].strip())

    def _argument(self, depth: int) -> Argument:
        self.at = self._blank()
        if self.text.startswith("$", self.at):
            path, self.at = parse_prefix(self.text, self.at)
            return path
        if self.text.startswith("States.", self.at):
            return self.call(depth + 1)
        if found := _TEXT.match(self.text, self.at):
            self._check_escapes(found[1])
            self.at = found.end()
            return Text(found[1])
        if found := _WORD.match(self.text, self.at):
            self.at = found.end()
            return Literal(_WORDS[found[1]])
        if found := _NUMBER.match(self.text, self.at):
            self.at = found.end()
            digits = found.group()
            return Literal(float(digits) if set(digits) & set(".eE") else int(digits))
        raise MalformedError(
            "an argument is a path, a call, a number, true, false, null or 'text'", self.at
        )

    def _check_escapes(self, raw: str) -> None:
        for found in _ESCAPE.finditer(raw):
            if found[1] not in r"'{}\\":
                raise MalformedError(
                    rf"`\{found[1]}` is no escape; there are \' \{{ \}} \\", self.at + found.start()
                )

    def _blank(self) -> int:
        found = _BLANK.match(self.text, self.at)
        return self.at if found is None else found.end()

    def _accept(self, mark: str) -> bool:
        at = self._blank()
        if not self.text.startswith(mark, at):
            return False
        self.at = at + len(mark)
        return True


def _count(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least} arguments" if least != 1 else "at least one argument"
    if least == most:
        return {0: "no argument", 1: "one argument"}.get(least, f"{least} arguments")
    return f"{least} to {most} arguments"
