"""Calls against the source of functions: nothing of the user's is imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agentflow.errors import Diagnostic, SpecError
from agentflow.spec import loads

MODULE = """
import functools
from typing import Any, Literal, Optional
from agentflow import function
from agentflow.functions import Context
from elsewhere import imported as renamed
import package.deep

raise SystemExit("this module must not be imported")


@function(name="other", retry={"max_attempts": 3})
def count(text: str, limit: int = 3, *, strict: bool) -> dict[str, int]: ...

async def fetch(url: str, context: Context | None = None) -> str: ...

def bare(context, text): ...

def anything(**options): ...

def nothing() -> None: ...

def numbers() -> list[float]: ...

def maybe() -> Optional[str]: ...

def stream(n: int):
    yield n

def outer() -> int:
    def inner():
        yield 1
    return 1

class Order: ...

def order(order: Order): ...

def two(order: Order, again: "Order"): ...

def positional(a, /, b): ...

@functools.wraps(count)
def wrapped(*args): ...

alias = functools.partial(count, strict=True)

if True:
    def conditional(x): ...
try:
    import fast
except ImportError:
    def fast(x): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "functions"
    (folder / "deep").mkdir(parents=True)
    (folder / "text.py").write_text(MODULE)
    (folder / "broken.py").write_text("x = 1\ndef f(:\n")
    (folder / "null.py").write_bytes(b"x = 1\0")
    (folder / "lazy.py").write_text("def __getattr__(name): ...\n")
    (folder / "starred.py").write_text("from .text import *\n")
    (folder / "deep" / "__init__.py").write_text("def inside(): ...\n")
    (folder / "deep" / "more.py").write_text("def below(): ...\n")
    (tmp_path / "single.py").write_text("def f(x): ...\ndef g(): ...\n")
    return tmp_path


def diagnostics(project: Path, call: str, arguments: str = "", more: str = "") -> list[Diagnostic]:
    text = f"workflow: w\ndo:\n  - id: a\n    call: {call}\n"
    text += f"    with: {{{arguments}}}\n" if arguments else ""
    try:
        loads(text + more, path="flow.yaml", root=project, functions=True)
    except SpecError as error:
        return error.diagnostics
    return []


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("functions.text.count", "text: x, strict: true"),
        ("functions.text.count", "text: x, strict: true, limit: 4"),
        ("functions.text.fetch", "url: x"),
        ("functions.text.bare", "text: x"),
        ("functions.text.anything", "a: 1, b: 2"),
        ("functions.text.nothing", ""),
        ("functions.text.order", "id: 1, total: 2"),
        ("functions.text.order", "order: {id: 1}"),
        ("functions.text.Order", "id: 1"),
        ("functions.text.positional", "a: 1, b: 2"),
        ("functions.text.wrapped", "whatever: 1"),
        ("functions.text.alias", "text: x"),
        ("functions.text.renamed", "x: 1"),
        ("functions.text.conditional", "x: 1"),
        ("functions.text.fast", "x: 1"),
        ("functions.lazy.whatever", "x: 1"),
        ("functions.starred.count", "x: 1"),
        ("functions.deep.inside", ""),
        ("functions.deep.more.below", ""),
        ("single.f", "x: 1"),
        ("json.dumps", "obj: 1"),
        ("math.sqrt", "x: 1"),
        ("os.path.join", "a: 1"),
        ("yaml.safe_load", "stream: x"),
        ("xml.etree.ElementTree.fromstring", "text: x"),
    ],
)
def test_a_right_call_is_accepted(project: Path, call: str, arguments: str) -> None:
    assert diagnostics(project, call, arguments) == []


@pytest.mark.parametrize(
    ("call", "arguments", "code", "said", "place"),
    [
        ("functions.txt.count", "", "AF401", "did you mean `text`?", (4, 11)),
        ("function.text.count", "", "AF401", "did you mean `functions`?", (4, 11)),
        ("nowhere_at_all.f", "", "AF401", "installed packages", (4, 11)),
        ("functions.deep.mor.below", "", "AF401", "did you mean `more`?", (4, 11)),
        ("functions.text.deeper.f", "", "AF401", "has no module `deeper`", (4, 11)),
        ("json.no_such", "", "AF402", "module `json`", (4, 11)),
        ("functions.text.cuont", "", "AF402", "did you mean `count`?", (4, 11)),
        ("functions.text.zzzzzzzz", "", "AF402", "it has `anything`", (4, 11)),
        ("functions.text.count", "txt: x, strict: true", "AF403", "did you mean `text`?", (5, 12)),
        ("functions.text.nothing", "a: 1", "AF403", "no arguments", (5, 12)),
        ("functions.text.numbers", "abc: 1", "AF403", "`numbers` takes no `abc`", (5, 12)),
        ("functions.text.count", "text: x", "AF404", "needs `strict`", (4, 11)),
        ("functions.text.count", "", "AF404", "needs `text` and `strict`", (4, 11)),
        ("functions.text.fetch", "url: x, context: 1", "AF403", "takes no `context`", (5, 20)),
        ("functions.text.two", "a: 1, order: 1, again: 2", "AF403", "`order` and `again`", (5, 12)),
    ],
)
def test_a_wrong_call_is_reported_at_its_place(
    project: Path, call: str, arguments: str, code: str, said: str, place: tuple[int, int]
) -> None:
    [found] = diagnostics(project, call, arguments)

    assert found.code == code
    assert said in f"{found.message} {found.help}"
    assert (found.span.line, found.span.column) == place


