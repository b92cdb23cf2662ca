"""What has to be the same everywhere: status, output or the error's name and data, and calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TypeAlias

from agentflow.errors import Json

Calls: TypeAlias = Counter[tuple[str, str]]
"""How often each function was called with which arguments, as canonical JSON."""


@dataclass(frozen=True)
class Outcome:
    """How an execution ended."""

    status: str
    """succeeded or failed; crashed, if the engine itself did."""
    output: Json = None
    error: str | None = None
    """The error's name."""
    data: Json = None
    """The error's data; compared where a case states it."""
    calls: Calls = field(default_factory=Counter)
    message: str = ""
    """The error's own words, which differ and are only shown."""

    def differences(self, expected: Outcome, loose: Collection[str] = ()) -> list[str]:
        """What is not as expected, in words; nothing if all is."""
        found = []
        for name in ("status", "error", "output"):
            ours, theirs = getattr(expected, name), getattr(self, name)
            if canonical(ours) != canonical(theirs):
                found.append(f"{name} {shown(theirs)} instead of {shown(ours)}")
        if expected.data is not None and canonical(expected.data) != canonical(self.data):
            found.append(f"data {shown(self.data)} instead of {shown(expected.data)}")
        for word, more, less in (
            ("missing", expected.calls, self.calls),
            ("too many", self.calls, expected.calls),
        ):
            for (function, given), count in (more - less).items():
                if function not in loose:
                    found.append(f"{word}: {count} of {function}({given})")
        if found and self.message:
            found.append(self.message)
        return found


@dataclass(frozen=True)
class Refused:
    """The target cannot express the workflow; `codes` are its diagnostics."""

    codes: tuple[str, ...]
    reason: str


def counted(function: str, arguments: Json) -> tuple[str, str]:
    """A call as it is counted."""
    return function, canonical(arguments)


def canonical(value: Json) -> str:
    """JSON text that is the same for equal values: `1` is `1.0`, `true` is not `1`."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: Json) -> Json:
    match value:
        case bool():
            return value
        case float():
            return int(value) if value.is_integer() else value
        case list():
            return [_plain(each) for each in value]
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case _:
            return value


def shown(value: Json) -> str:
    """A value for a message, cut short."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"
