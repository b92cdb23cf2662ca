"""What is an expression and what is not: the allow-list, its messages, its limits."""

from __future__ import annotations

import ast
import gc
import sys

import pytest

from agentflow.spec.expressions import parse
from agentflow.spec.expressions.tree import (
    Attribute,
    Binary,
    Call,
    Compare,
    Comprehension,
    Conditional,
    Generator,
    Index,
    ListDisplay,
    Literal,
    Logic,
    MethodCall,
    Name,
    Negate,
    Not,
    ObjectDisplay,
    Slice,
    Text,
    Tree,
    children,
)
from tests.expressions.language import evaluate, marked, mistake, read

A, B, C = Name("a"), Name("b"), Name("c")


@pytest.mark.parametrize(
    ("source", "tree"),
    [
        ("null", Literal(None)),
        ("None", Literal(None)),
        ("true", Literal(True)),
        ("False", Literal(False)),
        ("1_000", Literal(1000)),
        ("0xff", Literal(255)),
        ("2.50", Literal(2.5)),
        (r"'a\"é\u00e9'", Literal('a"éé')),
        ("a.b", Attribute(A, "b")),
        ("a.é", Attribute(A, "é")),
        ('a["b"]', Index(A, Literal("b"))),
        ("a[-1]", Index(A, Negate(Literal(1)))),
        ("a[1:b]", Slice(A, Literal(1), B)),
        ("a[:]", Slice(A, None, None)),
        ("-a", Negate(A)),
        ("not a", Not(A)),
        ("a + b * c", Binary("+", A, Binary("*", B, C))),
        ("a // b % c", Binary("%", Binary("//", A, B), C)),
        ("a and b and c", Logic("and", (A, B, C))),
        ("a or b and c", Logic("or", (A, Logic("and", (B, C))))),
        ("a < b <= c", Compare(A, (("<", B), ("<=", C)))),
        ("a not in b", Compare(A, (("not in", B),))),
        ("a if b else c", Conditional(B, A, C)),
        ("[a, b]", ListDisplay((A, B))),
        ('{"x": a, b: c}', ObjectDisplay(((Literal("x"), A), (B, C)))),
        ("[a for a in b if c]", Comprehension(A, (Generator(("a",), B, (C,)),))),
        ("{a: b for a, b in c}", Comprehension(B, (Generator(("a", "b"), C, ()),), A)),
        ("len(a)", Call("len", (A,))),
        ("a.upper()", MethodCall(A, "upper", ())),
        ("f'x{a}y{{}}'", Text(("x", A, "y{}"))),
        ("f\"{a['k']}{b}\"", Text((Index(A, Literal("k")), B))),
        ("f''", Text(())),
        ("(\n a\n +\n b\n)", Binary("+", A, B)),
        ("a.true", Attribute(A, "true")),
    ],
)
def test_the_text_of_an_expression_becomes_its_tree(source: str, tree: Tree) -> None:
    assert parse(source) == tree