def test_a_module_that_does_not_parse_is_reported_in_the_python_file(project: Path) -> None:
    with pytest.raises(SpecError) as caught:
        loads("workflow: w\ndo: [{id: a, call: functions.broken.f}]", root=project, functions=True)

    [found] = caught.value.diagnostics
    assert (found.code, found.span.file, found.span.line) == ("AF405", "functions/broken.py", 2)
    assert "def f(:" in caught.value.sources["functions/broken.py"]


def test_a_module_with_null_bytes_does_not_parse_either(project: Path) -> None:
    assert [d.code for d in diagnostics(project, "functions.null.f")] == ["AF405"]


def test_no_user_code_is_imported(project: Path) -> None:
    assert diagnostics(project, "functions.text.nothing") == []

    loaded = [str(getattr(module, "__file__", "")) for module in list(sys.modules.values())]
    assert not [file for file in loaded if file.startswith(str(project))]


@pytest.mark.parametrize(
    ("call", "expression", "code"),
    [
        ("functions.text.count", "a + 1", "AF221"),
        ("functions.text.numbers", "a[0].name", "AF224"),
        ("functions.text.numbers", "a[0] + 1", None),
        ("functions.text.maybe", "a + 1", "AF221"),
        ("functions.text.maybe", "a.upper()", None),
        ("functions.text.outer", "a.upper()", "AF223"),
        ("functions.text.stream", "a.upper()", None),
        ("functions.text.order", "a.upper()", None),
    ],
)
def test_the_type_of_a_result_comes_from_its_annotation(
    project: Path, call: str, expression: str, code: str | None
) -> None:
    arguments = {"count": "text: x, strict: true", "stream": "n: 1", "order": "id: 1"}
    given = arguments.get(call.rpartition(".")[2], "")
    found = diagnostics(project, call, given, f"  - id: b\n    return: ${{ {expression} }}\n")

    assert [d.code for d in found] == ([code] if code else []), found


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("{id: a, map: [1], call: functions.text.count, with: {text: x, strict: true, no: 1}}", "no `no`"),
        ("{id: a, map: [1], call: functions.text.nothing, reduce: {call: functions.text.nothing}}", "no `items`"),
        (
            "{id: a, saga: {do: [{id: b, call: single.g, compensate: {call: single.g, with: {x: 1}}}]}}",
            "no `x`",
        ),
        ("{id: a, pipeline: {from: {call: single.f}, stages: [{id: s, call: single.g}]}}", "needs `x`"),
        ("{id: a, pipeline: {from: [1], stages: [{id: s, call: functions.text.nothing}], reduce: {call: functions.text.nothing}}}", "no `items`"),
        ("{id: a, pipeline: {from: [1], stages: [{id: s, call: functions.text.nothing, with: {y: 1}}]}}", "no `y`"),
    ],
)  # fmt: skip
def test_calls_are_compared_wherever_they_stand(project: Path, steps: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        loads(f"workflow: w\ndo: [{steps}]", root=project, functions=True)

    [found] = caught.value.diagnostics
    assert said in found.message


def test_short_names_stand_for_functions_and_modules(project: Path) -> None:
    text = (
        "workflow: w\nfunctions: {count: functions.text.nothing, t: functions.text}\n"
        "do: [{id: a, call: count}, {id: b, call: t.nothing}]"
    )
    workflow = loads(text, root=project, functions=True).workflow

    assert [step.action.function for step in workflow.do.steps] == ["functions.text.nothing"] * 2  # type: ignore[union-attr]


def test_names_as_long_as_a_file_cannot_be_are_not_found(project: Path) -> None:
    assert [d.code for d in diagnostics(project, "a" * 500 + ".f")] == ["AF401"]
    assert [d.code for d in diagnostics(project, "functions." + "a" * 500 + ".f")] == ["AF401"]
