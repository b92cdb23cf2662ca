"""Who uses the engines of a world: clients, senders of messages, cancellers, an operator.

They do what the command line does, from outside, and remember what they were told.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentflow.errors import AgentFlowError, Conflict, Json, NotFound
from agentflow.runtime.host import Held, Host
from agentflow.runtime.journal.protocol import ENDED, Message, StoredExecution
from tests.simulation.process import Gone
from tests.simulation.shape import Outcome, Shape
from tests.simulation.store import EPOCH

if TYPE_CHECKING:
    from tests.simulation.world import World


@dataclass(frozen=True)
class Case:
    """An execution that a client starts."""

    id: str
    shape: Shape
    input: Json
    begins: float


@dataclass(slots=True)
class Told:
    """What clients have been told, and what therefore must be so for good."""

    started: set[str] = field(default_factory=set)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    cancelled: dict[str, tuple[int, float]] = field(default_factory=dict)
    """When each cancellation was acknowledged, as an order and in virtual seconds."""
    asked_to_cancel: set[str] = field(default_factory=set)
    retried: set[str] = field(default_factory=set)
    messages: dict[str, Message] = field(default_factory=dict)
    """Messages that were acknowledged."""


class Users:
    """The users of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.told = Told()

    async def client(self, case: Case) -> None:
        """Start an execution until that is acknowledged, then wait for its result."""
        await asyncio.sleep(case.begins)
        while case.id not in self.told.started:
            with suppress(Gone, AgentFlowError):
                process = await self.world.someone()
                await process.ask(lambda h: h.start(case.shape.loaded, case.input, case.id))
                self.world.note(f"the start of {case.id} is acknowledged")
                self.told.started.add(case.id)
            await self._pause()
        ended = await self._result(case.id)
        if ended.status != "succeeded" and self.world.chance(self.world.weather.retry):
            await self._retry(case.id)
            ended = await self._result(case.id)
        self.world.note(f"client hears {ended.id} {ended.status}")
        self.told.outcomes[case.id] = outcome_of(ended)

    async def _result(self, id: str) -> StoredExecution:
        """Wait for the end of an execution, as `Execution.result` does."""
        while True:
            process = await self.world.someone()
            with suppress(Gone, AgentFlowError):
                stored = await process.ask(lambda host: _ended(host, id))
                if stored.status in ENDED:
                    return stored
            await self._pause()

    async def _retry(self, id: str) -> None:
        """Retry an execution, if it can be."""
        self.world.count("retry")
        while True:
            process = await self.world.someone()
            try:
                await process.ask(lambda host: host.retry(id))
            except Conflict:
                # Nothing to retry; or it was done, and nobody said so.
                if self.world.store.owners[id].status in ENDED:
                    return
            except (Gone, AgentFlowError):
                pass
            if self.world.store.owners[id].status not in ENDED:
                self.told.retried.add(id)
                return
            await self._pause()

    async def sender(self, case: Case) -> None:
        """Send an execution its messages, each until that is acknowledged."""
        for number, signal in enumerate(case.shape.signals):
            await asyncio.sleep(self.world.rng.random())
            message = Message(
                f"{case.id}/m{number}",
                signal.name,
                signal.correlation,
                signal.data,
                EPOCH + self.world.loop.now,
                case.id,
            )
            while message.id not in self.told.messages:
                with suppress(AgentFlowError):
                    self._post(message)
                    self.told.messages[message.id] = message
                await asyncio.sleep(0.05 + self.world.rng.random() / 4)
            if self.world.chance(self.world.weather.message_twice):
                self.world.count("message twice")
                with suppress(AgentFlowError):
                    self._post(message)

    def _post(self, message: Message) -> None:
        """What `agentflow signal` does, in a program of its own."""
        world = self.world
        if world.chance(world.weather.write_refused):
            raise AgentFlowError("simulated: not sent")
        with world.store.committing(None):
            world.store.journals[0].post(message)
        if world.chance(world.weather.write_unanswered):
            raise AgentFlowError("simulated: sent, but nobody said so")

    async def canceller(self, case: Case) -> None:
        """Cancel an execution, until that is acknowledged or it has ended."""
        self.told.asked_to_cancel.add(case.id)
        await asyncio.sleep(case.begins + self.world.rng.random() * 3)
        while True:
            process = await self.world.someone()
            try:
                await process.ask(lambda host: host.cancel(case.id, "simulated"))
            except Conflict:
                if self.world.store.owners[case.id].status in ENDED:
                    return
            except (Gone, AgentFlowError):
                pass
            else:
                self.world.note(f"the cancellation of {case.id} is acknowledged")
                self.told.cancelled[case.id] = (self.world.tick(), self.world.loop.now)
                return
            await self._pause()

    async def operator(self) -> None:
        """Resume what nobody runs, one after another."""
        while True:
            await self._pause()
            for id in self.world.open_executions():
                if self.world.runs(self.world.store.owners[id].owner):
                    continue
                process = await self.world.someone()
                with suppress(Gone, AgentFlowError):
                    await process.ask(lambda host, id=id: host.resume(id))

    async def _pause(self) -> None:
        await asyncio.sleep(0.2 + self.world.rng.random())


async def _ended(host: Host, id: str) -> StoredExecution:
    """The row of an execution; if this process runs it, when it has ended.

    Raises:
        AssertionError: there is none.
    """
    try:
        held: Held = host.held(host._journal.execution(id))
    except NotFound as error:
        raise AssertionError(f"{id}: its start was acknowledged, and it is lost") from error
    if held.live is None:
        return held.stored
    await asyncio.wrap_future(held.live.ended)
    return host._journal.execution(id)


def outcome_of(stored: StoredExecution) -> Outcome:
    """What an execution came to."""
    return Outcome(stored.status, stored.output, stored.error)
