from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from agentflow.errors import Fault
from agentflow.functions.context import Context
from agentflow.functions.invoke import invoke
from agentflow.functions.resolve import resolve


def test_a_function_is_imported_from_the_project_root(project: Callable[..., str]) -> None:
    root = project(resolving__good="def f(): return 7")
    assert resolve("resolving.good.f", root)() == 7
    assert sys.path[0] == root


def test_two_projects_may_have_packages_of_the_same_name(
    project: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = project(samename="def f(): return 'first'", samename2="x = 1")
    second = tmp_path_factory.mktemp("second")
    (second / "samename.py").write_text("def f(): return 'second'")
    assert resolve("samename.f", first)() == "first"
    assert resolve("samename.f", str(second))() == "second"
    assert resolve("samename.f", first)() == "first"


MODULES = {
    "lookup__text": "def count_words(text): ...\nLIMIT = 3\nmissing = None",
    "lookup__needs": "import no_such_library",
    "lookup__syntax": "def f(:\n",
    "lookup__raises": "def g():\n    raise KeyError('x')\ng()",
    "lookup__exits": "import sys\nsys.exit(3)",
}


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("count_words", "'count_words' is not an import path"),
        ("lookup.te-xt.f", "is not an import path"),
        ("lokup.text.count_words", "there is no module 'lokup' in .* (did you mean 'lookup'?)"),
        ("lookup.txt.count_words", "package lookup has no module 'txt' (did you mean 'text'?)"),
        (
            "lookup.text.count_word",
            "module lookup.text has no function 'count_word' (did you mean 'count_words'?)",
        ),
        ("lookup.text.LIMIT", "lookup.text.LIMIT is a value of type int, not a function"),
        ("lookup.needs.f", "cannot be imported: ModuleNotFoundError: No module named 'no_such"),
        ("lookup.syntax.f", "lookup.syntax cannot be imported: SyntaxError"),
        ("lookup.raises.f", "lookup.raises cannot be imported: KeyError"),
        ("lookup.exits.f", "lookup.exits cannot be imported: SystemExit"),
        ("", "is not an import path"),
        ("..f", "is not an import path"),
    ],
    ids=[
        "no module",
        "not identifiers",
        "unknown package",
        "unknown module",
        "unknown function",
        "a value",
        "a missing library",
        "a syntax error",
        "an error at import",
        "an exit at import",
        "empty",
        "dots",
    ],
)
def test_a_function_that_is_not_found_is_named(
    project: Callable[..., str], ref: str, message: str
) -> None:
    root = project(**MODULES)
    with pytest.raises(Fault) as caught:
        resolve(ref, root)
    assert caught.value.name == "FunctionNotFound"
    assert caught.value.data == {"function": ref}
    for part in message.split(".*"):
        assert part in caught.value.message


@pytest.mark.parametrize(
    ("module", "line", "code"),
    [
        ("needs", 1, "import no_such_library"),
        ("syntax", 1, "def f(:"),
        ("raises", 2, "raise KeyError('x')"),
    ],
)
def test_the_users_own_import_error_is_shown_with_its_frame(
    project: Callable[..., str], module: str, line: int, code: str
) -> None:
    root = project(**MODULES)
    outcome = invoke(f"lookup.{module}.f", root, {}, Context())
    assert outcome.error is not None
    assert outcome.trace is not None
    assert outcome.error["name"] == "FunctionNotFound"
    frame = outcome.trace[-1]
    assert (frame["file"], frame["line"], frame["code"]) == (f"lookup/{module}.py", line, code)
