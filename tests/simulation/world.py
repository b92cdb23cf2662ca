"""One simulated world: processes, clients, thieves and weather, all drawn from one seed.

First everything that can happen to an engine happens; then the weather is fair, and every
execution must come to its end. What is recorded here is judged by `checks`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from agentflow.errors import AgentFlowError, Conflict, Json
from agentflow.runtime.host import Held, Host
from agentflow.runtime.journal.protocol import ENDED, Message, StoredExecution
from tests.simulation.loop import Stalled, VirtualLoop
from tests.simulation.process import EPOCH, Gone, Process
from tests.simulation.shapes import SHAPES, Outcome, Shape
from tests.simulation.store import SLOTS, Store
from tests.simulation.weather import FAIR, Weather
from tests.simulation.workers import Workers

STORM_SECONDS = 12.0
"""The longest that faults last."""
HEAL_SECONDS = 120.0
"""How long after that every execution must have ended."""


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
    cancelled: dict[str, int] = field(default_factory=dict)
    """When each cancellation was acknowledged, as an order."""
    asked_to_cancel: set[str] = field(default_factory=set)
    messages: dict[str, Message] = field(default_factory=dict)
    """Messages that were acknowledged."""


class World:
    """A simulation under way."""

    def __init__(
        self, seed: int, store: Store, cases: list[Case], weather: Weather, *, keeps_trace: bool
    ) -> None:
        self.seed = seed
        self.rng = random.Random(f"world {seed}")
        self.loop = VirtualLoop()
        self.store = store
        self.cases = cases
        self.weather = weather
        self.workers = Workers(self)
        self.told = Told()
        self.faults: Counter[str] = Counter()
        self.crashes = 0
        self.points = 0
        self.crash_at: int | None = None
        """The one point at which a process dies, whatever the weather: for the sweep."""
        self.problems: list[str] = []
        self.trace: list[str] = []
        self._keeps_trace = keeps_trace
        self._digest = hashlib.blake2b(digest_size=16)
        self._order = 0
        self._ids = 0
        self._slots: list[Process | None] = [None] * SLOTS
        self._suspects: set[str] = set()
        self._incarnations = 0
        self._is_over = False
        self._tasks: list[asyncio.Task[None]] = []

    # --- what everybody asks of it --------------------------------------------------------------

    def tick(self) -> int:
        """The next number of the one order in which everything happened."""
        self._order += 1
        return self._order

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return probability > 0 and self.rng.random() < probability

    def count(self, fault: str) -> None:
        """A fault happened."""
        self.faults[fault] += 1

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        line = f"{self.loop.now:.6f} {text}"
        self._digest.update(line.encode() + b"\n")
        if self._keeps_trace:
            self.trace.append(line)

    @property
    def digest(self) -> str:
        """The hash of the trace so far."""
        return self._digest.hexdigest()

    def kills(self, process: Process, kind: str) -> bool:
        """Whether a process dies at this point."""
        self.points += 1
        if self.crash_at is not None:
            return self.points == self.crash_at
        weather = self.weather
        match kind:
            case "step":
                return self.chance(weather.crash_step)
            case "submit":
                return self.chance(weather.crash_submit)
            case _:
                return self.chance(weather.crash_write)

    def buried(self, process: Process) -> None:
        """A process died: another one takes its place after a while."""
        self._slots[process.slot] = None
        if self._is_over:
            return
        self.crashes += 1
        self.note(f"{process.name} dies")
        self.loop.call_later(self.rng.choice((0.01, 0.1, 0.5)), self._boot, process.slot)

    def is_alive(self, owner: str) -> bool:
        """What the failure detector says; it may be wrong about suspects."""
        if owner in self._suspects:
            return False
        return any(p is not None and p.owner == owner for p in self._slots)

    def new_id(self) -> str:
        """In place of ids by time and chance."""
        self._ids += 1
        return f"id{self._ids}"

    # --- its course -----------------------------------------------------------------------------

    def run(self) -> None:
        """Let it happen."""
        self.store.enter(self)
        self.loop.set_exception_handler(self._unexpected)
        asyncio.set_event_loop(self.loop)
        try:
            with self._identity():
                self.loop.run_until_complete(self._course())
        except Stalled:
            self.problems.append("everybody waits for somebody")
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    async def _course(self) -> None:
        for slot in range(self.rng.randint(1, SLOTS)):
            self._boot(slot)
        clients = [self._spawn(self._client(case)) for case in self.cases]
        for case in self.cases:
            self._spawn(self._sender(case))
            if self.chance(self.weather.cancel):
                self.told.asked_to_cancel.add(case.id)
                self._spawn(self._canceller(case))
        operator = self._spawn(self._operator())
        storm = [
            self._spawn(self._every(self.weather.theft, self._steal)),
            self._spawn(self._every(self.weather.freeze, self._freeze)),
            self._spawn(self._every(self.weather.stop, self._stop)),
            self._spawn(self._every(self.weather.jump, self._jump)),
        ]
        if self.weather != FAIR:
            await asyncio.wait(clients, timeout=self.rng.random() * STORM_SECONDS)
        for task in storm:
            task.cancel()
        self.note("the weather is fair")
        self.weather = FAIR
        await self._until_all_ended(clients)
        self._is_over = True
        operator.cancel()
        for process in self._slots:
            if process is not None:
                process.kill()
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        await asyncio.sleep(2)  # calls that nobody waits for come to their end

    async def _until_all_ended(self, clients: list[asyncio.Task[None]]) -> None:
        limit = self.loop.now + HEAL_SECONDS
        _, waiting = await asyncio.wait(clients, timeout=HEAL_SECONDS)
        while self._open() and self.loop.now < limit:
            await asyncio.sleep(0.5)
        if self._open():
            self.problems.append(f"did not end: {', '.join(self._open())}")
        elif waiting:
            self.problems.append("a client was never told the result")

    def _open(self) -> list[str]:
        return [id for id, row in self.store.owners.items() if row.status not in ENDED]

    @contextlib.contextmanager
    def _identity(self) -> Iterator[None]:
        """Who is who, and who is alive, as this world says."""
        with (
            patch("agentflow.runtime.host.is_alive", self.is_alive),
            patch("agentflow.runtime.journal.store.is_alive", self.is_alive),
            patch("agentflow.runtime.host.new_id", self.new_id),
        ):
            yield

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.loop.create_task(work)
        self._tasks.append(task)
        return task

    def _boot(self, slot: int) -> None:
        if self._is_over:
            return
        self._incarnations += 1
        process = self._slots[slot] = Process(self, f"p{self._incarnations}", slot)
        process.boot()

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.problems.append(f"{context['message']}: {context.get('exception')!r}")

    # --- users ----------------------------------------------------------------------------------

    async def _someone(self) -> Process:
        """A process that can be asked."""
        while True:
            up = [p for p in self._slots if p is not None and p.is_up]
            if up:
                return self.rng.choice(up)
            await asyncio.sleep(0.05)

    async def _client(self, case: Case) -> None:
        """Start an execution, again and again until its result is known."""
        await asyncio.sleep(case.begins)
        while case.id not in self.told.outcomes:
            process = await self._someone()
            with contextlib.suppress(Gone, AgentFlowError):
                held = await process.ask(lambda h: h.start(case.shape.loaded, case.input, case.id))
                self.told.started.add(case.id)
                stored = held.stored
                if held.live is not None:
                    stored = await process.ask(lambda host: _ended(host, held))
                if stored.status in ENDED:
                    self.note(f"client hears {stored.id} {stored.status}")
                    self.told.outcomes[case.id] = outcome_of(stored)
                    return
            await asyncio.sleep(0.1 + self.rng.random() / 2)

    async def _sender(self, case: Case) -> None:
        """Send an execution its messages, each until that is acknowledged."""
        for number, signal in enumerate(case.shape.signals):
            await asyncio.sleep(self.rng.random())
            id = f"{case.id}/m{number}"
            message = Message(
                id, signal.name, signal.correlation, signal.data, EPOCH + self.loop.now, case.id
            )
            again = self.chance(self.weather.message_twice)
            while id not in self.told.messages or again:
                again = again and id not in self.told.messages
                with contextlib.suppress(AgentFlowError):
                    self._post(message)
                    self.told.messages[id] = message
                await asyncio.sleep(0.05 + self.rng.random() / 4)

    def _post(self, message: Message) -> None:
        """What `agentflow signal` does, in a program of its own."""
        if self.chance(self.weather.write_refused):
            raise AgentFlowError("simulated: not sent")
        with self.store.committing(None):
            self.store.journals[0].post(message)
        if self.chance(self.weather.write_unanswered):
            raise AgentFlowError("simulated: sent, but nobody said so")

    async def _canceller(self, case: Case) -> None:
        """Cancel an execution, until that is acknowledged or it has ended."""
        await asyncio.sleep(case.begins + self.rng.random() * 3)
        while True:
            process = await self._someone()
            try:
                await process.ask(lambda host: host.cancel(case.id, "simulated"))
            except Conflict:
                if self.store.owners[case.id].status in ENDED:
                    return
            except (Gone, AgentFlowError):
                pass
            else:
                self.note(f"cancellation of {case.id} is acknowledged")
                self.told.cancelled[case.id] = self.tick()
                return
            await asyncio.sleep(0.1 + self.rng.random() / 2)

    async def _operator(self) -> None:
        """Resume what nobody runs, as the failure detector says."""
        while True:
            await asyncio.sleep(0.1 + self.rng.random() / 2)
            for id in self._open():
                owner = self.store.owners[id].owner
                if owner is None or not self.is_alive(owner):
                    await self._resume(id, await self._someone())

    async def _resume(self, id: str, process: Process) -> None:
        with contextlib.suppress(Gone, AgentFlowError):
            await process.ask(lambda host: host.resume(id))

    # --- weather --------------------------------------------------------------------------------

    async def _every(self, rate: float, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something again and again, `rate` times a second on average."""
        while rate > 0:
            await asyncio.sleep(self.rng.expovariate(rate))
            await act()

    async def _steal(self) -> None:
        """A process takes an execution over whose owner lives."""
        thief = await self._someone()
        owned = [id for id in self._open() if self.store.owners[id].owner not in (None, thief.owner)]
        if not owned:
            return
        id = self.rng.choice(owned)
        victim = self.store.owners[id].owner
        assert victim is not None
        self.count("theft")
        self.note(f"{thief.name} steals {id} from {victim}")
        self._suspects.add(victim)
        try:
            await self._resume(id, thief)
        finally:
            self._suspects.discard(victim)

    async def _freeze(self) -> None:
        process = await self._someone()
        self.count("freeze")
        process.frozen_until = self.loop.now + self.rng.random() * 3
        self.note(f"{process.name} freezes until {process.frozen_until:.6f}")

    async def _stop(self) -> None:
        process = await self._someone()
        self.count("stop")
        self.note(f"{process.name} is closed")
        process.close()

    async def _jump(self) -> None:
        process = await self._someone()
        self.count("clock jump")
        process.skew += self.rng.choice((-3600, -5, -0.5, 0.5, 5, 3600)) * self.rng.random()
        self.note(f"{process.name} has its clock set to {process.skew:+.3f}")


async def _ended(host: Host, held: Held) -> StoredExecution:
    """Wait for the end of an execution as `Execution.result` does."""
    assert held.live is not None
    await asyncio.wrap_future(held.live.ended)
    return host._journal.execution(held.stored.id)


def outcome_of(stored: StoredExecution) -> Outcome:
    """What an execution came to."""
    return Outcome(stored.status, stored.output, stored.error)


def draw_cases(seed: int) -> list[Case]:
    """The executions of a seed."""
    rng = random.Random(f"cases {seed}")
    cases = []
    for number in range(rng.randint(1, 8)):
        shape = rng.choice(SHAPES)
        cases.append(Case(f"x{seed}-{number}", shape, shape.draw(rng), rng.random() * 2))
    return cases
