"""A pipeline's results while it runs: read from the journal, in source order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentflow.errors import Json, UsageError
from agentflow.runtime.catalog import restored
from agentflow.runtime.journal.protocol import (
    ENDED,
    RETRIED,
    Record,
    StoredExecution,
)
from agentflow.runtime.machine import Machine, Program, compile_workflow
from agentflow.runtime.machine.protocol import EVENTS, restore
from agentflow.spec.model import Pipeline, Workflow
from agentflow.spec.survey import steps

if TYPE_CHECKING:
    from agentflow.runtime.journal.store import Journal

PAGE = 64
"""Events that are read at once."""


class ResultStream:
    """What the items of a pipeline came to, each as soon as it and all before it are committed.

    Iterate over it, with `for` or `async for`; every iteration begins with the first item. It is
    read from the journal, hence a slow reader holds nothing back, and one that comes late, or in
    another process, misses nothing. A result that was given is not taken back: when the pipeline
    itself is retried, its items are counted on from where they were.
    """

    def __init__(
        self,
        journal: Journal,
        execution: StoredExecution,
        step: str,
        *,
        ended: Future[Any] | None,
        news: Callable[[int | None], int],
        conclude: Callable[[], Json],
    ) -> None:
        self._journal = journal
        self._execution = execution.id
        self._step = step
        self._ended = ended
        self._news = news
        self._conclude = conclude
        workflow = restored(journal, execution.digest, Path(execution.root)).workflow
        _require_pipeline(workflow, step)
        self._program = compile_workflow(workflow)

    def __iter__(self) -> Iterator[Json]:
        for values in self._chunks():
            yield from values

    async def __aiter__(self) -> AsyncIterator[Json]:
        chunks = self._chunks()
        while (values := await asyncio.to_thread(next, chunks, None)) is not None:
            for value in values:
                yield value

    def _chunks(self) -> Iterator[list[Json]]:
        """Results that became known together."""
        reading = _Reading(self._program, self._step)
        seen, is_over = self._news(None), False
        while True:
            records = self._journal.page(self._execution, reading.seq, PAGE)
            if reading.take(records) and (values := reading.ready()):
                yield values
            if records:
                continue
            if is_over:  # and nothing was written before it ended that was not read
                self._conclude()
                return
            is_over = self._journal.execution(self._execution).status in ENDED
            if not is_over:
                if self._ended is not None and self._ended.done():
                    self._ended.result()
                seen = self._news(seen)


class _Reading:
    """A machine that is fed with a history as it grows, and what its pipeline gave so far."""

    def __init__(self, program: Program, step: str) -> None:
        self._program = program
        self._step = step
        self._given = 0
        self._forgiven: dict[int, float] = {}
        self._known: set[int] = set()
        """Retries that were taken into account."""
        self._restart()

    def _restart(self) -> None:
        self.seq = 0
        self._early: dict[int, Json] = {}
        self._machine = Machine(self._program)
        self._machine.shows = self._show

    def take(self, records: Sequence[Record]) -> bool:
        """Feed it the next records; False when a retry among them changes what came before."""
        for record in records:
            self.seq = record.seq
            if record.type == RETRIED and record.seq not in self._known:
                self._known.add(record.seq)
                if record.data["forgives"]:
                    self._forgiven[record.data["forgives"]] = record.at
                self._restart()
                return False
            if not record.superseded and record.type in EVENTS:
                self._feed(record)
        return True

    def _feed(self, record: Record) -> None:
        event = restore(record.type, record.at, record.step, record.attempt, record.data)
        if record.seq in self._forgiven:
            self._machine.forgive(event, self._forgiven[record.seq])
        else:
            self._machine.advance(event)

    def _show(self, key: str, place: int, value: Json) -> None:
        is_ours = key == self._step or key.startswith(self._step + "~")
        if is_ours and place >= self._given:
            self._early[place] = value

    def ready(self) -> list[Json]:
        """The results that follow those given before, without a gap."""
        values = []
        while self._given in self._early:
            values.append(self._early.pop(self._given))
            self._given += 1
        return values


def _require_pipeline(workflow: Workflow, step: str) -> None:
    pipelines = [s.id for s in steps(workflow.do) if isinstance(s.action, Pipeline)]
    name = re.sub(r"\[\d+\]$", "", step).rpartition(".")[2]
    if name in pipelines:
        return
    found = ", ".join(f"`{id}`" for id in pipelines)
    raise UsageError(
        f"workflow {workflow.name} has no pipeline `{step}`",
        help=f"it has {found}; of one inside another step give the key, such as `outer.pages`"
        if pipelines
        else "results can be read while they come from a `pipeline` step only",
    )
