"""The letters of an expression, as far as they must be known apart from Python's parser.

Python's parser drops comments, joins neighbouring texts and, depending on its version, nests
quotes in f-strings. Finding where `${…}` ends, and taking f-strings apart the same way under every
version, needs the same little knowledge: texts and brackets.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from agentflow.spec.expressions.mistakes import Mistake

_OPENING = {"(": ")", "[": "]", "{": "}"}
_CLOSING = frozenset(_OPENING.values())
_QUOTES = frozenset("'\"")
_PREFIX = re.compile(r"(?<![A-Za-z0-9_])([A-Za-z]{1,2})\Z")
_ESCAPES = frozenset("\\'\"abfnrtvxNuU")
_RUN_TOGETHER = re.compile(
    r"(?<![\w.])(?:0[xX][0-9a-fA-F_]+?|[0-9][0-9_.eE]*?)(?:and|else|for|if|in|is|not|or)(?!\w)"
)
_REFUSED_PREFIXES = frozenset({"r", "b", "u", "br", "rb", "fr", "rf"})


def closing_brace(text: str, start: int) -> int | None:
    """The offset of the `}` that closes the `${` whose inside begins at `start`, if there is one.

    Raises:
        Mistake: a text inside is not closed, or its letters are not allowed.
    """
    return _walk(text, start, stop="}")


def check(source: str) -> None:
    """Check the letters of a whole expression.

    Raises:
        Mistake: the first that is not allowed.
    """
    _walk(source, 0, stop="")


def _walk(text: str, start: int, *, stop: str) -> int | None:
    expected: list[str] = []
    after_text = False
    position = start
    while position < len(text):
        letter = text[position]
        if letter in _QUOTES:
            begin = position - _prefix_length(text, start, position)
            if after_text:
                remedy = 'put a comma or `+` between them, or write one text: "…"'
                raise _mistake(begin, position + 1, "two texts side by side", remedy)
            position = _end_of_text(text, position)
            after_text = True
            continue
        if letter.isdigit() and (run := _RUN_TOGETHER.match(text, position)):
            raise _mistake(position, run.end(), "a number runs into a word", "put a blank between")
        if letter == "#":
            raise _mistake(position, len(text), "comments are not part of expressions")
        if letter == stop and stop not in expected:
            return position
        if letter in _OPENING:
            expected.append(_OPENING[letter])
        elif letter in _CLOSING and expected and letter == expected[-1]:
            expected.pop()
        if not letter.isspace() and not _begins_text(text, position):
            after_text = False
        position += 1
    return None


def _prefix_length(text: str, start: int, quote: int) -> int:
    match = _PREFIX.search(text, max(start, quote - 3), quote)
    if match is None:
        return 0
    prefix = match.group(1).lower()
    if prefix in _REFUSED_PREFIXES:
        message = f"the prefix `{match.group(1)}` of a text is not part of expressions"
        remedy = "write the text without it, with a backslash doubled where one is meant"
        raise _mistake(match.start(), quote + 1, message, remedy)
    return len(prefix) if prefix == "f" else 0


def _begins_text(text: str, position: int) -> bool:
    return text[position] in "fF" and text[position + 1 : position + 2] in _QUOTES


def _end_of_text(text: str, start: int) -> int:
    """The offset after the text whose opening quote is at `start`."""
    quote = text[start]
    if text.startswith(quote * 3, start):
        message = "texts in triple quotes are not part of expressions"
        raise _mistake(start, start + 3, message, r"use one quote, and `\n` for a new line")
    position = start + 1
    while position < len(text):
        letter = text[position]
        if letter == quote:
            return position + 1
        if letter in "\r\n":
            raise _mistake(start, position, "a text goes over a line end", r"write `\n` in it")
        if letter == "\\" and text[position + 1 : position + 2] not in _ESCAPES:
            remedy = r"double the backslash, or write `\x..` for a character by its number"
            raise _mistake(position, position + 2, "an escape that is not one", remedy)
        position += 2 if letter == "\\" else 1
    raise _mistake(start, start + 1, "a text is not closed", f"add the closing {quote}")


def pieces(written: str) -> Iterator[str | slice]:
    """The parts of an f-string: literal text, and where each expression stands in `written`.

    Raises:
        Mistake: a conversion, a format, or an escape that Python's versions read differently.
    """
    position = begin = 2  # after f and the quote
    end = len(written) - 1
    while position < end:
        letter = written[position]
        if letter == "\\":
            if written[position + 1] in "N{}":
                raise _mistake(position, position + 2, "an escape that f-strings cannot hold")
            position += 2
        elif letter in "{}" and written[position + 1] == letter:
            position += 2
        elif letter == "{":
            if begin < position:
                yield _decode(written, begin, position)
            stop = _end_of_field(written, position + 1)
            yield slice(position + 1, stop)
            position = begin = stop + 1
        else:
            position += 1
    if begin < end:
        yield _decode(written, begin, end)


def _decode(written: str, begin: int, end: int) -> str:
    quote = written[1]
    literal = written[begin:end].replace("{{", "{").replace("}}", "}")
    try:
        return str(ast.literal_eval(f"{quote}{literal}{quote}"))
    except (SyntaxError, ValueError):
        raise _mistake(begin, end, "an escape that is not one") from None


def _end_of_field(written: str, start: int) -> int:
    """The offset of the brace that closes the field whose inside begins at `start`."""
    expected: list[str] = []
    position = start
    while position < len(written):
        letter = written[position]
        if letter == written[1] or letter == "\\":
            remedy = "use the other kind of quote inside, or join texts with `+`"
            raise _mistake(
                position, position + 1, f"`{letter}` inside an f-string's braces", remedy
            )
        if letter in _QUOTES:
            position = _end_of_text(written, position)
            continue
        if letter in _OPENING:
            expected.append(_OPENING[letter])
        elif letter in _CLOSING and expected:
            expected.pop()
        elif letter == "}":
            return position
        elif not expected and (letter == ":" or (letter == "!" and written[position + 1] != "=")):
            remedy = "write fixed(x, 2) for decimals, s.rjust(8) for width"
            raise _mistake(position, position + 1, "f-strings have no formats here", remedy)
        position += 1
    raise _mistake(start, start + 1, "a brace of an f-string is not closed")


def _mistake(start: int, end: int, message: str, remedy: str = "") -> Mistake:
    return Mistake("AF200", message, start, end, remedy=remedy)