@pytest.mark.parametrize(
    ("source", "code", "at", "remedy"),
    [
        ("a ** b", "AF201", "a ** b", "pow(a, b)"),
        ("a @ b", "AF201", "a @ b", "function"),
        ("a << 2", "AF201", "a << 2", "pow(2, n)"),
        ("a | b", "AF201", "a | b", "merge"),
        ("a & b", "AF201", "a & b", "and"),
        ("~a", "AF201", "~a", "not"),
        ("+a", "AF201", "+a", "leave it out"),
        ("a is None", "AF201", "a is None", "=="),
        ("a is not b", "AF201", "a is not b", "!="),
        ("lambda x: x", "AF201", "lambda x: x", "comprehension"),
        ("(x := 3)", "AF201", "x := 3", "set"),
        ("[*a, b]", "AF201", "*a", "+"),
        ("{**a}", "AF201", "a", "merge"),
        ("{a, b}", "AF201", "{a, b}", "list"),
        ("{x for x in a}", "AF201", "{x for x in a}", "unique"),
        ("any(x for x in a)", "AF201", "(x for x in a)", "brackets"),
        ("(a, b)", "AF201", "(a, b)", "[a, b]"),
        ("a[1, 2]", "AF201", "1, 2", "[a, b]"),
        ("a[::2]", "AF201", "a[::2]", "reversed"),
        ("b'x'", "AF200", "b'", "without it"),
        ("r'x'", "AF200", "r'", "without it"),
        ("2j", "AF201", "2j", "real"),
        ("...", "AF201", "...", "value"),
        ("(await a)", "AF201", "await a", "call"),
        ("(yield a)", "AF201", "yield a", "function"),
        ("a(1)(2)", "AF201", "a(1)", "call"),
        ("round(x=1)", "AF201", "1", "round(x, [digits])"),
        ("f'{a!r}'", "AF200", "!", "fixed"),
        ("f'{a:.2f}'", "AF200", ":", "fixed"),
        ("'a' 'b'", "AF200", "'", "+"),
        ("['a' f'b']", "AF200", "f'", "comma"),
        ("a # why", "AF200", "# why", ""),
        ("'''a'''", "AF200", "'''", "one quote"),
        ("'a\nb'", "AF200", "'a", r"\n"),
        ("'abc", "AF200", "'", "closing"),
        (r"'\d'", "AF200", r"\d", "backslash"),
        (r"f'\d{a}'", "AF200", r"\d", "backslash"),
        (r"'\777'", "AF200", r"\7", r"\x"),
        ("{'a': 1, 'a': 2}", "AF200", "'a'", ""),
        ("1if a else 2", "AF200", "1if", "blank"),
        ("[0xfor x]", "AF200", "0xfor", "blank"),
        (r"'\ud800'", "AF200", r"'\ud800'", "U0001F600"),
        ("[x for x in a for x in b]", "AF200", "x", "another name"),
        ("[true for true in a]", "AF200", "true", "another name"),
        ("[x for x.y in a]", "AF201", "x.y", "name"),
        ("[1 for x in a for y in b for z in c]", "AF201", None, "set"),
        ("a.ﬁ", "AF201", "a.ﬁ", '["…"]'),
        ("lenn(a)", "AF202", "lenn", "`len`"),
        ("charge(a)", "AF202", "charge", "`call` step"),
        ("__import__('os')", "AF202", "__import__", "`call` step"),
        ("bool(a)", "AF202", "bool", "x != 0"),
        ("a.uper()", "AF203", "a.uper", "`upper`"),
        ("a.append(1)", "AF203", "a.append", "xs + [x]"),
        ("a.__class__()", "AF203", "a.__class__", "functions.md"),
        ("len()", "AF208", "len()", "len(x)"),
        ("len(a, b)", "AF208", "len(a, b)", "len(x)"),
        ("a.replace('b')", "AF208", "a.replace('b')", "replace(old, new)"),
        ("9007199254740992", "AF207", "9007199254740992", "text"),
        ("1e999", "AF207", "1e999", ""),
        ("a.from", "AF200", "from", '["from"]'),
        ("a && b", "AF200", "&", "and"),
        ("a || b", "AF200", "|", "or"),
        ("!a", "AF200", "!", "not"),
        ("a ? b : c", "AF200", "?", "if"),
        ("a = b", "AF200", "=", "=="),
        ("$.a", "AF200", "$", "$"),
        ("a ?? b", "AF200", "?", "coalesce"),
        ("a b", "AF200", "b", ""),
        ("(a", "AF200", "(", ""),
        ("a)", "AF200", ")", ""),
        ("é + )", "AF200", ")", ""),
        ("a\x00b", "AF200", None, ""),
        ("a; b", "AF200", ";", ""),
        ("import os", "AF200", "import", ""),
    ],
)
def test_what_is_no_expression_is_refused_at_its_place_with_a_remedy(
    source: str, code: str, at: str | None, remedy: str
) -> None:
    diagnostic = mistake(source)
    assert diagnostic.code == code
    assert remedy in diagnostic.help
    if at is not None:
        assert marked(source, diagnostic) == at


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("1 + " * 600 + "1", id="long"),
        pytest.param("-" * 100_000 + "1", id="100,000 signs"),
        pytest.param("-" * 1_900 + "1", id="1,900 signs"),
        pytest.param("not " * 450 + "a", id="450 nots"),
        pytest.param("[" * 90 + "]" * 90, id="90 brackets"),
        pytest.param("a" + ".b" * 900, id="900 keys deep"),
        pytest.param("a" + "[0]" * 600, id="600 indexes deep"),
        pytest.param("[" + "1," * 900 + "]", id="900 items"),
        pytest.param("a if b else " * 100 + "c", id="100 conditionals"),
        pytest.param("f'{" * 45 + "1", id="f-strings"),
    ],
)
def test_an_expression_beyond_the_limits_is_refused(source: str) -> None:
    assert mistake(source).code in {"AF204", "AF200"}


