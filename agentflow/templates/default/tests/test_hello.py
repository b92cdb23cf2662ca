from pathlib import Path

import agentflow
from functions.hello import greet

SPECS = Path(__file__).resolve().parent.parent / "specs"


def test_greet_is_ordinary_python():
    assert greet("Ada") == "Hello, Ada!"


def test_the_workflow_greets(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/journal.db")
    workflow = agentflow.load(SPECS / "hello.yaml")
    assert agentflow.run(workflow, {"name": "Ada"}, executor="inline") == "Hello, Ada!"
