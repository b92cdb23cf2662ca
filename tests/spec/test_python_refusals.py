"""What has no meaning in a workflow is refused at its place, with the reason and the remedy."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

from agentflow.errors import Diagnostic, SpecError
from agentflow.spec import render
from tests.spec.python_flows import HEAD, compiled

FLOW = "@workflow\ndef flow(n: int, xs: list[int], o: dict = {}):\n"

SAID_IN_THE_MESSAGE = {"AF126", "AF131"}
"""Mistakes in a value: the message says what it may be, so there is no help."""


class Row(NamedTuple):
    """The body of a function, `«` before the mistake; the code, and words of message or help."""

    id: str
    body: str
    code: str
    said: str


STATEMENTS = [
    Row("nested function", "«def f(): ...", "AF501", "top of the module"),
    Row("nested coroutine", "«async def f(): ...", "AF501", "top of the module"),
    Row("nested class", "«class C: ...", "AF501", "top of the module"),
    Row("import", "«import os", "AF501", "top of the module"),
    Row("import from", "«from os import path", "AF501", "top of the module"),
    Row("del", "«del n", "AF501", "leave it out"),
    Row("global", "«global LIMIT", "AF501", "share nothing"),
    Row("assert", "«assert n", "AF501", "raise Fault"),
    Row("match", "«match n:\n    case 1: pass", "AF501", "`if` and `elif`"),
    Row("break", "for x in xs:\n    «break", "AF501", "`while`"),
    Row("continue", "for x in xs:\n    «continue", "AF501", "under an `if`"),
    Row("with", "«with open('f') as f:\n    pass", "AF501", "with saga()"),
    Row("saga with a name", "«with saga() as s:\n    pass", "AF501", "with saga()"),
    Row("else of a loop", "for x in xs:\n    pass\nelse:\n    «double(n)", "AF501", "after the loop"),
    Row("else of a while", "while n > 1:\n    pass\nelse:\n    «double(n)", "AF501", "after the loop"),
    Row("else of a try", "try:\n    pass\nexcept ValueError:\n    pass\nelse:\n    «double(n)", "AF501", "end of the `try`"),
    Row("except star", "«try:\n    pass\nexcept* ValueError:\n    pass", "AF501", "`except`"),
    Row("several names", "«a, b = double(n)", "AF501", "take it apart"),
    Row("items of unknown length", "for «a, b in xs:\n    pass", "AF501", "`a = pair[0]`"),
    Row("change of an object", "«o['k'] = n", "AF501", "{**d, key: value}"),
    Row("change of an attribute", "«o.k = n", "AF501", "values never change"),
    Row("chained assignment", "«a = b = n", "AF501", "not part of workflows"),
    Row("operator of assignment", "k = n\n«k **= 2", "AF501", "write the assignment out"),
    Row("expression alone", "«n + 1", "AF501", "does nothing"),
    Row("return in finally", "try:\n    double(n)\nfinally:\n    «return n", "AF501", "hide the error"),
]  # fmt: skip

EXPRESSIONS = [
    Row("lambda", "k = «lambda x: x", "AF201", "comprehension"),
    Row("await", "k = «await double(n)", "AF201", "waits for its function"),
    Row("yield", "«yield n", "AF201", "make it a function"),
    Row("walrus", "k = («j := n)", "AF201", "`:=`"),
    Row("tuple", "k = «(n, n)", "AF201", "write a list"),
    Row("set", "k = «{n}", "AF201", "a set"),
    Row("star", "k = [«*xs]", "AF201", "join lists"),
    Row("power", "k = «n ** 2", "AF201", "pow(a, b)"),
    Row("is", "k = «n is None", "AF201", "`==`"),
    Row("format", "k = «f'{n:.2f}'", "AF201", "round"),
    Row("bytes", "k = «b'x'", "AF201", "bytes"),
    Row("step of a slice", "k = «xs[::2]", "AF201", "reversed"),
    Row("argument by name", "k = sorted(xs, «reverse=True)", "AF201", "by position"),
    Row("too many arguments", "k = «len(xs, n)", "AF208", "it is `len"),
    Row("large integer", "k = «9007199254740992", "AF207", "largest"),
    Row("method of Python", "k = «o.update(o)", "AF203", "values never change"),
    Row("append", "«xs.append(n)", "AF203", "xs + [x]"),
    Row("builtin", "k = «isinstance(n, int)", "AF504", "type(x)"),
    Row("print", "«print(n)", "AF504", "log from a function"),
    Row("function of expressions only", "k = «unique(xs)", "AF504", "import it by its name"),
    Row("undefined function", "k = «doubel(n)", "AF504", "import it by its name"),
    Row("undefined name", "k = «nn", "AF301", "did you mean `n`?"),
    Row("function as a value", "k = «own", "AF501", "not a value"),
    Row("imported value", "k = «double", "AF501", "as a parameter"),
    Row("value with the name of a function", "len = 1\nk = «len(xs)", "AF201", "make it a function"),
    Row("item with the name of a function", "k = [«double(x) for double in xs]", "AF201", "make it a function"),
    Row("deep", "k = «" + "n + " * 60 + "n", "AF204", "make it a function"),
    Row("builtin as a value", "k = «len", "AF501", "not a value"),
    Row("constant bound twice", "k = «TWICE", "AF501", "more than once"),
    Row("reserved name", "«null = 1", "AF127", "another name"),
    Row("reserved item", "k = [input for «input in xs]", "AF127", "another name"),
    Row("name with letters", "«größe = 1", "AF127", "letters"),
    Row("sure mistake", "k = «n + 'a'", "AF221", "str(input.n)"),
    Row("not a boolean", "if «n:\n    pass", "AF222", "!= 0"),
]  # fmt: skip

CALLS = [
    Row("class", "«Sum()", "AF504", "make it a function"),
    Row("class as a value", "k = «Sum", "AF501", "as a parameter"),
    Row("value", "k = «xs[0](n)", "AF201", "make it a function"),
    Row("star in a call", "double(«*xs)", "AF501", "without `*`"),
    Row("two stars in a call", "double(**«o)", "AF501", "without `**`"),
    Row("too many by position", "double(1, «2)", "AF504", "takes 1 argument"),
    Row("given twice", "add(1, a=«2)", "AF504", "given twice"),
    Row("unknown argument", "double(n=1, «m=2)", "AF403", "takes no `m`"),
    Row("missing argument", "«double()", "AF404", "needs `n`"),
    Row("missing function", "«work.halve(n=n)", "AF402", "no function `halve`"),
    Row("missing input of a child", "«inner(m=1)", "AF414", "needs `n`"),
    Row("sometimes", "k = n if n > 1 else «double(n)", "AF503", "bind its result"),
    Row("after and", "k = n > 1 and «double(n) > 1", "AF503", "bind its result"),
    Row("in a condition of a comprehension", "k = [x for x in xs if «double(x) > 1]", "AF503", "bind its result"),
    Row("in an object", "k = {x: «double(x) for x in xs}", "AF503", "many times"),
    Row("in the condition of a loop", "while «double(n) > 1:\n    pass", "AF503", "end of its block"),
    Row("several lists", "k = «[add(a, b) for a in xs for b in xs]", "AF501", "make the pairs"),
    Row("a target that is no name", "k = [add(a) for «a, b in xs]", "AF501", "only names"),
    Row("itself", "«flow(n, xs)", "AF412", "never end"),
]  # fmt: skip

HELPERS = [
    Row("no helper", "«work.step(n=n)", "AF402", "no function `step`"),
    Row("unknown option", "wait(1, «hours=2)", "AF505", "takes no `hours`"),
    Row("misspelt option", "approve('?', «fromm={})", "AF505", "did you mean `form`?"),
    Row("too many values", "wait(1, «2)", "AF505", "`duration` by position"),
    Row("no value", "«wait()", "AF505", "needs its duration"),
    Row("not a duration", "wait(«'soon')", "AF125", "duration"),
    Row("not literal", "approve('?', form=«o)", "AF505", "literal"),
    Row("not a schema", "approve('?', form={'type': «'what'})", "AF131", "what"),
    Row("name of a message", "listen(«n)", "AF505", "literal"),
    Row("parallel both ways", "k = «parallel(double(1), a=double(2))", "AF505", "all by name or none"),
    Row("parallel of nothing", "k = «parallel()", "AF505", "takes calls"),
    Row("step of no call", "k = step(«n)", "AF505", "about a call"),
    Row("options of a step", "step(double(n), retry={«'max': 2})", "AF120", "max_attempts"),
    Row("value of an option", "step(double(n), timeout=«'soon')", "AF125", "30s"),
    Row("gather of no map", "k = gather(«xs)", "AF505", "comprehension over a call"),
    Row("batch of steps", "k = gather([double(double(x)) for x in xs], batch=«4)", "AF129", "needs a `call`"),
    Row("reduce with no function", "k = gather([double(x) for x in xs], reduce=«sum)", "AF504", "is a function"),
    Row("arity alone", "k = gather([double(x) for x in xs], arity=«4)", "AF505", "for `reduce`"),
    Row("taken id", "double(n)\nstep(add(n), id=«'double')", "AF505", "taken"),
    Row("compensate outside", "double(n)\n«compensate(undo, n=n)", "AF505", "outside of a saga"),
    Row("compensate of nothing", "with saga():\n    «compensate(undo, n=n)", "AF505", "right after the call"),
    Row("compensate of a value", "with saga():\n    k = n\n    «compensate(undo, n=k)", "AF505", "right after the call"),
    Row("compensate with a call", "with saga():\n    double(n)\n    «compensate(undo, n=double(n))", "AF503", "bind its result"),
    Row("compensate without function", "with saga():\n    double(n)\n    «compensate()", "AF505", "needs the function"),
    Row("saga as a value", "k = «saga()", "AF505", "with saga()"),
]  # fmt: skip

NAMES = [
    Row("bound in one branch", "if n > 1:\n    k = 1\nreturn «k", "AF506", "on every way"),
    Row("bound in a loop", "for x in xs:\n    k = x\nreturn «k", "AF506", "or before"),
    Row("bound in a try", "try:\n    k = double(n)\nexcept ValueError:\n    pass\nreturn «k", "AF506", "on every way"),
    Row("bound later", "j = «k\nk = 1", "AF506", "`k` may not be bound"),
    Row("item after its loop", "for x in xs:\n    pass\nreturn «x", "AF506", "`x` may not"),
    Row("itself", "k = «k + 1", "AF506", "`k` may not"),
    Row("exception as a value", "try:\n    double(n)\nexcept ValueError as e:\n    add(n, «e)", "AF501", "str(e)"),
    Row("field of an exception", "try:\n    double(n)\nexcept ValueError as e:\n    add(n, «e.args)", "AF501", "its message"),
    Row("exception as a variable", "e = 1\ntry:\n    double(n)\n«except ValueError as e:\n    pass\nreturn 1", "AF501", "name of its own"),
    Row("unknown exception", "try:\n    double(n)\nexcept «o['e']:\n    pass", "AF504", "built-in exception"),
    Row("Fault is no name", "try:\n    double(n)\nexcept «Fault:\n    pass", "AF501", "except Exception"),
    Row("raise without a handler", "«raise", "AF501", "raise one"),
    Row("raise with more than a message", "raise «ValueError('a', n)", "AF501", "data={…}"),
    Row("raise of a class with its own text", "raise «Own(n)", "AF501", "its own message"),
    Row("raise of KeyError", "raise «KeyError('k')", "AF501", "LookupError"),
    Row("raise of a value", "raise «o['e']", "AF504", "built-in exception"),
    Row("a Fault without a message", "raise «Fault('A')", "AF501", "a message"),
    Row("cause that is not at hand", "raise ValueError('a') from «o", "AF501", "leave `from …` out"),
    Row("unreachable", "return n\n«double(n)", "AF308", "never run"),
]  # fmt: skip

ROWS = [*STATEMENTS, *EXPRESSIONS, *CALLS, *HELPERS, *NAMES]


def mistakes(root: Path, source: str) -> tuple[SpecError, list[Diagnostic]]:
    with pytest.raises(SpecError) as caught:
        compiled(root, source)
    return caught.value, caught.value.diagnostics


def place(source: str) -> tuple[str, int, int]:
    """A source without its mark, and the line and column of the mark in the whole file."""
    before, _, after = (HEAD + source).partition("«")
    line = before.count("\n") + 1
    return (before + after).removeprefix(HEAD), line, len(before) - before.rfind("\n")


def assert_refused(root: Path, row: Row, source: str) -> None:
    """Check that a source has one mistake: the row's, at the mark."""
    unmarked, line, column = place(source)
    error, found = mistakes(root, unmarked)
    shown = render(found, error.sources)
    assert len(found) == 1, shown
    [only] = found
    assert only.code == row.code, shown
    assert row.said in f"{only.message} {only.help}", shown
    if "«" in source:
        assert (only.span.line, only.span.column) == (line, column), shown
    assert only.help or only.code in SAID_IN_THE_MESSAGE, shown


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id.replace(" ", "-"))
def test_what_has_no_meaning_is_refused_at_its_place(row: Row, tmp_path: Path) -> None:
    assert_refused(tmp_path, row, FLOW + textwrap.indent(row.body, "    ") + "\n")


