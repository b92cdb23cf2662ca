"""Expressions by chance, of a wanted kind, over the names that are visible."""

from __future__ import annotations

import random
from collections.abc import Callable

from agentflow.errors import Json
from tests.conformance.generated.scope import Kind, Scope

KINDS: tuple[Kind, ...] = ("number", "text", "flag", "numbers", "record", "any")
"""What is drawn; errors are read only by their handlers."""
TEXTS = (
    "", "a", "it's", "é😀", "{% x %}", "$x", "Boom", "0", 'say "x"', "a\nb\t\u2028", "back\\slash",
    "<<Odd>> x", "\ue000\U00010000", "null", "{}", "a.b[0]", "States.Timeout",
)  # fmt: skip
NUMBERS = (0, 1, 2, 3, 5, -1, 0.5, 0.1, -2.5, 1e-7, 2**40, 1e15 + 0.3, 12345678.12345678)
DEPTH = 2
RISK = 0.06
"""How often an expression is one that may fail, where that is allowed."""


class Values:
    """Draws expressions."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._draw: dict[Kind, Callable[[Scope, int, bool], str]] = {
            "number": self._number,
            "text": self._text,
            "flag": self._flag,
            "numbers": self._numbers,
            "record": self._record,
            "any": self._any,
        }

    def template(self, kind: Kind, scope: Scope, *, safe: bool = False) -> Json:
        """A template whose value is of a kind; with `safe`, one that cannot fail."""
        return f"${{ {self.of(kind, scope, 0, safe)} }}"

    def of(self, kind: Kind, scope: Scope, depth: int, safe: bool) -> str:
        """The text of an expression."""
        if not safe and self._rng.random() < RISK:
            failing = self._failing(kind, scope)
            if failing is not None:
                return f"({failing})"
        return self._draw[kind](scope, depth + 1, safe)

    def literal(self, kind: Kind) -> str:
        """An expression that reads nothing."""
        rng = self._rng
        match kind:
            case "number":
                return str(rng.choice(NUMBERS if rng.random() < 0.3 else NUMBERS[:7]))
            case "text":
                return repr(rng.choice(TEXTS))
            case "flag":
                return rng.choice(("true", "false"))
            case "numbers":
                return str([rng.randint(0, 4) for _ in range(rng.randint(0, 3))])
            case "record":
                return "{'n': 1, 't': 'r', 'l': [1]}"
            case _:
                return rng.choice(("null", "[]", "[[]]", "{}", "[null]", "[[1], 'a']", "0", "''"))

    # --- inside -----------------------------------------------------------------------------------

    def _names(self, kind: Kind, scope: Scope) -> list[str]:
        return [each.name for each in scope.visible() if each.kind == kind]

    def _pick(self, kind: Kind, scope: Scope) -> str:
        names = self._names(kind, scope)
        if names and self._rng.random() < 0.8:
            return self._rng.choice(names)
        return self.literal(kind)

    def _one(self, depth: int, simple: Callable[[], str], *others: Callable[[], str]) -> str:
        if depth > DEPTH or self._rng.random() < 0.4:
            return simple()
        return self._rng.choice(others)()

    def _failing(self, kind: Kind, scope: Scope) -> str | None:
        """An expression that fails where it is evaluated, and that no check can object to."""
        opaque = [each for each in scope.visible() if each.is_opaque]
        if not opaque:
            return None
        name = self._rng.choice(opaque)
        ways = [f"{name.name}.nope", f"{name.name}[17]", f"{name.name}['k'].k"]
        if name.kind == kind == "number":
            ways += [f"{name.name} // ({name.name} - {name.name})"]
        if name.kind == "text" and kind == "number":
            ways.append(f"{name.name} + 1")
        return self._rng.choice(ways)

    def _number(self, scope: Scope, depth: int, safe: bool) -> str:
        def sub(kind: Kind) -> str:
            return self.of(kind, scope, depth, safe)

        return self._one(
            depth,
            lambda: self._pick("number", scope),
            lambda: f"({sub('number')} + {sub('number')})",
            lambda: f"({sub('number')} - {sub('number')})",
            lambda: f"({sub('number')} % 7)",
            lambda: f"({sub('number')} // 2)",
            lambda: f"len({sub('numbers')})",
            lambda: f"len({sub('text')})",
            lambda: f"sum({sub('numbers')})",
            lambda: f"max([{sub('number')}, {sub('number')}])",
            lambda: f"min({sub('number')}, {sub('number')})",
            lambda: f"abs({sub('number')})",
            lambda: f"{self._pick('record', scope)}.get('n', {sub('number')})",
            lambda: f"len(unique([{sub('any')}, {sub('any')}]))",
            lambda: f"[{sub('any')}, {sub('any')}].count({sub('any')})",
            lambda: f"{self._pick('record', scope)}.n",
            lambda: f"({sub('number')} if {sub('flag')} else {sub('number')})",
        )

    def _text(self, scope: Scope, depth: int, safe: bool) -> str:
        def sub(kind: Kind) -> str:
            return self.of(kind, scope, depth, safe)

        return self._one(
            depth,
            lambda: self._pick("text", scope),
            lambda: f"str({sub('number')})",
            lambda: f"str({sub('any')})",
            lambda: f"({sub('text')} + {sub('text')})",
            lambda: f"{sub('text')}.upper()",
            lambda: f"f'<{{{self._pick('number', scope)}}}{{{self._pick('flag', scope)}}}>'",
            lambda: f"json_encode({sub('any')})",
            lambda: f"type({sub('any')})",
            lambda: f"{sub('text')}.replace('a', {sub('text')})",
            lambda: f"coalesce(null, {sub('text')})",
            lambda: f"({sub('text')})[0:2]",
            lambda: f"{self._pick('record', scope)}.t",
            lambda: f"'-'.join([{sub('text')}, {sub('text')}])",
            lambda: f"({sub('text')} if {sub('flag')} else {sub('text')})",
        )

    def _flag(self, scope: Scope, depth: int, safe: bool) -> str:
        def sub(kind: Kind) -> str:
            return self.of(kind, scope, depth, safe)

        return self._one(
            depth,
            lambda: self._pick("flag", scope),
            lambda: f"({sub('number')} < {sub('number')})",
            lambda: f"({sub('any')} == {sub('any')})",
            lambda: f"({sub('text')} != {sub('text')})",
            lambda: f"({sub('text')} < {sub('text')})",
            lambda: f"({sub('any')} in [{sub('any')}, {sub('any')}])",
            lambda: f"({sub('text')} in {sub('text')})",
            lambda: f"all([{sub('flag')}, {sub('flag')}])",
            lambda: f"({sub('number')} in {sub('numbers')})",
            lambda: f"(not {sub('flag')})",
            lambda: f"({sub('flag')} and {sub('flag')})",
            lambda: f"({sub('flag')} or {sub('flag')})",
        )

    def _numbers(self, scope: Scope, depth: int, safe: bool) -> str:
        def sub(kind: Kind) -> str:
            return self.of(kind, scope, depth, safe)

        bound = f"k{depth}"
        return self._one(
            depth,
            lambda: self._pick("numbers", scope),
            lambda: f"[{sub('number')}]",
            lambda: f"[{sub('number')}, {sub('number')}]",
            lambda: f"({sub('numbers')} + {sub('numbers')})",
            lambda: f"({sub('numbers')})[1:]",
            lambda: f"[{bound} + 1 for {bound} in {sub('numbers')}]",
            lambda: f"[{bound} for {bound} in {sub('numbers')} if {bound} > {sub('number')}]",
            lambda: f"sorted({sub('numbers')})",
            lambda: f"{self._pick('record', scope)}.l",
            lambda: "range(3)",
            lambda: f"reversed({sub('numbers')})",
            lambda: f"unique({sub('numbers')})",
            lambda: f"[{bound}[0] for {bound} in enumerate({sub('numbers')}, 1)]",
        )

    def _record(self, scope: Scope, depth: int, safe: bool) -> str:
        def sub(kind: Kind) -> str:
            return self.of(kind, scope, depth, safe)

        return self._one(
            depth,
            lambda: self._pick("record", scope),
            lambda: f"{{'n': {sub('number')}, 't': {sub('text')}, 'l': {sub('numbers')}}}",
            lambda: f"merge({sub('record')}, {{'n': {sub('number')}}})",
        )

    def _any(self, scope: Scope, depth: int, safe: bool) -> str:
        def sub(kind: Kind) -> str:
            return self.of(kind, scope, depth, safe)

        kind = self._rng.choice(KINDS[:-1])
        return self._one(
            depth,
            lambda: self._pick("any", scope),
            lambda: sub(kind),
            lambda: f"[{sub('any')}, {sub(kind)}]",
            lambda: f"[{sub('any')}]",
            lambda: f"{{'k': {sub('any')}}}",
            lambda: f"{{{sub('text')}: {sub('any')}}}",
            lambda: f"[[{sub('any')}], {sub('any')}]",
            lambda: f"group_by([{sub('record')}, {sub('record')}], 't')",
            lambda: f"sorted_by([{sub('record')}, {sub('record')}], 'n')",
            lambda: f"({sub('any')} if {sub('flag')} else {sub(kind)})",
        )
