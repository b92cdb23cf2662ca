"""`agentflow agents`, without running any agent's code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentflow.cli.dispatch import dispatch

SOURCE = '''
from agentflow import agent

raise SystemExit("never imported")

@agent(name="clerk", capabilities=["credit", "limits"], max_concurrency=2)
class Clerk:
    """Grants orders."""
    def decide(self, order: str, cents: int = 0) -> dict[str, bool]: ...
    def snapshot(self): ...
    def restore(self, state): ...

@agent(name="odd", idle_timeout="soon")
class Odd:
    def run(self): ...
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "agentflow.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_agents_are_listed_with_what_they_can_do_and_where_they_are(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "desk.py").write_text(SOURCE)
    assert dispatch(["agents"]) == 0
    said = capsys.readouterr()
    assert [line.split() for line in said.out.splitlines()] == [
        ["NAME", "CAPABILITIES", "CALLS", "WHERE"],
        ["clerk", "credit,", "limits", "decide(order,", "cents)", "desk.py:7"],
        ["odd", "run()", "desk.py:14"],
    ]
    assert "desk.py:14:1: @agent: idle_timeout 'soon' is not a duration" in said.err


def test_as_json_each_has_schemas_of_what_it_takes_and_gives(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "desk.py").write_text(SOURCE)
    assert dispatch(["agents", "--json"]) == 0
    clerk = json.loads(capsys.readouterr().out)["agents"][0]
    assert clerk == {
        "name": "clerk",
        "description": "Grants orders.",
        "capabilities": ["credit", "limits"],
        "class": "desk.Clerk",
        "file": "desk.py",
        "line": 7,
        "max_concurrency": 2,
        "idle_timeout": 600.0,
        "keeps_state": True,
        "mistake": None,
        "methods": [
            {
                "name": "decide",
                "line": 9,
                "input": {
                    "type": "object",
                    "properties": {"order": {"type": "string"}, "cents": {"type": "integer"}},
                    "required": ["order"],
                    "additionalProperties": False,
                },
                "output": {"type": "object", "additionalProperties": {"type": "boolean"}},
            }
        ],
    }


def test_a_project_without_agents_says_so(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["agents"]) == 0
    assert "No agents in" in capsys.readouterr().err
