from pathlib import Path

import agentflow
from functions.lines import add_up

SPECS = Path(__file__).resolve().parent.parent / "specs"


def test_adding_up_nothing_gives_zero():
    assert add_up([]) == {"files": 0, "lines": 0}


def test_the_workflow_counts_its_own_spec(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/journal.db")
    workflow = agentflow.load(SPECS / "lines.yaml")
    found = agentflow.run(workflow, {"folder": "specs", "pattern": "*.yaml"}, executor="inline")
    expected = len((SPECS / "lines.yaml").read_text(encoding="utf-8").splitlines())
    assert found == {"files": 1, "lines": expected}
