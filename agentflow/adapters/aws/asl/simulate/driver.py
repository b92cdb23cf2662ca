"""Carry out what the interpreter wants, in this process.

In virtual time waiting costs nothing: when no work is under way, the clock jumps to the next timer,
and only work that hangs is overtaken by one. In real time the same executions wait like on the
service.
"""

from __future__ import annotations

import asyncio
import heapq
import time as clocks
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias
from uuid import uuid4

from agentflow.adapters.aws.asl.errors import RUNTIME
from agentflow.adapters.aws.asl.items import UnreadableError
from agentflow.adapters.aws.asl.model import Machine
from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import children
from agentflow.adapters.aws.asl.simulate.execution import Identity
from agentflow.adapters.aws.asl.simulate.handlers import (
    Later,
    TaskCall,
    TaskError,
    TaskHandler,
    UnhandledError,
    by_name,
    invocation,
    invocation_type,
    perform,
    unhandled,
)
from agentflow.adapters.aws.asl.simulate.machine import Interpreter
from agentflow.adapters.aws.asl.simulate.protocol import (
    Beat,
    Cancel,
    Completed,
    Effect,
    Event,
    Failed,
    Fired,
    HistoryEvent,
    Invoke,
    Outcome,
    ReadItems,
    StartTimer,
    Stopped,
    Submitted,
    WriteItems,
)
from agentflow.adapters.aws.asl.simulate.stored import Objects, fetch, holds
from agentflow.adapters.aws.asl.values import text
from agentflow.errors import Json

Time: TypeAlias = Literal["virtual", "real"]
Watch: TypeAlias = Callable[[HistoryEvent], None]


@dataclass(frozen=True, slots=True)
class World:
    """What executions can reach."""

    tasks: TaskHandler = field(default_factory=lambda: by_name({}))
    machines: Mapping[str, Machine] = field(default_factory=dict)
    """State machines that others may start, by name or ARN."""
    objects: Objects = field(default_factory=dict)
    time: Time = "virtual"
    patience: float = 10.0
    """Seconds that work may take on this machine without any virtual time passing."""
    watch: Watch | None = None
    """Sees the history of an execution that no other one started while it grows."""


def simulate(
    definition: Machine | str | dict[str, Json],
    input: Json = None,
    tasks: TaskHandler | None = None,
    *,
    machines: Mapping[str, Machine] | None = None,
    objects: Objects | None = None,
    time: Time = "virtual",
    name: str = "",
    machine_name: str = "simulated",
    started_at: float | None = None,
    stop_after: float | None = None,
    watch: Watch | None = None,
) -> Outcome:
    """Run a state machine to its end, like the service would.

    `tasks` does the work of Task states (`handlers.by_name` makes one of functions); `machines`
    are those that it may start, by name; `objects` is what ItemReaders read, by `bucket/key`.
    After `stop_after` seconds it is stopped from outside. `watch` sees each event of its history as
    it comes.

    Raises:
        SpecError: the definition has mistakes.
    """
    machine = definition if isinstance(definition, Machine) else read(definition)
    known = {} if objects is None else objects
    world = World(tasks or by_name({}), machines or {}, known, time, watch=watch)
    identity = Identity(name or str(uuid4()), machine_name)
    return asyncio.run(
        run(
            machine,
            input,
            world,
            identity=identity,
            started_at=started_at,
            stop_after=stop_after,
        )
    )


async def run(
    machine: Machine,
    input: Json,
    world: World,
    *,
    identity: Identity,
    started_at: float | None = None,
    stop_after: float | None = None,
) -> Outcome:
    """Run a state machine to its end, or until it is stopped."""
    begin = clocks.time() if started_at is None else started_at
    driver = _Driver(Interpreter(machine, input, identity), world, begin)
    return await driver.run(stop_after)


