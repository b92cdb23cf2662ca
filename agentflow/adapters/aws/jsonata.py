"""JSONata as text: literals, names, and the functions of `meaning.jsonata`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from types import MappingProxyType

from agentflow.errors import Json

BUILT_IN = frozenset(
    [
        "abs",
        "append",
        "assert",
        "average",
        "base64decode",
        "base64encode",
        "boolean",
        "ceil",
        "clone",
        "contains",
        "count",
        "decodeUrl",
        "decodeUrlComponent",
        "distinct",
        "each",
        "encodeUrl",
        "encodeUrlComponent",
        "error",
        "eval",
        "exists",
        "filter",
        "floor",
        "formatBase",
        "formatInteger",
        "formatNumber",
        "fromMillis",
        "hash",
        "join",
        "keys",
        "length",
        "lookup",
        "lowercase",
        "map",
        "match",
        "max",
        "merge",
        "millis",
        "min",
        "not",
        "now",
        "number",
        "pad",
        "parse",
        "parseInteger",
        "partition",
        "power",
        "random",
        "range",
        "reduce",
        "replace",
        "reverse",
        "round",
        "shuffle",
        "sift",
        "single",
        "sort",
        "split",
        "spread",
        "sqrt",
        "states",
        "string",
        "substring",
        "substringAfter",
        "substringBefore",
        "sum",
        "toMillis",
        "trim",
        "type",
        "typeOf",
        "uppercase",
        "uuid",
        "zip",
    ]
)
"""JSONata's functions, those Step Functions adds, and `states`."""

_DEFINITION = re.compile(r"^\$(\w+) := (.*?\});\n(?=[$/\n]|\Z)", re.MULTILINE | re.DOTALL)


def _read() -> Mapping[str, str]:
    """The functions of `meaning.jsonata`, each on one line."""
    text = files(__package__).joinpath("meaning.jsonata").read_text(encoding="utf-8")
    found = _DEFINITION.findall(text)
    return MappingProxyType({name: re.sub(r"\n\s*", " ", body) for name, body in found})


LAMBDAS = _read()
"""Functions in JSONata, by name; each may call the others."""

RESERVED = BUILT_IN | LAMBDAS.keys()

_REFERENCE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


def variable(name: str) -> str:
    """The name that a name of the workflow has in JSONata: never that of a function.

    A name that ends with `_` gets another one, so that no two names become the same, and names
    that end with exactly one `_` are free for what is generated.
    """
    return f"{name}_" if name in RESERVED or name.endswith("_") else name


def quote(text: str) -> str:
    """A string literal. JSONata has no escape for an apostrophe but its number."""
    body = json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\u0027")
    return "'" + body.replace("%}", "\\u0025}") + "'"


def literal(value: Json) -> str:
    """A JSON value as JSONata."""
    match value:
        case str():
            return quote(value)
        case list():
            return "[" + ", ".join(map(literal, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{quote(k)}: {literal(v)}" for k, v in value.items()) + "}"
        case _:
            return json.dumps(value)


def used(text: str) -> list[str]:
    """The lambdas that a text needs, those they need included, in the order of `LAMBDAS`."""
    found: set[str] = set()
    pending = [text]
    while pending:
        for name in _REFERENCE.findall(pending.pop()):
            if name in LAMBDAS and name not in found:
                found.add(name)
                pending.append(LAMBDAS[name])
    return [name for name in LAMBDAS if name in found]


def complete(text: str) -> str:
    """The text with the lambdas it needs in front of it."""
    return _block(text, used(text))


def can_fail(texts: Iterable[str]) -> bool:
    """Whether evaluating one of these texts may raise a fault."""
    return any("fail" in used(text) for text in texts)


def _block(text: str, names: list[str]) -> str:
    if not names:
        return text
    return "(" + "; ".join([*(f"${name} := {LAMBDAS[name]}" for name in names), text]) + ")"
