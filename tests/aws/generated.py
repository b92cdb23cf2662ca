"""Random expressions of the language with values for the names they read.

Expressions are typed for the most part, so that they get somewhere, and wrong often enough that
every fault is met. The same seed gives the same expressions.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from agentflow.adapters.aws.library import LIBRARY, Helper
from agentflow.errors import MAX_INTEGER, Json

NUMBERS: Final[tuple[Json, ...]] = (
    0, 1, -1, 2, 3, 7, -10, 100, 255, MAX_INTEGER, -MAX_INTEGER, MAX_INTEGER - 1, 2**52,
    0.5, -0.5, 1.5, 2.5, -2.5, 0.1, 0.2, 2.0, -0.0, 1e-7, 5e-324, 1e16, -1e17, 1e21, 1e300, -1.7e308,
    123456789.12345679, 0.30000000000000004, 1e15 + 0.3,
)  # fmt: skip
TEXTS: Final = (
    "", "a", "b", "ab", "aba", "a,b,,c", " a  b ", "\t\n x\r\n", "é", "e\u0301", "ß", "İ", "Σας", "ǆ",
    "😀", "a😀b", "\U00010000", "\uffff", "\ue000", "\u2028", "\u00a0x", "\u001fx\u0085", "1", "-2", "+5",
    "007", "1.5", "1e3", "1e999", "9007199254740993", "true", "null", "it's", 'say "x"', "back\\slash",
    "${x}", "{% x %}", "<<Fault>> x", "$a", "a.b*c+", "%41+%20", "%", "%zz", "aGk=", "aGk",
    '{"a":[1]}', '{"a":1,"a":2}', "[1", "2026-01-31T12:00:00Z", "2026-02-30T00:00:00Z",
    "2026-01-31T12:00:00.123456+02:00", "1h30m", "250ms", "PT5M", "P1D", "P", "x" * 30, "-", "-a", "a\n",
    "l1\nl2\r\nl3\rl4\n",
)  # fmt: skip
KEYS: Final = (
    "a", "b", "k", "n", "name", "items", "order", "", "a b", "é", "😀", "a.b", "`", "and", "$x", "v",
    "length", "sequence", "'", "true",
)  # fmt: skip
LISTS: Final[tuple[Json, ...]] = (
    [], [1], [[]], [[1]], [[[]]], [[[1]]], [None], [[None]], ["a"], [1, 2, 3], [3, 1, 2.5, -1], [True],
    [True, False], ["b", "a", "ab", ""], ["\uffff", "😀", "\ue000"], [1, "a"], [[1, 2], [3]], [[], [1]],
    [[1, [2]], [3]], [["a", 1], ["b", 2]], [["a", [1]]], [1, 1.0, True, "1", None], [{}], [{"k": "a"}],
    [{"k": "b", "n": 2}, {"k": "a", "n": 1}, {"k": "b", "n": 0}], [{"k": 2}, {"k": 1}, {"n": 1}],
    [{"k": [1]}, {"k": [1]}], [{"a": None}], [0, -0.0], [MAX_INTEGER, 1], ["a", "a", "b"],
    [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1}], [0.30000000000000004, 0.3, [0.3], [0.30000000000000004]],
    ["1", 1, "1:1", [1, 1], ["1,1"]], [1.7976931348623157e308, 1.797693134862315e308], [[1], [True], [1.0]],
    [[{"a": 1}]], [{"a": [{"b": 1}]}], list(range(12)), [0.1, 0.2, 0.3], [1e308, 1e308, -1e308],
)  # fmt: skip
OBJECTS: Final[tuple[Json, ...]] = (
    {}, {"a": 1}, {"a": None}, {"a": []}, {"a": [1]}, {"a": [[]]}, {"a": {"a": [1, 2]}, "b": "x"},
    {"": 1}, {"a b": 1, "é": [2]}, {"k": "x", "n": 1}, {"k": "y", "n": 2.5, "b": True}, {"name": "E"},
    {"name": "E", "message": 1, "data": {}}, {"b": {"a": {"b": {"a": 1}}}}, {"items": [1], "length": 2},
    {"sequence": True, "v": [1]}, {"a": "😀", "😀": "a"}, {"`": 1, "'": 2, "$x": 3, "a.b": 4},
    {"and": 1, "true": False}, {"order": {"items": [{"k": 1}, {"k": 2}]}},
)  # fmt: skip
SCALARS: Final[tuple[Json, ...]] = (None, True, False)
POOLS: Final[dict[str, Sequence[Json]]] = {
    "int": [n for n in NUMBERS if type(n) is int],
    "number": NUMBERS,
    "bool": (True, False),
    "string": TEXTS,
    "list": LISTS,
    "numbers": [v for v in LISTS if all(type(i) in (int, float) for i in v)],
    "strings": [v for v in LISTS if all(type(i) is str for i in v)],
    "bools": [v for v in LISTS if all(type(i) is bool for i in v)],
    "lists": [v for v in LISTS if all(type(i) is list for i in v)],
    "objects": [v for v in LISTS if all(type(i) is dict for i in v)],
    "object": OBJECTS,
    "any": (*SCALARS, *NUMBERS, *TEXTS, *LISTS, *OBJECTS),
}
"""Values by the kind that an expression wants."""
KINDS: Final = tuple(POOLS)


@dataclass(frozen=True)
class Case:
    """An expression with the values of its names."""

    source: str
    names: dict[str, Json]


Writing: TypeAlias = tuple[str, tuple[str, ...]]
"""How something is written, with `{}` for parts; and the kinds of the parts."""


def _writings(table: dict[str, str]) -> list[Writing]:
    return [(text, tuple(kinds.split())) for text, kinds in table.items()]


_ANYWHERE = _writings({
    "{} if {} else {}": "T bool T",
    "coalesce({}, {})": "any T",
    "{}[{}]": "list int",
    "{}[-1]": "list",
    "{}.get({}, {})": "object key any",
    "{}.get({})": "object key",
    "{}.K": "object",
    "{}[{}] ": "object key",
    "min({}, {})": "number number",
    "[{}][0]": "T",
    "{{'a': {}}}.a": "T",
    "max({})": "numbers",
    "json_decode({})": "string",
    "[{}, {}][{}]": "any any int",
})  # fmt: skip
_BY_KIND: Final[dict[str, list[Writing]]] = {
    "int": _writings({
        "{} + {}": "int int", "{} - {}": "int int", "{} * {}": "int int", "{} // {}": "int int",
        "{} % {}": "int int", "-{}": "int", "len({})": "list", "len({}) ": "string", "len({})  ": "object",
        "int({})": "number", "int({}) ": "string", "round({})": "number", "floor({})": "number",
        "ceil({})": "number", "sum({})": "numbers", "{}.find({})": "string string", "{}.index({})": "list any",
        "{}.count({})": "list any", "{}.count({}) ": "string string", "abs({})": "int",
        "{}.index({}[0])": "list list",
    }),
    "number": _writings({
        "{} + {}": "number number", "{} - {}": "number number", "{} * {}": "number number",
        "{} / {}": "number number", "{} // {}": "number number", "{} % {}": "number number",
        "-{}": "number", "abs({})": "number", "sum({})": "numbers", "sqrt({})": "number",
        "round({}, {})": "number int", "min({}, {})": "number number", "max({}, {}, {})": "number number number",
        "min({})": "numbers", "float({})": "string", "pow({}, {})": "number int", "duration({})": "string",
        "parse_time({})": "string", "seconds_between({}, {})": "string string", "{}": "int",
    }),
    "bool": _writings({
        "{} == {}": "any any", "{} != {}": "any any", "{} == {} ": "T T", "{} < {}": "number number",
        "{} <= {}": "string string", "{} > {}": "string string", "{} >= {}": "number number",
        "{} < {} ": "any any", "{} < {} <= {}": "number number number", "{} == {} in {}": "any any list",
        "{} in {}": "any list", "{} not in {}": "string string", "{} in {} ": "key object",
        "{} in {}  ": "any any", "not {}": "bool", "{} and {}": "bool bool", "{} or {}": "bool bool",
        "{} and {} and {}": "bool bool bool", "{} or {} or {}": "bool bool bool",
        "any({})": "bools", "all({})": "bools", "{}.startswith({})": "string string",
        "{}.endswith({})": "string string", "{} <= {} <= {}": "string string string",
        "{} == {}  ": "list list", "{} != {} ": "object object", "{} == null": "any",
    }),
    "string": _writings({
        "{} + {}": "string string", "f'{{{}}}-{{{}}}'": "F F", "f'{{{}}}'": "F", "str({})": "any",
        "{}.upper()": "string", "{}.lower()": "string", "{}.strip()": "string", "{}.lstrip()": "string",
        "{}.rstrip()": "string", "{}.removeprefix({})": "string string", "{}.removesuffix({})": "string string",
        "{}.join({})": "string strings", "{}.replace({}, {})": "string string string",
        "{}.ljust({}, {})": "string small string", "{}.rjust({})": "string small", "{}.zfill({})": "string small",
        "{}[{}]": "string int", "{}[{}:{}]": "string int int", "{}[:{}]": "string int", "{}[{}:]": "string int",
        "type({})": "any", "json_encode({})": "any", "base64_encode({})": "string", "base64_decode({})": "string",
        "url_encode({})": "string", "url_decode({})": "string", "sha256({})": "string", "fixed({}, {})": "number int",
        "format_time({})": "number", "add_seconds({}, {})": "string number", "min({})": "strings",
        "max({}, {})": "string string",
    }),
    "list": _writings({
        "[{}]": "any", "[{}, {}]": "any any", "[{}, {}, {}]": "any list any", "{} + {}": "list list",
        "{}[{}:{}]": "list int int", "{}[:{}]": "list int", "{}[{}:]": "list int", "sorted({})": "numbers",
        "sorted({}) ": "strings", "sorted({})  ": "list", "sorted_by({}, {})": "objects key",
        "reversed({})": "list", "unique({})": "list", "flatten({})": "lists", "chunked({}, {})": "list small",
        "zip({}, {})": "list list", "zip({})": "list", "enumerate({})": "list", "enumerate({}, {})": "list int",
        "intersection({}, {})": "list list", "difference({}, {})": "list list", "{}.values()": "object",
        "{}.items()": "object", "range({})": "small", "range({}, {}, {})": "small small small", "{}": "C",
    }),
    "numbers": _writings({
        "[{}, {}]": "number number", "[{}]": "number", "[]": "", "range({})": "small", "range({}, {})": "small small",
        "sorted({})": "numbers", "{} + {}": "numbers numbers", "{}": "C", "reversed({})": "numbers",
    }),
    "strings": _writings({
        "[{}, {}]": "string string", "[{}]": "string", "{}.split({})": "string string", "{}.split()": "string",
        "{}.splitlines()": "string", "{}.keys()": "object", "sorted({})": "strings", "{}": "C",
        "unique({})": "strings",
    }),
    "bools": _writings({"[{}, {}]": "bool bool", "[{}]": "bool", "{}": "C", "[]": ""}),
    "lists": _writings({
        "[{}, {}]": "list list", "[{}]": "list", "chunked({}, {})": "list small", "{}.items()": "object",
        "enumerate({})": "list", "zip({}, {})": "list list", "{}": "C",
    }),
    "objects": _writings({
        "[{}, {}]": "object object", "[{}]": "object", "sorted_by({}, {})": "objects key", "{}": "C",
    }),
    "object": _writings({
        "{{'a': {}, 'b': {}}}": "any any", "{{{}: {}, {}: {}}}": "key any key any", "{{}}": "",
        "merge({}, {})": "object object", "merge({})": "object", "pick({}, {})": "object keys",
        "omit({}, {})": "object keys", "group_by({}, {})": "objects key", "{}": "D",
    }),
    "any": [],
}  # fmt: skip


class Generator:
    """Draws cases; all that it draws comes from its seed.

    `native` is the share of those that JSONata is to compute without the helper.
    """

    def __init__(self, seed: int, native: float = 0.9) -> None:
        self.native = native
        self.chance = random.Random(seed)
        self.direct = True
        self.names: dict[str, Json] = {}
        self.rounds: list[tuple[str, str]] = []

    def case(self, depth: int = 3) -> Case:
        """The next case: at most so many levels, and a few more at its leaves."""
        while True:
            self.names, self.rounds = {}, []
            self.direct = self.chance.random() < self.native
            source = self.draw(self.pick(KINDS), depth).strip()
            if len(source) < 600:
                return Case(source, self.names)

    def pick(self, choices: Sequence[Any]) -> Any:
        """One of several."""
        return self.chance.choice(choices)

    def draw(self, kind: str, depth: int) -> str:
        """The text of an expression that gives a kind of value; sometimes of another."""
        special = self.special(kind, depth)
        if special is not None:
            return special
        if self.chance.random() < 0.03:
            kind = self.pick(KINDS)
        if kind == "any":
            kind = self.pick(KINDS[:-1])
        if depth <= 0 or self.chance.random() < 0.12:
            return self.leaf(kind)
        general = self.chance.random() < 0.2
        writings = _ANYWHERE if general else _BY_KIND[kind]
        text, parts = self.pick([each for each in writings if not self.direct or _is_direct(each)])
        same = self.pick(KINDS[:-1])
        given = [
            self.draw((kind if general else same) if part == "T" else part, depth - 1)
            for part in parts
        ]
        if text.startswith("{}."):
            given[0] = f"({given[0]})"
        text = text.replace(".K", f".{self.pick(('a', 'b', 'k', 'items', 'name'))}").strip()
        bracketed = text.startswith(("{{", "[")) or (
            text.endswith(")") and not text.startswith("{}")
        )
        if not bracketed and text != "{}" and not text.startswith("f'"):
            text = f"({text})"
        return str(text).format(*given)

    def special(self, kind: str, depth: int) -> str | None:
        """What is no kind of value: keys, small numbers, comprehensions, parts of texts."""
        match kind:
            case "key":
                return (
                    repr(self.pick(KEYS)) if self.chance.random() < 0.8 else self.draw("string", 0)
                )
            case "keys":
                return (
                    f"[{', '.join(repr(self.pick(KEYS)) for _ in range(self.chance.randrange(3)))}]"
                )
            case "small":
                return str(self.pick((-3, -1, 0, 1, 2, 3, 5))) if depth else self.leaf("int")
            case "F":
                text = self.draw(self.pick(("string", "any", "number", "bool")), min(depth, 1))
                return text if not set(text) & set("'\"\\{}") else "1"
            case "C" | "D":
                return self.comprehension(kind, depth)
            case _:
                return None

    def leaf(self, kind: str) -> str:
        """A name with a value of a kind, or a literal."""
        held = [name for name, each in self.rounds if each == kind or self.chance.random() < 0.2]
        if held and self.chance.random() < 0.7:
            return str(self.pick(held))
        value = self.pick(POOLS[kind])
        if self.chance.random() < 0.3:
            return _literal(value)
        fitting = [name for name, each in self.names.items() if each is value]
        if not fitting and len(self.names) < 5:
            name = "abcde"[len(self.names)] if self.chance.random() < 0.8 else self.odd()
            self.names[name] = value
            return name
        return str(self.pick(fitting or list(self.names)))

    def odd(self) -> str:
        """A name that is that of a function in JSONata, or near to one."""
        return next(
            n
            for n in ("count", "at", "map_", "states", "equal", "x1", "input")
            if n not in self.names
        )

    def comprehension(self, kind: str, depth: int) -> str:
        """A comprehension with one `for` or two, and conditions."""
        before = list(self.rounds)
        loops = "".join(self.loop(depth) for _ in range(1 + (self.chance.random() < 0.2)))
        element = self.draw(self.pick(("any", "any", "int", "string", "list", "bool")), depth - 1)
        if kind == "C":
            text = f"[{element}{loops}]"
        else:
            text = f"{{{self.draw('string', depth - 1)}: {element}{loops}}}"
        self.rounds = before
        return text

    def loop(self, depth: int) -> str:
        kind = self.pick(("list", "numbers", "strings", "lists", "objects"))
        items = self.draw(kind, depth - 1)
        number = len(self.rounds)
        item = {"numbers": "number", "strings": "string", "lists": "list", "objects": "object"}
        if kind == "lists" and self.chance.random() < 0.6:
            names = [f"x{number}", f"y{number}"]
            self.rounds += [(name, "any") for name in names]
        else:
            names = [f"x{number}"]
            self.rounds.append((names[0], item.get(kind, "any")))
        text = f" for {', '.join(names)} in {items}"
        if self.chance.random() < 0.4:
            text += f" if {self.draw('bool', min(depth - 1, 1))}"
        return text


def _is_direct(writing: Writing) -> bool:
    """Whether JSONata can write it itself."""
    called = {f"{name}(" for name, each in LIBRARY.items() if isinstance(each, Helper)}
    return not any(name in writing[0] for name in called)


def _literal(value: Json) -> str:
    text = repr(value)
    return f"({text})" if isinstance(value, int | float) and value < 0 else text
