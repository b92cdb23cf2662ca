"""The engines: each runs a case and says what came of it."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

import agentflow
from agentflow.errors import ExecutionFailed, InputError, Json
from agentflow.runtime.executors.inline import InlineExecutor
from agentflow.runtime.executors.protocol import Task
from agentflow.runtime.executors.ray import RayExecutor
from agentflow.runtime.journal.protocol import Message
from agentflow.spec.load import Loaded
from tests.conformance.cases import PROJECT, Run
from tests.conformance.outcomes import Calls, Outcome, Refused, counted

LIMIT: Final = 60
"""Seconds an execution may take."""


class Engine(Protocol):
    """Something that runs workflows."""

    name: str

    def run(self, loaded: Loaded, run: Run) -> Outcome | Refused:
        """Run a workflow to its end."""
        ...


class _Records:
    """Counts calls where the orchestrator hands them over."""

    calls: dict[str, Calls]
    """By the execution's id, or that of the one it is a child of."""

    def submit(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            calls = self.calls.setdefault(task.execution.partition("-")[0], Counter())
            calls.update(counted(task.function, given) for given in task.calls)
        super().submit(tasks)  # type: ignore[misc]  # of the executor it is mixed into


class RecordingInline(_Records, InlineExecutor):
    """The inline executor."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = {}


class RecordingRay(_Records, RayExecutor):
    """The Ray executor."""

    def __init__(self) -> None:
        super().__init__(root=PROJECT)
        self.calls = {}


class Local:
    """Our own engine, with a real journal, on one of its executors."""

    def __init__(self, name: str, executor: Any, store: Path) -> None:
        self.name = name
        self._executor = executor
        self._engine = agentflow.Engine(
            executor=executor, store=f"sqlite:///{store}/journal.db", root=PROJECT
        )
        self._ids = count(1)

    def run(self, loaded: Loaded, run: Run) -> Outcome | Refused:
        """Start an execution, send its messages, wait for its end."""
        id = f"run{next(self._ids)}"
        try:
            execution = self._begin(loaded, run, id)
        except InputError as error:
            return Outcome("failed", error="InvalidInput", message=str(error))
        output, problem = None, None
        try:
            output = execution.result(LIMIT)
        except ExecutionFailed as failed:
            problem = failed.error
        return ended(output, problem, self._executor.calls.pop(id, Counter()))

    def _begin(self, loaded: Loaded, run: Run, id: str) -> agentflow.Execution:
        """Start an execution; messages are there first: a step may listen for a moment only."""
        if not run.messages:
            return self._engine.start(loaded, run.input, id=id)
        self._engine.create(loaded, run.input, id=id)
        for name, data in run.messages.items():
            message = Message(f"{id}/{name}", name, None, data, time.time(), id)
            self._engine.journal.post(message)
        return self._engine.resume(id)

    def close(self) -> None:
        """Stop the engine."""
        self._engine.close()


def ended(output: Json, error: Json, calls: Calls) -> Outcome:
    """An outcome from an output or an error's value."""
    if error is None:
        return Outcome("succeeded", output, calls=calls)
    return Outcome("failed", None, error["name"], error["data"], calls, error["message"])


@contextmanager
def local(name: str, executor: Callable[[], Any]) -> Iterator[Local]:
    """An engine of our own with a journal of its own."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Local(name, executor(), Path(folder))
        try:
            yield engine
        finally:
            engine.close()
