"""What Python has and expressions have not: how to say it, and what to write instead."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable
from typing import TypeAlias

from agentflow.functions.suggestions import closest
from agentflow.spec.expressions import library

Refusal: TypeAlias = tuple[str, str]
"""What is refused, and the remedy."""

_NODES: dict[type[ast.AST], Refusal] = {
    ast.Lambda: ("`lambda`", "write a comprehension, [f(x) for x in xs], or make it a function"),
    ast.NamedExpr: ("`:=`", "bind the value to a name with a `set` step"),
    ast.Starred: ("`*` before a list", "join lists with `+`"),
    ast.Set: ("a set", "write a list [a, b]; around an expression one pair of braces: ${ … }"),
    ast.SetComp: ("a set comprehension", "write unique([… for … in …])"),
    ast.GeneratorExp: ("a generator", "put brackets around it: [… for … in …]"),
    ast.Tuple: ("a tuple", "write a list: [a, b]"),
    ast.Await: ("`await`", "a `call` step waits for its function"),
    ast.Yield: ("`yield`", "make it a function"),
    ast.YieldFrom: ("`yield from`", "make it a function"),
    ast.Slice: ("a slice here", "write xs[a:b]"),
}

_OPERATORS: dict[type[ast.AST], Refusal] = {
    ast.Pow: ("`**`", "write pow(a, b)"),
    ast.MatMult: ("`@`", "make it a function"),
    ast.LShift: ("`<<`", "write a * pow(2, n)"),
    ast.RShift: ("`>>`", "write a // pow(2, n)"),
    ast.BitOr: ("`|`", "write `or` between booleans, merge(a, b) of objects"),
    ast.BitAnd: ("`&`", "write `and` between booleans, intersection(a, b) of lists"),
    ast.BitXor: ("`^`", "write `!=` between booleans, pow(a, b) for a power"),
    ast.Invert: ("`~`", "write `not`"),
    ast.UAdd: ("`+` before a value", "leave it out"),
    ast.Is: ("`is`", "write `==`"),
    ast.IsNot: ("`is not`", "write `!=`"),
}

_FUNCTIONS = {
    "bool": "compare instead: x != 0, len(xs) > 0, x != null",
    "boolean": "compare instead: x != 0, len(xs) > 0, x != null",
    "list": "lists are written [a, b]; range, zip and sorted give lists already",
    "dict": "objects are written {k: v}",
    "set": "write unique(xs)",
    "tuple": "lists are written [a, b]",
    "map": "write [f(x) for x in xs]",
    "filter": "write [x for x in xs if …]",
    "isinstance": 'write type(x) == "string"',
    "print": "expressions only give values; log from a function",
    "open": "expressions read no files; make it a function",
    "eval": "there is no code in data; make it a function",
    "exec": "there is no code in data; make it a function",
    "getattr": 'write o["key"], or o.get("key", default)',
    "hasattr": 'write "key" in o',
    "divmod": "write [a // b, a % b]",
    "trunc": "write int(x)",
    "string": "write str(x)",
    "number": "write float(x) or int(x)",
    "length": "write len(x)",
    "size": "write len(x)",
    "concat": "write a + b",
    "join": 'write ", ".join(xs)',
    "split": 'write s.split(",")',
    "contains": "write x in xs",
    "if": "write a if condition else b",
    "default": 'write o.get("key", default), or coalesce(a, b) for null',
    "random": "every evaluation must give the same; make it a function",
    "repr": "write str(x)",
    "format": 'write f"{a} of {b}", or fixed(x, 2) for decimals',
    "keys": "write o.keys()",
    "values": "write o.values()",
    "items": "write o.items()",
    "upper": "write s.upper()",
    "lower": "write s.lower()",
}

_METHODS = {
    "append": "values never change; write xs + [x]",
    "extend": "values never change; write xs + ys",
    "insert": "values never change; write xs[:i] + [x] + xs[i:]",
    "remove": "values never change; write [y for y in xs if y != x]",
    "pop": "values never change; write xs[-1] and xs[:-1], or omit(o, [key])",
    "update": "values never change; write merge(a, b)",
    "sort": "values never change; write sorted(xs)",
    "reverse": "values never change; write reversed(xs)",
    "setdefault": "values never change; write o.get(key, default)",
    "format": 'write f"{a} of {b}"',
    "contains": "write x in xs",
    "includes": "write x in xs",
    "length": "write len(x)",
    "map": "write [f(x) for x in xs]",
    "filter": "write [x for x in xs if …]",
    "toUpperCase": "write s.upper()",
    "toLowerCase": "write s.lower()",
    "trim": "write s.strip()",
    "push": "values never change; write xs + [x]",
    "encode": "write base64_encode(s), url_encode(s) or json_encode(x)",
    "title": "make it a function",
    "match": "there are no regular expressions; make it a function",
}

_FOREIGN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"&&"), "write `and`"),
    (re.compile(r"\|\|"), "write `or`"),
    (re.compile(r"[!=]=="), "write `==` or `!=`"),
    (re.compile(r"!(?!=)"), "write `not`"),
    (re.compile(r"\?\?"), "write coalesce(a, b)"),
    (re.compile(r"\?\."), 'write o.get("key")'),
    (re.compile(r"\?"), "write `a if condition else b`"),
    (re.compile(r"=>|->"), "write a comprehension: [f(x) for x in xs]"),
    (re.compile(r"\$"), "names stand without `$`"),
    (re.compile(r"(?<![=!<>])=(?!=)"), "`==` compares; a `set` step binds names"),
    (re.compile(r"\|"), "write f(x): functions are called, not piped"),
)
_KEYWORD_KEY = re.compile(rf"\.\s*({'|'.join(keyword.kwlist)})\b")
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


def node(node: ast.AST) -> Refusal:
    """Why a kind of node is refused."""
    return _NODES.get(type(node), (f"`{type(node).__name__}`", "make it a function"))


def operator(kind: ast.AST) -> Refusal:
    """Why an operator is refused."""
    return _OPERATORS[type(kind)]


def constant(value: object) -> Refusal:
    """Why a literal is refused."""
    match value:
        case bytes():
            return "a bytes literal", "write a text; base64_encode(s) for binary data"
        case complex():
            return "a complex number", "write a real number"
        case _:
            return "`…`", "write a value"


def function(name: str) -> str:
    """What to write instead of a function that the library does not have."""
    return _FUNCTIONS.get(name) or _guess(
        name, library.FUNCTIONS, "a function of yours is a `call` step"
    )


def method(name: str) -> str:
    """What to write instead of a method that the library does not have."""
    return _METHODS.get(name) or _guess(
        name, library.METHODS, "docs/reference/functions.md lists them"
    )


def _guess(name: str, known: Iterable[str], otherwise: str) -> str:
    guess = closest(name, known)
    return f"did you mean `{guess}`?" if guess else otherwise


def explain(source: str, reason: str) -> tuple[str, str]:
    """A message and a remedy for a source that Python's parser refuses, with its `reason`."""
    code = _TEXT.sub("''", source)
    if not code.strip():
        return "an expression is missing", "write a value between the braces"
    key = _KEYWORD_KEY.search(code)
    if key is not None:
        word = key.group(1)
        return f"`{word}` is a word of the language", f'as a key it is written ["{word}"]'
    for pattern, remedy in _FOREIGN:
        if pattern.search(code):
            return "not an expression", remedy
    return f"not an expression: {reason}", ""
