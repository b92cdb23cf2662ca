"""The names of jsonata-python that are used; the library has no types."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from agentflow.errors import Unavailable

DEEP = 10_000
"""Frames of Python's stack that JSONata may use: it recurses there."""

_limit = sys.getrecursionlimit()
try:
    from jsonata.functions import Functions  # type: ignore[import-untyped]
    from jsonata.jexception import JException  # type: ignore[import-untyped]
    from jsonata.jsonata import Jsonata  # type: ignore[import-untyped]
    from jsonata.parser import Parser  # type: ignore[import-untyped]
    from jsonata.regex_engine import RegexFlags  # type: ignore[import-untyped]
    from jsonata.utils import Utils  # type: ignore[import-untyped]
except ImportError as error:
    raise Unavailable(
        "the JSONata of state machines needs jsonata-python, which is not installed",
        help='install it: pip install "inferloop-agentflow[aws]"',
    ) from error
finally:
    sys.setrecursionlimit(_limit)  # the library raises it for the whole process

__all__ = ["Functions", "JException", "Jsonata", "Parser", "RegexFlags", "Utils", "deep"]


@contextmanager
def deep() -> Iterator[None]:
    """Let a block recurse as deeply as JSONata needs."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEEP))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
