"""How large results pass between workers: through the journal's blobs, or Ray's object store.

On one machine a worker writes a blob itself, and whoever combines it maps the same file: nothing
is faster, and it is recorded already. On a cluster workers have no such folder in common. There a
large result stays in its node's memory, on a *shelf*; Ray's object store takes it to this process,
which makes a blob of it, and to the node that combines it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from agentflow.errors import AgentFlowError, Fault, Json, fault_value
from agentflow.functions.parcels import INLINE_BYTES, Place
from agentflow.runtime.batch.ledger import Ledger
from agentflow.runtime.executors.protocol import Executor, OnRay, Report
from agentflow.runtime.executors.ray_shelves import Shelves


class Hearer(Protocol):
    """Who is told what workers report, once it can be depended on."""

    def take(self, reports: Sequence[Report]) -> None:
        """Take reports."""
        ...

    def halt(self, problem: BaseException) -> None:
        """Go no further, for a reason."""
        ...


class Passing:
    """The large results of one run. Used in one event loop."""

    hearer: Hearer

    def __init__(self, ledger: Ledger, executor: Executor, *, is_combined: bool) -> None:
        self._ledger = ledger
        self._is_combined = is_combined
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_wanted = False
        self._shelves: Shelves | None = None
        self.place: Place = None
        """Where workers leave large results."""
        is_elsewhere = isinstance(executor, OnRay) and not executor.owns_ray
        if ledger.place is not None and not is_elsewhere:
            self.place = {"blobs": ledger.place}
        elif isinstance(executor, OnRay):
            self._shelves = Shelves()
            self.place = {"shelf": self._shelves.name}

    def take(self, reports: Sequence[Report]) -> None:
        """Take reports, and pass them on; those of parts when these are blobs."""
        ready = []
        for report in reports:
            parcel = _parcel(report)
            if "part" in parcel:
                self._begin(self._secure(report, parcel))
                continue
            if len(parcel.get("base64", "")) > INLINE_BYTES:
                self._want_shelves()
            ready.append(report)
        if ready:
            self.hearer.take(ready)

    async def sendable(self, parcel: dict[str, Json]) -> dict[str, Json]:
        """The parcel in a form that workers can read."""
        parcel = await self._ledger.resolved(parcel)
        is_there = "part" in parcel or (self.place is not None and "blobs" in self.place)
        if is_there or "blob" not in parcel:
            return parcel
        if self._shelves is not None:
            self._want_shelves()
            content = await self._ledger.content(parcel["blob"])
            part = await self._shelves.put(content, parcel["blob"])
            if part is not None:
                return {**parcel, **part}
        return await self._ledger.by_value(parcel)

    def forget(self, parcels: Sequence[dict[str, Json]]) -> None:
        """Results that were combined: their parts are of no use any more."""
        parts = [parcel["part"] for parcel in parcels if "part" in parcel]
        if parts and self._shelves is not None:
            self._shelves.drop(parts)

    async def close(self) -> None:
        """Remove what is in memory anywhere."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._shelves is not None and self._is_wanted:
            await self._shelves.close()

    def _want_shelves(self) -> None:
        """Put shelves on the nodes, now that there is something for them."""
        if self._shelves is not None and not self._is_wanted:
            self._is_wanted = True
            self._begin(self._shelves.open())

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _secure(self, report: Report, parcel: dict[str, Json]) -> None:
        """Make a blob of a part, and pass the report on; it is as if it had come only then."""
        assert self._shelves is not None
        try:
            digest = await self._ledger.keep(await self._shelves.content(parcel))
        except Fault as fault:
            self.hearer.take([_lost(report, fault.message)])
            return
        except AgentFlowError as error:
            self.hearer.halt(error)
            return
        if digest != parcel["sha256"]:
            self.hearer.take([_lost(report, "a result was damaged on its way")])
            return
        parcel["blob"] = digest
        if not self._is_combined:
            self.forget([parcel])
            del parcel["part"]
        self.hearer.take([report])


def _lost(report: Report, reason: str) -> Report:
    """As if the worker had been lost with its result."""
    error = fault_value("WorkerLost", reason)
    return replace(report, kind="failed", value=None, error=error, trace=[])


def _parcel(report: Report) -> dict[str, Json]:
    """The parcel of a completed chunk or combination; empty if there is none."""
    value = report.value
    if report.kind != "completed" or not isinstance(value, dict):
        return {}
    found: dict[str, Json] | None = value["parcel"] if "failures" in value else value
    return found or {}
