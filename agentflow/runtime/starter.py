"""Writing the starts of executions: those that come at the same time in one commit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from agentflow.errors import AgentFlowError
from agentflow.runtime.blocking import Blocking
from agentflow.runtime.catalog import Catalog, start_row
from agentflow.runtime.journal import Journal
from agentflow.runtime.journal.protocol import Record, StoredExecution
from agentflow.runtime.journal.starting import Start
from agentflow.runtime.machine.protocol import Started, payload
from agentflow.spec.load import Loaded


@dataclass(slots=True)
class _Asked:
    """A start that waits for its commit."""

    loaded: Loaded
    execution: StoredExecution
    first: Record
    result: asyncio.Future[Start]


class Starter:
    """The starts of one engine."""

    def __init__(self, journal: Journal, blocking: Blocking, catalog: Catalog) -> None:
        self._journal = journal
        self._blocking = blocking
        self._catalog = catalog
        self._waiting: list[_Asked] = []
        self._writer: asyncio.Task[None] | None = None

    async def start(
        self,
        loaded: Loaded,
        event: Started,
        *,
        owner: str | None,
        parent: tuple[str, str] | None = None,
    ) -> tuple[StoredExecution, bool]:
        """Write an execution's first event, unless it has one; tells whether it is new.

        Those who wait for one commit go on in the same turn of the loop, so that what they ask of
        the executor travels together.

        Raises:
            Conflict: the id is taken by something else.
            Unavailable: the journal cannot be written.
        """
        id, at = event.execution, event.at
        execution = replace(
            start_row(loaded, event.input, id, at),
            owner=owner,
            parent=parent[0] if parent else None,
            parent_key=parent[1] if parent else None,
        )
        first = Record(id, 1, "execution.started", at, data=payload(event))
        loop = asyncio.get_running_loop()
        asked = _Asked(loaded, execution, first, loop.create_future())
        self._waiting.append(asked)
        if self._writer is None:
            self._writer = loop.create_task(self._write())
        result = await asked.result
        if isinstance(result, AgentFlowError):
            raise result
        return result

    async def _write(self) -> None:
        """Write all that wait, until nobody does."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                for asked, result in zip(batch, await self._results(batch), strict=True):
                    if not asked.result.done():  # else nobody waits any more
                        asked.result.set_result(result)
        finally:
            self._writer = None

    async def _results(self, batch: list[_Asked]) -> list[Start]:
        try:
            return await self._blocking.write(self._journal.atomically, lambda: self._all(batch))
        except AgentFlowError as error:
            return [error] * len(batch)
        except BaseException:
            for asked in batch:
                asked.result.cancel()
            raise

    def _all(self, batch: list[_Asked]) -> list[Start]:
        for loaded in {asked.execution.digest: asked.loaded for asked in batch}.values():
            self._catalog.register(loaded)
        return self._journal.create_all([(asked.execution, asked.first) for asked in batch])
