"""Values of a workflow while it is put together: texts of expressions, and templates.

A *source* is the inside of a `${…}`; a template is what a spec holds.
"""

from __future__ import annotations

import json
import keyword
import re

from agentflow.errors import Diagnostic, Span
from agentflow.spec.expressions.template import Expression, Template, parse_expression

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def expression(source: str, span: Span) -> Expression:
    """The expression of a source; it is right, because it was made here."""
    mistakes: list[Diagnostic] = []
    found = parse_expression(source, lambda _start, _end: span, mistakes)
    assert found is not None, (source, mistakes)
    return found


def quoted(value: str) -> str:
    """A text as an expression writes it."""
    return json.dumps(value, ensure_ascii=False)


def member(source: str, key: str) -> str:
    """The source of the value under a key."""
    if _PLAIN_KEY.fullmatch(key) and not keyword.iskeyword(key):
        return f"{source}.{key}"
    return f"{source}[{quoted(key)}]"


def source_of(template: Template) -> str:
    """The source that gives a template's value."""
    match template:
        case Expression(source):
            return source if _is_simple(source) else f"({source})"
        case dict():
            entries = (f"{quoted(key)}: {source_of(each)}" for key, each in template.items())
            return f"{{{', '.join(entries)}}}"
        case list():
            return f"[{', '.join(map(source_of, template))}]"
        case _:
            return json.dumps(template, ensure_ascii=False)


def _is_simple(source: str) -> bool:
    """Whether it needs no brackets as a part of another."""
    return re.fullmatch(r"[\w.\[\]\"]+|\w+\(.*\)|\{.*\}", source, re.DOTALL) is not None


def is_name(template: Template) -> bool:
    """Whether a template is one name alone."""
    return isinstance(template, Expression) and _PLAIN_KEY.fullmatch(template.source) is not None