class _Driver:
    """Feeds one interpreter."""

    def __init__(self, interpreter: Interpreter, world: World, begin: float) -> None:
        self._interpreter = interpreter
        self._world = world
        self._now = begin
        self._end: float | None = None
        """When it is stopped from outside."""
        self._offset = begin - clocks.monotonic()
        self._due: list[tuple[float, int, Event]] = []
        self._count = 0
        self._timers: dict[str, int] = {}
        """For each timer that runs, the number of its entry in `_due`."""
        self._cancelled: set[str] = set()
        self._work: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._told = 0

    async def run(self, stop_after: float | None) -> Outcome:
        """Until the execution ends."""
        if stop_after is not None:
            self._end = self._now + stop_after
            self._post(Stopped(self._end))
        try:
            effects = self._interpreter.start(self._now)
            self._tell()
            while self._interpreter.outcome.status == "RUNNING":
                for effect in effects:
                    self._carry_out(effect)
                effects = self._interpreter.advance(await self._next())
                self._tell()
            return self._interpreter.outcome
        finally:
            for task in self._work.values():
                task.cancel()
            await asyncio.gather(*self._work.values(), return_exceptions=True)

    def _tell(self) -> None:
        """Show whoever watches what is new."""
        if self._world.watch is not None:
            for event in self._interpreter.history[self._told :]:
                self._world.watch(event)
            self._told = len(self._interpreter.history)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case StartTimer(key, at):
                self._post(Fired(max(at, self._now), key))
            case Cancel(key):
                self._cancelled.add(key)
                self._timers.pop(key, None)
                if (task := self._work.pop(key, None)) is not None:
                    task.cancel()
            case Invoke():
                self._work[effect.key] = asyncio.create_task(self._invoke(effect))
            case ReadItems(key):
                self._work[key] = asyncio.create_task(self._read(effect))
            case WriteItems(key, bucket, name, text):
                self._world.objects[f"{bucket}/{name}"] = text
                self._post(Completed(self._now, key))

    # --- time ------------------------------------------------------------------------------

    def _post(self, event: Event) -> None:
        self._count += 1
        if isinstance(event, Fired):
            self._timers[event.key] = self._count
        heapq.heappush(self._due, (event.at, self._count, event))
        self._changed.set()

    async def _next(self) -> Event:
        """The next event; time passes until then."""
        while True:
            while self._due and self._is_stale(*self._due[0]):
                heapq.heappop(self._due)
            assert self._work or self._due, "the interpreter waits for nothing"
            self._changed.clear()
            busy = bool(self._work)
            if self._world.time == "real":
                self._now = clocks.monotonic() + self._offset
                ready = bool(self._due) and self._due[0][0] <= self._now
            else:
                # Work that is under way takes no virtual time: it comes before the clock moves.
                ready = bool(self._due) and (not busy or self._due[0][0] <= self._now)
                if ready and self._due[0][0] > self._now:
                    await asyncio.sleep(0)  # an answer may be on its way into this loop
                    ready = not self._changed.is_set()
            if ready or await self._is_overdue():
                at, _, event = heapq.heappop(self._due)
                self._now = max(self._now, at)
                return event

    def _is_stale(self, _: float, number: int, event: Event) -> bool:
        """Whether nobody waits for an event any longer; it must not move the clock either."""
        if isinstance(event, Fired):
            return self._timers.get(event.key) != number
        return event.key in self._cancelled

    async def _is_overdue(self) -> bool:
        """Wait until something changes; whether nothing did until the next event was due.

        In virtual time, too, work that hangs is late one day.
        """
        seconds = None
        if self._due:
            seconds = max(0.0, self._due[0][0] - self._now)
            if self._world.time == "virtual":
                seconds = max(seconds, self._world.patience)
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return not self._changed.is_set()
        return False

    # --- work ------------------------------------------------------------------------------

    async def _invoke(self, effect: Invoke) -> None:
        key = effect.key
        at = self._now
        try:
            value = await self._result(effect)
            later = value if isinstance(value, Later) else Later(value, 0)
            kind = Completed if effect.token is None else Submitted
            self._settle(key, kind(at + later.seconds, key, later.value))
        except TaskError as error:
            self._settle(key, Failed(at + error.after, key, error.name, error.cause))
        except UnhandledError as error:
            self._settle(key, Failed(at, key, RUNTIME, str(error), fatal=True))

    def _settle(self, key: str, event: Event) -> None:
        self._work.pop(key, None)
        self._post(event)

    async def _result(self, effect: Invoke) -> Json | Later:
        resource = effect.resource
        if children.starts(resource):
            return await self._start_child(effect)
        function, arguments = invocation(resource, effect.arguments)
        callback = None if effect.token is None else _Answer(self, effect.key)
        call = TaskCall(
            resource,
            arguments,
            effect.state,
            effect.execution,
            invocation_type(resource, effect.arguments),
            function,
            effect.token,
            callback,
        )
        return await self._perform(call)

    async def _perform(self, call: TaskCall) -> Json | Later:
        began, is_real = clocks.monotonic(), self._world.time == "real"

        def spent() -> float:
            seconds = clocks.monotonic() - began
            return seconds if seconds > self._world.patience and not is_real else 0.0

        try:
            value = await perform(self._world.tasks, call, aside=is_real)
        except TaskError as error:
            raise TaskError(error.name, error.cause, after=error.after + spent()) from error
        if not (late := spent()):
            return value
        later = value if isinstance(value, Later) else Later(value, 0)
        return Later(later.value, later.seconds + late)

    async def _start_child(self, effect: Invoke) -> Json | Later:
        arn, identity = children.identity_of(effect.arguments)
        machines = self._world.machines
        machine = machines.get(arn) or machines.get(identity.machine)
        if machine is None:
            call = TaskCall(effect.resource, effect.arguments, effect.state, effect.execution)
            try:
                return await self._perform(call)
            except UnhandledError:
                raise UnhandledError(unhandled(call)) from None
        given = children.input_of(effect.arguments)
        world, began = replace(self._world, watch=None), self._now
        is_waited_for = effect.resource.pattern.startswith("sync")
        outcome = await run(
            machine,
            given,
            world,
            identity=identity,
            started_at=began,
            stop_after=self._left(effect.key) if is_waited_for else None,
        )
        if not is_waited_for:
            return children.started(identity, outcome.started_at)
        took = max(0.0, outcome.ended_at - began)
        try:
            return Later(children.ended(effect.resource, identity, given, outcome), took)
        except TaskError as error:
            raise TaskError(error.name, error.cause, after=took) from None

    def _left(self, key: str) -> float | None:
        """Seconds until an execution that a task waits for is stopped with it, in virtual time."""
        if self._world.time == "real":
            return None
        limits = [at for at, _, event in self._due if event == Fired(at, f"{key}@timeout")]
        limits += [] if self._end is None else [self._end]
        return min(limits) - self._now if limits else None

    def answer(self, event: Event) -> None:
        """An event about a task with a token."""
        self._post(event)

    def moment(self, after: float) -> float:
        """A time from now."""
        return self._now + after

    # --- objects ---------------------------------------------------------------------------

    async def _read(self, effect: ReadItems) -> None:
        key, at = effect.key, self._now
        try:
            self._settle(key, Completed(at, key, await self._items(effect)))
        except (UnreadableError, TaskError) as error:
            cause = error.cause if isinstance(error, TaskError) else str(error)
            self._settle(key, Failed(at, key, RUNTIME, cause))

    async def _items(self, effect: ReadItems) -> Json:
        """A stored object or listing; what is not stored, whoever does the work may know."""
        objects, arguments = self._world.objects, effect.arguments
        if not holds(objects, arguments):
            call = TaskCall(effect.resource, arguments, effect.state, effect.execution)
            with suppress(UnhandledError):
                given = await self._perform(call)
                found = given.value if isinstance(given, Later) else given
                return found if isinstance(found, str | list) else text(found)
        return fetch(objects, arguments, self._now)


class _Answer:
    """Completes a task with a token."""

    def __init__(self, driver: _Driver, key: str) -> None:
        self._driver = driver
        self._key = key
        self._loop = asyncio.get_running_loop()

    def succeed(self, output: Json, *, after: float = 0) -> None:
        self._post(Completed(self._driver.moment(after), self._key, output))

    def fail(self, error: str, cause: str | None = None, *, after: float = 0) -> None:
        self._post(Failed(self._driver.moment(after), self._key, error, cause))

    def beat(self, *, after: float = 0) -> None:
        self._post(Beat(self._driver.moment(after), self._key))

    def _post(self, event: Event) -> None:
        # Whoever answers may do so from another thread.
        self._loop.call_soon_threadsafe(self._driver.answer, event)