HEADS = [
    Row("coroutine", "@workflow\nasync def «flow(): ...", "AF501", "remove `async`"),
    Row("positional rest", "@workflow\ndef flow(*«xs): ...", "AF501", "name the parameters"),
    Row("named rest", "@workflow\ndef flow(**«xs): ...", "AF501", "name the parameters"),
    Row("context", "@workflow\ndef flow(«context): ...", "AF501", "no context"),
    Row("other decorator", "import functools\n@workflow\n@«functools.cache\ndef flow(): ...", "AF501", "alone"),
    Row("unknown option", "@workflow(«naem='x')\ndef flow(): ...", "AF505", "did you mean `name`?"),
    Row("option that is computed", "@workflow(version=«str(1))\ndef flow(): ...", "AF505", "literal"),
    Row("wrong name", "@workflow(name=«'a b')\ndef flow(): ...", "AF127", "`a-b`"),
    Row("wrong timeout", "@workflow(timeout=«'soon')\ndef flow(): ...", "AF125", "30s"),
    Row("wrong retry", "@workflow(retry={'max_attempts': «0})\ndef flow(): ...", "AF126", "at least 1"),
    Row("default that is computed", "@workflow\ndef flow(n=«len('x')): ...", "AF505", "literal"),
    Row("syntax", "@workflow\ndef flow(«:\n", "AF405", "correct the Python source"),
    Row("two of a name", "@workflow(name='inner-flow')\ndef other(): ...\n@workflow\ndef flow():\n    inner(1)\n    «other()", "AF413", "rename one"),
]  # fmt: skip


