"""Agents in specs: what is read, checked and drawn, without running any of their code."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentflow.errors import SpecError
from agentflow.functions.agents import AgentOptions, agent
from agentflow.spec.agents import Agents
from agentflow.spec.graph import mermaid
from agentflow.spec.load import Loaded, loads
from agentflow.spec.model import Call

SOURCE = '''
from agentflow import Context, agent
import agentflow as af

raise SystemExit("never imported")

@agent(name="researcher", capabilities=["search", "cite"], max_concurrency=4, idle_timeout="2m")
class Researcher:
    """Finds things.

    And more.
    """

    async def ask(self, question: str, limit: int = 3) -> dict[str, int]: ...
    def forget(self, context: Context) -> None: ...
    def _private(self): ...
    @property
    def size(self) -> int: ...
    @staticmethod
    def version() -> str: ...

@af.agent
class Clerk:
    def run(self, n: int) -> list[int]: ...
    def other(self): ...

@agent(name="heir")
class Heir(Researcher):
    def ask(self, question: str) -> str: ...

@agent(name="twin")
class One: ...

@agent(name="twin")
class Two: ...

NAME = "x"

@agent(name=NAME)
class Computed: ...

@agent(name="lonely")
class Lonely:
    def run(self): ...
    def snapshot(self): ...

@agent(name="crowd", max_concurrency=1000)
class Crowd: ...

class NoAgent:
    def run(self): ...
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "agentflow.toml").touch()
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "desk.py").write_text(SOURCE)
    (tmp_path / "functions" / "broken.py").write_text("import agentflow agent(")
    for elsewhere in ("tests", "not-importable", ".hidden", "other"):
        (tmp_path / elsewhere).mkdir()
        (tmp_path / elsewhere / "desk.py").write_text(SOURCE)
    (tmp_path / "other" / "pyproject.toml").touch()
    return tmp_path


def workflow(root: Path, steps: str) -> Loaded:
    text = f"workflow: w\ninput: {{type: object, properties: {{c: {{type: string}}, n: {{type: integer}}}}}}\ndo:\n{steps}\n"
    return loads(text, root=root, functions=True)


def test_the_agents_of_a_project_are_found_in_its_source(project: Path) -> None:
    found = {each.reference: each for each in Agents(project).all()}
    assert set(found) == {
        f"functions.desk.{name}"
        for name in ("Researcher", "Clerk", "Heir", "One", "Two", "Computed", "Lonely", "Crowd")
    }
    researcher = found["functions.desk.Researcher"]
    assert researcher.options == AgentOptions(
        "researcher", ("search", "cite"), 4, 120.0, "Finds things."
    )
    assert list(researcher.methods) == ["ask", "forget", "version"]
    assert researcher.methods["ask"].signature.required == ("question",)
    assert researcher.methods["forget"].signature.parameters == ()
    assert (researcher.span.file, researcher.span.line) == ("functions/desk.py", 8)


def test_a_call_of_an_agent_is_read_with_its_key(project: Path) -> None:
    steps = """
  - {id: a, call: agent:researcher.ask, with: {question: q}, key: "c-${ input.c }"}
  - {id: b, return: "${ a.get('n', 1) + 1 }"}"""
    loaded = workflow(project, steps)
    call = loaded.workflow.do.steps[0].action
    assert isinstance(call, Call)
    assert call.function == "agent:researcher.ask"
    assert call.key is not None
    assert "call agent:researcher.ask of c-$" in mermaid(loaded.workflow)


@pytest.mark.parametrize(
    "step",
    [
        "{id: a, call: agent:Clerk, with: {n: 1}}",
        "{id: a, call: agent:researcher.version}",
        "{id: a, call: agent:heir.forget, with: {any: thing}}",
        '{id: a, map: "${ [1] }", call: agent:Clerk, with: {n: 1}, key: k}',
        '{id: a, map: "${ [1] }", call: agent:Clerk, with: {n: 1}, reduce: {call: agent:Clerk.other, with: {}, key: k}}',
        "{id: a, pipeline: {from: [1], stages: [{id: s, call: agent:Clerk, with: {n: 1}, key: k}]}}",
    ],
    ids=["run", "static", "inherited", "map", "reduce", "stage"],
)
def test_a_right_call_is_accepted(project: Path, step: str) -> None:
    workflow(project, f"  - {step}")


def test_a_short_name_may_stand_for_an_agent(project: Path) -> None:
    text = "workflow: w\nfunctions: {ask: agent:researcher.ask}\ndo: [{id: a, call: ask, with: {question: q}}]"
    call = loads(text, root=project, functions=True).workflow.do.steps[0].action
    assert isinstance(call, Call)
    assert call.function == "agent:researcher.ask"


@pytest.mark.parametrize(
    ("step", "code", "message"),
    [
        ("{id: a, call: agent:reseacher.ask}", "AF407", "no agent `reseacher`"),
        ("{id: a, call: agent:NoAgent}", "AF407", "no agent `NoAgent`"),
        ("{id: a, call: agent:twin}", "AF408", "functions/desk.py:32 and functions/desk.py:35"),
        ("{id: a, call: agent:Computed}", "AF409", "`name` is not written out"),
        ("{id: a, call: agent:lonely}", "AF409", "has `snapshot` but no `restore`"),
        ("{id: a, call: agent:crowd}", "AF409", "max_concurrency 1000"),
        ("{id: a, call: agent:researcher}", "AF410", "has several methods"),
        ("{id: a, call: agent:researcher.size}", "AF410", "has no method `size`"),
        ("{id: a, call: agent:researcher._private}", "AF410", "has no method `_private`"),
        ("{id: a, call: agent:researcher.ask, with: {questoin: q}}", "AF403", "no `questoin`"),
        ("{id: a, call: agent:researcher.ask}", "AF404", "needs `question`"),
        ("{id: a, call: 'agent:'}", "AF406", "names no agent"),
        ("{id: a, call: agent:x.y.z}", "AF406", "names no agent"),
        ("{id: a, call: agent:Clerk, with: {n: 1}, key: 5}", "AF122", "`key` is text"),
        ("{id: a, call: agent:Clerk, with: {n: 1}, key: ''}", "AF122", "`key` is text"),
        ('{id: a, call: agent:Clerk, with: {n: 1}, key: "${ input.n }"}', "AF122", "`key` is text"),
        ('{id: a, call: agent:Clerk, with: {n: 1}, key: "${ nope }"}', "AF301", "`nope`"),
        ("{id: a, call: builtins.len, key: k}", "AF129", "this calls a function"),
        ("{id: a, map: '${ [1] }', call: agent:Clerk, with: {n: 1}, batch: 2}", "AF129", "`batch`"),
        ("{id: a, call: agent:Clerk, with: {n: 1}, resources: {num_cpus: 1}}", "AF129", "`resources`"),
        ("{id: a, pipeline: {from: {call: agent:Clerk, with: {n: 1}}, stages: [{id: s, call: agent:Clerk, with: {n: 1}}]}}", "AF129", "no source of items"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_found_before_it_runs(
    project: Path, step: str, code: str, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        workflow(project, f"  - {step}")
    said = [(each.code, each.message) for each in caught.value.diagnostics]
    assert any(code == each and message in text for each, text in said), said


@pytest.mark.parametrize(
    ("call", "label"),
    [
        ("agent:twin", "which of them?"),
        ("agent:researcher", "which of them?"),
        ("agent:nobody", "not found"),
        ("agent:researcher.size", "not found"),
    ],
)
def test_the_caret_tells_what_is_missing_from_what_is_not_clear(
    project: Path, call: str, label: str
) -> None:
    with pytest.raises(SpecError) as caught:
        workflow(project, f"  - {{id: a, call: {call}}}")
    assert [each.label for each in caught.value.diagnostics] == [label]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a b"}, "name 'a b' is no name"),
        ({"capabilities": "search"}, "capabilities is a list of texts"),
        ({"max_concurrency": 0}, "max_concurrency 0 is no number from 1 to 64"),
        ({"idle_timeout": "soon"}, "idle_timeout 'soon' is not a duration"),
        ({"idle_timeout": 0}, "idle_timeout 0 is not a duration above zero"),
    ],
)
def test_the_decorator_refuses_what_is_no_option(options: dict[str, object], message: str) -> None:
    from agentflow.errors import UsageError

    with pytest.raises(UsageError, match=message):
        agent(**options)(type("Desk", (), {}))  # type: ignore[call-overload]  # that is the point


def test_the_decorator_gives_the_class_back() -> None:
    class Desk:
        def run(self) -> int:
            return 1

    assert agent(Desk) is Desk
    assert agent(name="desk")(Desk)().run() == 1
