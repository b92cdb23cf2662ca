"""`$match`, `$split`, `$replace` and `$contains` as the reference implementation computes them.

Source: https://github.com/jsonata-js/jsonata (2.0.6).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeAlias

from agentflow.adapters.aws.asl.jsonata.upstream import Functions, JException, Utils

Matches: TypeAlias = Iterator[re.Match[str]]


def contains(text: Any, pattern: Any) -> Any:
    """`$contains`."""
    if text is None or pattern is None:
        return None
    return pattern in text if isinstance(pattern, str) else pattern.search(text) is not None


def match(text: Any, pattern: Any, limit: Any = None) -> Any:
    """`$match`."""
    if text is None or pattern is None:
        return None
    found = [
        {"match": each[0], "index": each.start(), "groups": list(each.groups())}
        for each in _found(text, pattern, limit, "D3040")
    ]
    return Utils.create_sequence_from_iter(found)


def split(text: Any, separator: Any, limit: Any = None) -> Any:
    """`$split`."""
    if text is None or separator is None:
        return None
    if isinstance(separator, str):
        pieces = text.split(separator) if separator else list(text)
        return pieces if _count(limit, "D3020") is None else pieces[: math.floor(limit)]
    parts, start = [], 0
    for each in _found(text, separator, limit, "D3020"):
        parts.append(text[start : each.start()])
        start = each.end()
    if limit is None or len(parts) < limit:
        parts.append(text[start:])
    return parts


def replace(text: Any, pattern: Any, by: Any, limit: Any = None) -> Any:
    """`$replace`."""
    if text is None or pattern is None or by is None:
        return None
    if pattern == "":
        raise JException("D3010", -1)
    if isinstance(pattern, str):
        if not isinstance(by, str):
            raise JException("D3012", -1)
        most = _count(limit, "D3011")
        return text.replace(pattern, by, -1 if most is None else most)
    parts, start = [], 0
    for each in _found(text, pattern, limit, "D3011"):
        parts += [text[start : each.start()], _replacement(each, by)]
        start = each.end()
    return "".join([*parts, text[start:]])


def matched(found: re.Match[str]) -> dict[str, Any]:
    """What a regular expression tells of a match."""
    return {
        "match": found[0],
        "start": found.start(),
        "end": found.end(),
        "groups": list(found.groups()),
    }


def _count(limit: Any, code: str) -> int | None:
    """How many matches count at most."""
    if limit is None:
        return None
    if limit < 0:
        raise JException(code, -1, limit)
    count: int = math.ceil(limit)
    return count


def _found(text: str, pattern: re.Pattern[str], limit: Any, code: str) -> Matches:
    return islice(_all(text, pattern), _count(limit, code))


def _all(text: str, pattern: re.Pattern[str]) -> Matches:
    """Matches one after the other; only the first of them may be empty."""
    found = pattern.search(text)
    while found is not None:
        yield found
        if found.end() >= len(text):
            return
        found = pattern.search(text, found.end())
        if found is not None and not found[0]:
            raise JException("D1004", -1)


def _replacement(found: re.Match[str], by: Any) -> str:
    if isinstance(by, str):
        return _filled(by, found)
    made = Functions.func_apply(by, [matched(found)])
    if not isinstance(made, str):
        raise JException("D3012", -1)
    return made


def _filled(template: str, found: re.Match[str]) -> str:
    """The template with `$0`, `$1`, … and `$$` put in; a number beyond the groups is empty."""
    count = len(found.groups())

    def put(mark: re.Match[str]) -> str:
        digits = mark[1]
        if digits == "$":
            return "$"
        if digits.startswith("0"):
            return found[0] + digits[1:]
        used = digits[: len(str(count))]
        if len(used) > 1 and int(used) > count:
            used = used[:-1]
        number = int(used)
        return ((found[number] or "") if number <= count else "") + digits[len(used) :]

    return re.sub(r"\$(\$|[0-9]+)", put, template)