@pytest.mark.parametrize("row", HEADS, ids=lambda row: row.id.replace(" ", "-"))
def test_the_head_of_a_function_is_checked(row: Row, tmp_path: Path) -> None:
    assert_refused(tmp_path, row, row.body)


def test_all_mistakes_are_found_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    source = FLOW + textwrap.indent(
        "k = lambda x: x\nj = double(m=1)\nfor x in xs:\n    break\nreturn [k, j, nothing]\n",
        "    ",
    )

    _, found = mistakes(tmp_path, source)

    codes = [diagnostic.code for diagnostic in found]
    assert codes == ["AF201", "AF404", "AF403", "AF501", "AF301"]


def test_a_function_whose_spec_could_not_be_read_again_is_refused(tmp_path: Path) -> None:
    nested = "".join(f"{'  ' * depth}if n > 1:\n" for depth in range(1, 40)) + "  " * 40 + "pass\n"

    _, [only] = mistakes(tmp_path, "@workflow\ndef flow(n: int):\n" + nested)

    assert (only.code, only.span.column) == ("AF104", 5)
    assert "nested deeper than 64 levels" in only.message


def test_a_refusal_shows_the_line(tmp_path: Path) -> None:
    error, found = mistakes(tmp_path, FLOW + "    k = lambda x: x\n")
    number = HEAD.count("\n") + 3

    assert render(found, error.sources).replace(str(tmp_path), "…") == textwrap.dedent(f"""\
        error[AF201]: `lambda` is not part of expressions
          --> …/flows.py:{number}:9
           |
        {number - 1} | def flow(n: int, xs: list[int], o: dict = {{}}):
        {number} |     k = lambda x: x
           |         ^^^^^^^^^^^
           |
           = help: write a comprehension, [f(x) for x in xs], or make it a function""")
