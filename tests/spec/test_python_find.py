"""How a workflow in Python is named, and how it is loaded, kept and run."""

from __future__ import annotations

import linecache
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import agentflow
from agentflow.errors import SpecError
from agentflow.spec import load
from tests.spec.python_flows import HEAD, project

SOURCE = HEAD + textwrap.dedent("""
    @workflow
    def flow(n: int) -> int:
        return double(inner(n))

    def no_workflow(): ...
""")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project(tmp_path))
    (tmp_path / "flows.py").write_text(SOURCE)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("from .deep import only as renamed\n")
    (tmp_path / "package" / "deep.py").write_text(
        "from agentflow import workflow\nfrom ..functions.work import double\n"
        "from functions import work as w\n\n@workflow\ndef only(n: int) -> int:\n    return w.double(n)\n"
    )
    (tmp_path / "uses.py").write_text(
        "import agentflow as af\nfrom package import renamed\n\n"
        "@af.workflow()\ndef outer(n: int):\n    af.wait('1ms')\n    return renamed(n)\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("word", "name", "path"),
    [
        ("flows.py:flow", "flow", "flows.py:flow"),
        ("flows.py:inner", "inner-flow", "flows.py:inner"),
        ("./flows.py:flow", "flow", "./flows.py:flow"),
        ("flows:flow", "flow", "flows.py:flow"),
        ("package/deep.py", "only", "package/deep.py:only"),
        ("package.deep:only", "only", "package/deep.py:only"),
        ("uses.py", "outer", "uses.py:outer"),
    ],
)
def test_a_workflow_is_named_by_its_function(root: Path, word: str, name: str, path: str) -> None:
    loaded = load(word)

    assert (loaded.workflow.name, loaded.path, loaded.root) == (name, path, root)
    assert loaded.is_python


def test_the_workflows_it_runs_are_its_children(root: Path) -> None:
    assert list(load("flows.py:flow").children) == ["inner-flow"]
    assert list(load("uses.py").children) == ["only"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("flows.py", "has `inner` and `flow`"),
        ("flows.py:flwo", "did you mean `flow`?"),
        ("flows.py:no_workflow", "decorate a function with `@workflow`"),
        ("flows.py:Sum", "decorate a function with `@workflow`"),
        ("functions/work.py", "decorate a function with `@workflow`"),
        ("missing.py:flow", "there is no such file"),
        ("missing.module:flow", "there is no module `missing.module`"),
        ("flows:nothing", "it has `inner` and `flow`"),
        ("flows.py:", "no name follows the `:` it has `inner` and `flow`"),
        ("flows.py:Sum.flow", "`Sum.flow` names a part of `Sum`"),
        ("flows:Sum.flow", "`Sum.flow` names a part of `Sum`"),
        ("flows.py:Missing.flow", "there is no workflow `Missing.flow` in this file"),
        ("flows.py:a:b", "there is no workflow `a:b` in this file"),
        ("missing.py:Sum.flow", "there is no such file"),
        ("missing:flow.yaml", "there is no such file"),
    ],
)
def test_what_is_not_there_is_said(root: Path, word: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(word)
    [only] = caught.value.diagnostics
    assert said in f"{only.message} {only.help}"


def imported(root: Path, module: str, name: str) -> Callable[..., Any]:
    """A function of a module of the project, imported in this process."""
    sys.path.insert(0, str(root))
    try:
        namespace: dict[str, Any] = {}
        exec(f"from {module} import {name} as found", namespace)
        return namespace["found"]
    finally:
        sys.path.remove(str(root))
        for each in [
            m
            for m in sys.modules
            if m.partition(".")[0] in ("flows", "functions", "uses", "package")
        ]:
            del sys.modules[each]


@pytest.mark.slow
def test_a_function_is_loaded_and_runs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    flow = imported(root, "flows", "flow")

    assert load(flow).path == "flows.py:flow"
    assert flow(3) == 10
    assert agentflow.run(flow, {"n": 3}, executor="inline") == 10


def test_an_execution_goes_on_from_the_text_that_was_kept(root: Path) -> None:
    with agentflow.Engine(executor="inline", root=root, store="sqlite:///journal.db") as engine:
        first = engine.start("flows.py:flow", {"n": 1})
        assert first.result(30) == 6
        (root / "flows.py").unlink()
        record = engine.journal.execution(first.id)
        from agentflow.runtime.catalog import restored

        again = restored(engine.journal, record.digest, root)
    assert again.workflow.digest == record.digest
    assert again.workflow.do.steps[0].span.file == "flows.py"
    assert again.text.startswith("workflow: flow\n")


def made(source: str, name: str = "found", file: str = "<string>") -> Callable[..., Any]:
    namespace: dict[str, Any] = {"__name__": "elsewhere"}
    exec(compile(source, file, "exec"), namespace)
    return namespace[name]


NESTED = "from agentflow import workflow\ndef outer():\n    @workflow\n    def f(): ...\n    return f\nfound = outer()"
METHOD = (
    "from agentflow import workflow\nclass C:\n    @workflow\n    def f(self): ...\nfound = C().f"
)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (made("from agentflow import workflow\n@workflow\ndef found(): ..."), "agentflow.Builder"),
        (
            made("from agentflow import workflow\nfound = workflow(lambda: None)"),
            "define it with `def`",
        ),
        (made(NESTED), "inside of `outer`"),
        (made(METHOD), "no `self`"),
        (made("def found(): ..."), "decorate it"),
    ],
    ids=["no source", "lambda", "nested", "method", "not decorated"],
)
def test_a_function_that_cannot_be_compiled_says_why(
    function: Callable[..., Any], said: str
) -> None:
    with pytest.raises(SpecError) as caught:
        load(function)
    [only] = caught.value.diagnostics
    assert only.code == "AF502"
    assert said in f"{only.message} {only.help}"


def test_a_function_of_a_notebook_has_no_source_file() -> None:
    source = "from agentflow import workflow\n@workflow\ndef found(): ...\n"
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(keepends=True), "<cell>")
    with pytest.raises(SpecError, match="no source file"):
        load(made(source, file="<cell>"))


@pytest.mark.slow
def test_functions_of_the_program_that_runs_are_refused(root: Path) -> None:
    (root / "program.py").write_text(
        "import agentflow\n\ndef f(n: int): ...\n\n@agentflow.workflow\ndef flow(n: int):\n    f(n)\n\n"
        "try:\n    agentflow.load(flow)\nexcept agentflow.SpecError as error:\n    print(error, error.help)\n"
    )
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=root, capture_output=True, text=True, check=True
    )
    assert "program.py:7:5: `f` is defined in the program that is running" in done.stdout
    assert "move it to a module" in done.stdout