def test_what_is_parsed_meanwhile_does_no_harm() -> None:
    """As by another thread: here the collector of cycles parses, the first time it may."""

    def meanwhile(_phase: str, info: dict[str, int]) -> None:
        asked_by = sys._getframe(1).f_code.co_filename  # who is interrupted
        if asked_by == ast.__file__:
            gc.callbacks.remove(meanwhile)
            ast.parse("1")

    often = gc.get_threshold()
    gc.callbacks.append(meanwhile)
    gc.set_threshold(20)
    try:
        assert evaluate("len([" + "1," * 300 + "])") == 300
        assert meanwhile not in gc.callbacks
    finally:
        gc.set_threshold(*often)
        if meanwhile in gc.callbacks:
            gc.callbacks.remove(meanwhile)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("(" * 250 + "1" + ")" * 250, id="250 parentheses"),
        pytest.param("9" * 1_999, id="1,999 digits"),
        pytest.param("0x" + "f" * 1_900, id="hexadecimal digits"),
        pytest.param("\ud800", id="half a surrogate pair"),
        pytest.param("'\udfff'", id="half a surrogate pair in a text"),
        pytest.param("\\", id="a backslash"),
        pytest.param("f'{'", id="an open brace in an f-string"),
        pytest.param("f'}'", id="a closing brace in an f-string"),
        pytest.param("f'{}'", id="an empty brace in an f-string"),
        pytest.param(r"f'\N{BULLET}'", id="a named character in an f-string"),
        pytest.param("f'{a = }'", id="a debugging f-string"),
        pytest.param("f'{a[\"b\"]!s}'", id="a conversion"),
        pytest.param('f"{a["b"]}"', id="the same quotes inside an f-string"),
        pytest.param("1if 1else 2", id="numbers that run into words"),
    ],
)
def test_hostile_text_is_one_clear_mistake(source: str) -> None:
    diagnostic = mistake(source)
    assert diagnostic.code.startswith("AF2")
    assert "Traceback" not in diagnostic.message


def test_forty_levels_are_read() -> None:
    assert parse("[" * 40 + "]" * 40)


def test_offsets_are_counted_in_characters_not_in_bytes() -> None:
    source = 'é.ü + f"ö{ä.x}" + 1'
    tree = read(source).tree
    texts = []
    pending = [tree]
    while pending:
        node = pending.pop()
        texts.append(source[node.start : node.end])
        pending.extend(children(node))
    assert set(texts) == {source, 'é.ü + f"ö{ä.x}"', "é.ü", "é", 'f"ö{ä.x}"', "ä.x", "ä", "1"}


def test_literals_of_different_types_are_different_trees() -> None:
    assert len({Literal(1), Literal(1.0), Literal(True)}) == 3
