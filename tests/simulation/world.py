"""One simulated world: processes, users, thieves and weather, all drawn from one seed.

First everything that can happen to an engine happens; then the weather is fair, and every
execution must come to its end. What is recorded here is judged by `checks`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Container, Coroutine, Iterator, Sequence
from typing import Any
from unittest.mock import patch

from agentflow.errors import AgentFlowError
from agentflow.runtime.journal.protocol import ENDED
from tests.simulation.loop import Stalled, VirtualLoop
from tests.simulation.process import Gone, Process
from tests.simulation.registry import compile_once, read_again
from tests.simulation.shape import Shape
from tests.simulation.shapes import SHAPES
from tests.simulation.store import SLOTS, Store
from tests.simulation.users import Case, Users
from tests.simulation.weather import FAIR, Weather
from tests.simulation.workers import Workers

STORM_SECONDS = 12.0
"""The longest that faults last."""
HEAL_SECONDS = 120.0
"""How long after that every execution must have ended."""


class World:
    """A simulation under way."""

    def __init__(
        self,
        seed: int,
        store: Store,
        cases: list[Case],
        weather: Weather,
        *,
        keeps_trace: bool = False,
        crash_at: Container[int] | None = None,
        slots: int | None = None,
    ) -> None:
        self.seed = seed
        self.rng = random.Random(f"world {seed}")
        self.loop = VirtualLoop()
        self.store = store
        self.cases = cases
        self.weather = weather
        self.clocks_are_right = not weather.skew and not weather.jump
        self.workers = Workers(self)
        self.users = Users(self)
        self.skew = 0.0
        """How far the store's clock is off."""
        self.is_one_machine = self.rng.random() < 0.8
        self.adopts = self.rng.random() < 0.7
        """Whether engines take over by themselves what nobody runs; else an operator does."""
        self.faults: Counter[str] = Counter()
        self.points = 0
        """Places at which a process could have died so far."""
        self.crash_at = crash_at
        """The only such places where one dies, whatever the weather: for the sweep."""
        self._used_slots = slots or self.rng.randint(1, SLOTS)
        self.problems: list[str] = []
        self.trace: list[str] = []
        self._keeps_trace = keeps_trace
        self._digest = hashlib.blake2b(digest_size=16)
        self._order = 0
        self._ids = 0
        self._slots: list[Process | None] = [None] * SLOTS
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

    def kills(self, kind: str) -> bool:
        """Whether the process that came to a place of this kind dies there."""
        self.points += 1
        if self.crash_at is not None:
            return self.points in self.crash_at
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
        if not self._is_over:
            self.note(f"{process.name} dies")
            self.loop.call_later(self.rng.choice((0.01, 0.1, 0.5)), self._boot, process.slot)

    def has_died(self, owner: str) -> bool:
        """Whether a process is known to be gone: where all run on one machine, that can be seen."""
        return self.is_one_machine and not self.runs(owner)

    def runs(self, owner: str | None) -> bool:
        """Whether a process really is there."""
        return any(p is not None and p.owner == owner for p in self._slots)

    def open_executions(self) -> list[str]:
        """The executions that have begun and not ended."""
        return [id for id, row in self.store.owners.items() if row.status not in ENDED]

    async def someone(self) -> Process:
        """A process that can be asked."""
        while True:
            up = [p for p in self._slots if p is not None and p.is_up]
            if up:
                return self.rng.choice(up)
            await asyncio.sleep(0.05)

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
        for slot in range(self._used_slots):
            self._boot(slot)
        clients = [self._spawn(self.users.client(case)) for case in self.cases]
        for case in self.cases:
            self._spawn(self.users.sender(case))
            if self.chance(self.weather.cancel):
                self._spawn(self.users.canceller(case))
        if not self.adopts:
            self._spawn(self.users.operator())
        await self._storm(clients)
        self.note("the weather is fair")
        self.weather = FAIR
        await self._until_all_ended(clients)
        self._is_over = True
        for process in self._slots:
            if process is not None:
                process.kill()
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                self.problems.append(f"{type(result).__name__}: {result}")
        await asyncio.sleep(2)  # calls that nobody waits for come to their end

    async def _storm(self, clients: list[asyncio.Task[None]]) -> None:
        """Everything that the weather brings, for a while."""
        if self.weather == FAIR:
            return
        storm = [
            self._spawn(self._every(self.weather.theft, self._steal)),
            self._spawn(self._every(self.weather.freeze, self._freeze)),
            self._spawn(self._every(self.weather.stop, self._stop)),
            self._spawn(self._every(self.weather.jump, self._jump)),
        ]
        await asyncio.wait(clients, timeout=self.rng.random() * STORM_SECONDS)
        for task in storm:
            task.cancel()

    async def _until_all_ended(self, clients: list[asyncio.Task[None]]) -> None:
        limit = self.loop.now + HEAL_SECONDS
        _, waiting = await asyncio.wait(clients, timeout=HEAL_SECONDS)
        while self.open_executions() and self.loop.now < limit:
            await asyncio.sleep(0.5)
        if self.open_executions():
            self.problems.append(f"did not end: {', '.join(self.open_executions())}")
        elif waiting:
            self.problems.append("a client was never told the result")

    @contextlib.contextmanager
    def _identity(self) -> Iterator[None]:
        """Who is who, and who is alive, as this world says."""
        with (
            patch("agentflow.runtime.journal.ownership.has_died", self.has_died),
            patch("agentflow.runtime.journal.ownership.is_alive", lambda o: not self.has_died(o)),
            patch("agentflow.runtime.host.new_id", self._new_id),
            patch("agentflow.runtime.catalog.loads", read_again),
            patch("agentflow.runtime.catalog.compile_workflow", compile_once),
        ):
            yield

    def _new_id(self) -> str:
        """In place of ids by time and chance."""
        self._ids += 1
        return f"id{self._ids}"

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.loop.create_task(work)
        self._tasks.append(task)
        return task

    def _boot(self, slot: int) -> None:
        if self._is_over:
            return
        self._incarnations += 1
        process = self._slots[slot] = Process(self, self._incarnations, slot)
        process.boot()

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.problems.append(f"{context['message']}: {context.get('exception')!r}")

    # --- weather --------------------------------------------------------------------------------

    async def _every(self, rate: float, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something again and again, `rate` times a second on average."""
        while rate > 0:
            await asyncio.sleep(self.rng.expovariate(rate))
            await act()

    async def _steal(self) -> None:
        """A process takes an execution over whose owner lives."""
        thief = await self.someone()
        owned = [
            id
            for id in self.open_executions()
            if self.store.owners[id].owner not in (None, thief.owner)
        ]
        if not owned:
            return
        id = self.rng.choice(owned)
        victim = str(self.store.owners[id].owner)
        self.count("theft")
        self.note(f"{thief.name} steals {id} from {victim}")
        self.store.expire(victim)
        with contextlib.suppress(Gone, AgentFlowError):
            await thief.ask(lambda host: host.resume(id))

    async def _freeze(self) -> None:
        process = await self.someone()
        self.count("freeze")
        process.frozen_until = self.loop.now + self.rng.random() * 3
        self.note(f"{process.name} freezes until {process.frozen_until:.6f}")

    async def _stop(self) -> None:
        process = await self.someone()
        self.count("stop")
        self.note(f"{process.name} is closed")
        process.close()

    async def _jump(self) -> None:
        process = await self.someone()
        self.count("clock jump")
        process.skew += self.rng.choice((-20, -5, -0.5, 0.5, 5, 20)) * self.rng.random()
        self.skew += self.rng.choice((0, 0, -20, -3, 3, 20)) * self.rng.random()
        self.note(f"clocks: {process.name} {process.skew:+.3f}, store {self.skew:+.3f}")


def draw_cases(seed: int, shapes: Sequence[Shape] = SHAPES) -> list[Case]:
    """The executions of a seed."""
    rng = random.Random(f"cases {seed}")
    cases = []
    for number in range(rng.randint(1, 8)):
        shape = rng.choice(shapes)
        cases.append(Case(f"x{seed}-{number}", shape, shape.draw(rng), rng.random() * 2))
    return cases
