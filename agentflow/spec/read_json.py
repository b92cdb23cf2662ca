r"""Read JSON (RFC 8259) into a tree.

YAML's parser reads most JSON but not all (`"\ud83d\ude00"`), and what it says about mistakes is
not what a writer of JSON expects. Positions and limits are the same.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from agentflow.errors import MAX_INTEGER, Json
from agentflow.spec.source import Mapping, Sequence, Source
from agentflow.spec.tree import Builder

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<mark>[\[\]{},:])
      | (?P<text>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")
      | (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)(?![\w.+-])
      | (?P<word>true|false|null)(?!\w)
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_BLANKS = re.compile(r"[ \t\r\n]*")
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}
_BARE = re.compile(r"[^\s\[\]{},:\"]{1,40}|.")
_MEANT = {
    "True": "JSON writes `true`",
    "False": "JSON writes `false`",
    "None": "JSON writes `null`",
    **dict.fromkeys(("NaN", "Infinity", "-Infinity"), "numbers are finite; `null` says none"),
}
"""What to do about words that other languages have."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_json(source: Source, builder: Builder) -> None:
    """Feed a JSON text to the builder; a blank one leaves it without a root.

    Raises:
        Unreadable: the text is not JSON, or goes beyond a limit.
    """
    _Reader(source, builder).run()


class _Reader:
    """One word of look-ahead and a stack of open brackets."""

    def __init__(self, source: Source, builder: Builder) -> None:
        self._source = source
        self._builder = builder
        self._at = 0

    def run(self) -> None:
        closing: list[str] = []
        state = "value"
        while True:
            kind, word, start, end = self._next()
            if state == "value" and kind in ("text", "number", "word"):
                self._scalar(kind, word, start, end)
                state = "after"
            elif state == "value" and word in ("[", "{"):
                opened = Sequence if word == "[" else Mapping
                self._builder.open(opened(self._source, start))
                closing.append("]" if word == "[" else "}")
                state = self._first(closing)
            elif state == "key" and kind == "text":
                self._scalar(kind, word, start, end)
                self._colon()
                state = "value"
            elif state == "after" and closing and word in (",", closing[-1]):
                state = self._separate(word, closing)
            elif kind == "end" and not closing:  # after the value, or there is none
                return
            else:
                self._unexpected(word, start, end, state, closing)

    def _next(self) -> tuple[str, str, int, int]:
        match = _TOKEN.match(self._source.text, self._at)
        if match is None:
            self._invalid()
        kind = match.lastgroup or ""
        self._at = match.end()
        return kind, match[kind], match.start(kind), match.end(kind)

    def _first(self, closing: list[str]) -> str:
        """What may come after an opening bracket; an empty collection is closed at once."""
        before = self._at
        _, word, _, end = self._next()
        if word == closing[-1]:
            closing.pop()
            self._builder.close(end)
            return "after"
        self._at = before
        return "key" if closing[-1] == "}" else "value"

    def _separate(self, word: str, closing: list[str]) -> str:
        if word == ",":
            return "key" if closing[-1] == "}" else "value"
        closing.pop()
        self._builder.close(self._at)
        return "after"

    def _colon(self) -> None:
        _, word, start, end = self._next()
        if word != ":":
            self._unexpected(word, start, end, "colon", [])

    def _scalar(self, kind: str, word: str, start: int, end: int) -> None:
        value: Json
        if kind == "text":
            value = json.loads(word)
            if _SURROGATE.search(value):
                self._builder.error("AF102", "half a surrogate pair is not a character", start, end)
                value = ""
            self._builder.scalar(start, end, value=value, text=value, style='"')
            return
        value = _WORDS[word] if kind == "word" else self._number(word, start, end)
        self._builder.scalar(start, end, value=value, text=word, style="")

    def _number(self, word: str, start: int, end: int) -> Json:
        whole = re.fullmatch(r"-?[0-9]+", word) is not None
        if whole and len(word) <= 32 and abs(int(word)) <= MAX_INTEGER:
            return int(word)
        if not whole and abs(float(word)) != float("inf"):
            return float(word)
        self._builder.error(
            "AF111",
            f"`{word if len(word) <= 40 else word[:37] + '…'}` is not a number every engine "
            "can hold",
            start,
            end,
            remedy=f"integers go to ±{MAX_INTEGER}, other numbers are finite; quotes make it text",
        )
        return 0

    def _invalid(self) -> NoReturn:
        text = self._source.text
        blanks = _BLANKS.match(text, self._at)
        at = blanks.end() if blanks else self._at
        rest = text[at : at + 40]
        word = found.group() if (found := _BARE.match(rest)) else rest
        end = at + 1
        if rest.startswith('"'):
            message, remedy = "this text has no end or a wrong escape", "close it with a quote"
        elif rest.startswith(("//", "/*", "#")):
            message, remedy = "JSON has no comments", "write the spec as YAML"
        elif rest.startswith("'"):
            message, remedy = 'JSON quotes with `"`', ""
        else:
            end = at + len(word)
            message = f"`{word[:20]}` is not JSON"
            remedy = _MEANT.get(word, "write text in quotes")
            if at == 0 and rest[len(word) : len(word) + 1] == ":":
                remedy = "YAML is read from files whose names end in .yaml or .yml"
        self._builder.fail("AF101", message, at, end, remedy=remedy)

    def _unexpected(
        self, word: str, start: int, end: int, state: str, closing: list[str]
    ) -> NoReturn:
        expected = {
            "value": "a value",
            "key": "a key in quotes",
            "colon": "`:`",
            "after": f"`,` or `{closing[-1]}`" if closing else "the end",
        }[state]
        found = f"`{word[:20]}`" if word else "the end of the file"
        message = f"expected {expected}, found {found}"
        is_extra = word in ("]", "}") and self._source.text[:start].rstrip().endswith(",")
        remedy = "remove the comma before it" if is_extra else ""
        self._builder.fail("AF101", message, start, max(end, start + 1), remedy=remedy)
