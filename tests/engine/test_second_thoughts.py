"""Executions that are cancelled and wanted again. Each was found by the simulation."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentflow import Engine, ExecutionCancelled
from agentflow.runtime.blocking import InThreads
from agentflow.runtime.exchange import child_id
from agentflow.runtime.executors.protocol import Report, Task
from agentflow.runtime.journal.protocol import CANCEL, Message
from agentflow.spec.load import Loaded
from tests.engine.hosts import Idle, ended, serving, until

Spec = Callable[..., Loaded]


def test_a_retry_wants_the_children_again_that_were_cancelled(
    engine: Engine, spec: Spec, project: Path
) -> None:
    spec(f"  - {{id: w, call: work.wait_for, with: {{path: {project / 'go'}}}}}", name="child")
    execution = engine.start(spec("  - {id: r, run: child}"))
    child = child_id(execution.id, "r")
    engine.cancel(execution.id)
    with pytest.raises(ExecutionCancelled):
        execution.result(60)
    (project / "go").touch()
    assert engine.retry(execution.id).result(60) == "there"
    assert engine.journal.execution(child).status == "succeeded"


async def test_what_had_come_to_its_end_is_not_cancelled_but_ended(
    project: Path, spec: Spec
) -> None:
    loaded = spec("  - {id: m, map: [], call: work.double, with: {x: 1}}")
    async with serving(project) as (host, journal):
        await host.create(loaded, None, "e1")  # its process died before it wrote the end
        held = await host.cancel("e1", "enough")
        await ended(held)
        assert journal.execution("e1").status == "succeeded"


class Counting(Idle):
    """Counts what is submitted."""

    def __init__(self) -> None:
        super().__init__()
        self.submitted: list[tuple[str, int]] = []

    def submit(self, tasks: object) -> None:
        assert isinstance(tasks, list)
        self.submitted += [(task.key, task.attempt) for task in tasks if isinstance(task, Task)]


class AnsweredMeanwhile(InThreads):
    """A journal during whose commit of a take-over an executor answers."""

    def __init__(self, executor: Counting) -> None:
        super().__init__()
        self.executor = executor

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        result = await super().write(work, *args, **kwargs)
        records = args[0] if work.__name__ == "append" else []
        if any(record.type == "execution.resumed" for record in records):
            self.executor.report([Report("e1", "a", 1, "completed", value=2)])
        return result


async def test_a_call_whose_answer_is_there_already_is_not_made_again(
    project: Path, spec: Spec
) -> None:
    executor = Counting()
    blocking = AnsweredMeanwhile(executor)
    async with serving(project, executor=executor, blocking=blocking) as (host, journal):
        await host.start(spec("  - {id: a, call: work.double, with: {x: 1}}"), None, "e1")
        await until(lambda: executor.submitted == [("a", 1)])
        host.orchestrator.lose(host.orchestrator.lives)
        journal.release("e1", host._lease.owner)
        held = await host.resume("e1")
        await ended(held)
        assert journal.execution("e1").output == 2
        assert executor.submitted == [("a", 1)]


async def test_a_cancellation_that_a_retry_dropped_is_not_heard_later(
    project: Path, spec: Spec
) -> None:
    executor = Counting()
    async with serving(project, executor=executor) as (host, journal):
        await host.start(spec("  - {id: a, call: work.double, with: {x: 1}}"), None, "e1")
        await host.cancel("e1", "enough")
        await until(lambda: journal.execution("e1").status == "cancelled")
        late = Message("late", CANCEL, None, "me too", time.time(), "e1")
        journal.post(late)
        held = await host.retry("e1")
        host.orchestrator.deliver(late)  # the inbox had read it before
        assert held.live is not None
        executor.report([Report("e1", "a", 1, "completed", value=2)])
        await ended(held)
        assert journal.execution("e1").output == 2
