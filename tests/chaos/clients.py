"""Those who want executions run: they ask orchestrators, insist, signal, cancel, and keep notes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agentflow.errors import Json, Unavailable
from agentflow.runtime.journal.protocol import CANCEL, ENDED, Message
from agentflow.runtime.journal.store import Journal
from tests.chaos.fleet import Orchestrator
from tests.chaos.orchestrator import value_of
from tests.chaos.shapes import GO, Outcome, Shape, draw

T = TypeVar("T")

INSIST_SECONDS = 5.0
"""After so long without an answer, a start is asked for once more, of anybody."""
_LOOKED_AT_ONCE = 100


@dataclass(eq=False)
class Order:
    """One execution that somebody wants, and what they were told about it."""

    id: str
    shape: Shape
    n: int
    asked_at: float = 0.0
    started_at: float | None = None
    """When the start was acknowledged."""
    seen: list[tuple[str, Outcome]] = field(default_factory=list)
    """Who said how it ended, and what they said."""


class Clients:
    """All of them: they keep at most `limit` executions open and start at most `rate` a second."""

    def __init__(
        self,
        journal: Journal,
        orchestrators: Sequence[Orchestrator],
        chance: random.Random,
        *,
        limit: int,
        rate: float,
    ) -> None:
        self.orders: dict[str, Order] = {}
        self.is_satisfied = False
        """Once set, nobody orders anything more."""
        self._journal = journal
        self._orchestrators = orchestrators
        self._chance = chance
        self._limit = limit
        self._rate = rate
        self._open: dict[str, Order] = {}
        self._errands: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> Sequence[Order]:
        """Orders whose end nobody has seen."""
        return list(self._open.values())

    def hear(self, orchestrator: Orchestrator, words: Json) -> None:
        """What an orchestrator says."""
        started, ended = self.orders.get(words.get("started")), self.orders.get(words.get("ended"))
        if started is not None and started.started_at is None:
            started.started_at = time.time()
            self._follow_up(started)
        if ended is not None:
            self._see(ended, orchestrator.name, Outcome(words["status"], words["value"]))

    async def run(self) -> None:
        """Order, insist and look, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._order())
            group.create_task(self._insist())
            group.create_task(self._look())

    async def _order(self) -> None:
        while True:
            await asyncio.sleep(self._chance.expovariate(self._rate))
            if self.is_satisfied or len(self._open) >= self._limit:
                continue
            order = Order(
                f"x{len(self.orders) + 1}", draw(self._chance), self._chance.randrange(10_000)
            )
            self.orders[order.id] = self._open[order.id] = order
            self._ask(order)

    def _ask(self, order: Order) -> None:
        order.asked_at = time.time()
        somebody = self._chance.choice(self._orchestrators)
        somebody.say({"start": order.id, "shape": order.shape.name, "n": order.n})

    async def _insist(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            for order in self.open:
                if order.started_at is None and time.time() > order.asked_at + INSIST_SECONDS:
                    self._ask(order)

    async def _look(self) -> None:
        """Look into the store for ends that nobody told: who would have, was killed."""
        while True:
            await asyncio.sleep(2)
            for order in self.open[:_LOOKED_AT_ONCE]:
                if order.started_at is None:
                    continue
                stored = await self._persistently(self._journal.execution, order.id)
                if stored.status in ENDED:
                    self._see(order, "journal", Outcome(stored.status, value_of(stored)))

    def _see(self, order: Order, who: str, outcome: Outcome) -> None:
        order.seen.append((who, outcome))
        self._open.pop(order.id, None)

    # --- errands ------------------------------------------------------------------------------

    def _follow_up(self, order: Order) -> None:
        if order.shape.needs_signal:
            self._send(self._signal(order))
        if order.shape.needs_cancel:
            self._send(self._cancel(order))

    def _send(self, errand: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _signal(self, order: Order) -> None:
        """Send the awaited message, early or late, addressed or by correlation, perhaps twice."""
        await asyncio.sleep(self._chance.uniform(0, 2))
        addressee = self._chance.choice((None, order.id))
        message = Message(f"{order.id}/{GO}", GO, order.id, {"x": order.n}, time.time(), addressee)
        for _ in range(self._chance.choice((1, 1, 2))):
            await self._persistently(self._journal.post, message)

    async def _cancel(self, order: Order) -> None:
        await asyncio.sleep(self._chance.uniform(0, 2))
        request = Message(f"{order.id}/cancel", CANCEL, None, "enough", time.time(), order.id)
        await self._persistently(self._journal.post, request)

    async def _persistently(self, ask: Callable[..., T], *arguments: Any) -> T:
        """Ask the store until it answers."""
        while True:
            with suppress(Unavailable):
                return await asyncio.to_thread(ask, *arguments)
