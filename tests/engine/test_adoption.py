"""Executions that nobody runs are taken over by an engine that adopts."""

from __future__ import annotations

from pathlib import Path

from agentflow import Engine
from agentflow.runtime.journal.protocol import Record
from tests.engine.conftest import Ledger, Spec

STEPS = """
  - {id: a, call: work.mark, with: {name: a, value: 1}}
  - {id: b, call: work.wait_for, with: {path: "${ input }"}}
  - {id: c, call: work.mark, with: {name: c, value: "${ a }"}}
"""


def test_what_was_created_for_whoever_comes_is_run(project: Path, spec: Spec) -> None:
    loaded = spec("  - {id: a, call: work.double, with: {x: 4}}")
    with (
        Engine(executor="inline", root=project, adopt=True),
        Engine(executor="inline", root=project) as client,
    ):
        executions = [client.create(loaded) for _ in range(3)]
        assert [e.result(60) for e in executions] == [8, 8, 8]


def test_what_a_closed_engine_left_goes_on_elsewhere(
    project: Path, spec: Spec, ledger: Ledger
) -> None:
    flag = project / "flag"
    first = Engine(executor="inline", root=project)
    execution = first.start(spec(STEPS), str(flag))
    while ledger() != ["a"]:
        pass
    first.close()
    flag.touch()
    with Engine(executor="inline", root=project, adopt=True) as second:
        assert second.execution(execution.id).result(60) == 1
    assert [name for name in ledger() if name == "c"] == ["c"]


def test_an_engine_does_not_take_what_another_one_runs(
    project: Path, spec: Spec, ledger: Ledger
) -> None:
    flag = project / "flag"
    with (
        Engine(executor="inline", root=project) as first,
        Engine(executor="inline", root=project, adopt=True) as second,
    ):
        execution = first.start(spec(STEPS), str(flag))
        other = second.start(spec("  - {id: z, call: work.double, with: {x: 1}}", name="other"))
        assert other.result(60) == 2
        flag.touch()
        assert execution.result(60) == 1
    assert "execution.resumed" not in [r.type for r in execution_events(project, execution.id)]
    assert ledger() == ["a", "c"]


def execution_events(project: Path, id: str) -> list[Record]:
    with Engine(executor="inline", root=project) as engine:
        return engine.execution(id).events()


def test_an_orphan_whose_workflow_is_damaged_does_not_stop_the_others(
    project: Path, spec: Spec
) -> None:
    loaded = spec("  - {id: a, call: work.double, with: {x: 4}}")
    broken = spec("  - {id: a, call: work.double, with: {x: 5}}", name="broken")
    with Engine(executor="inline", root=project) as client:
        bad, good = client.create(broken), client.create(loaded)
        _damage(project, broken.workflow.digest)
        with Engine(executor="inline", root=project, adopt=True):
            assert good.result(60) == 8
            assert bad.status == "running"


def _damage(project: Path, digest: str) -> None:
    import sqlite3

    with sqlite3.connect(project / ".agentflow" / "journal.db") as store:
        store.execute("update specs set text = 'workflow: [' where digest = ?", (digest,))
    store.close()
