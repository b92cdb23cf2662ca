"""One instance of an agent on one machine: its process, the calls in it and those that wait.

It uses an event loop and nothing of Ray. No call runs here, so it always answers. A call that was
asked for before, by an engine that died before it recorded the answer, is not made again: it gets
the same answer, or waits for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping
from itertools import count

from agentflow.errors import Json
from agentflow.functions.agents import AgentOptions
from agentflow.functions.encoding import decode, dump
from agentflow.runtime.executors.agents_wire import RETURNED, asked_before
from agentflow.runtime.executors.calls import failure, lost_error, timeout_error
from agentflow.runtime.executors.outstanding import Outstanding
from agentflow.runtime.executors.pool import GRACE, STILLBORN, WATCH
from agentflow.runtime.executors.process import Process
from agentflow.runtime.executors.wire import SECONDS, Job, Kind, frame

_REMEMBERED = 256
"""Answers that are kept for those who ask again."""
_REMEMBERED_BYTES = 64 * 1024
"""A longer answer is not kept."""
_SOON = 0.02


class Ask:
    """A call that is not answered yet."""

    def __init__(self, job: Job, token: str) -> None:
        self.job = job
        self.token = token
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.said: list[bytes] = []
        """Frames that belong to the answer."""
        self.is_async = False
        self.timer: asyncio.TimerHandle | None = None

    def settle(self, last: bytes) -> bytes:
        """Answer it."""
        if self.timer is not None:
            self.timer.cancel()
        whole = b"".join([*self.said, last])
        if not self.answer.done():
            self.answer.set_result(whole)
        return whole


class AgentSeat:
    """Holds one instance; its process is started by the first call, and again after a crash."""

    def __init__(self, options: AgentOptions, environment: Mapping[str, str]) -> None:
        self._options = options
        self._environment = environment
        self._ids = count(1)
        self._asks: dict[str, Ask] = {}
        self._answered: OrderedDict[str, bytes] = OrderedDict()
        self._waiting: deque[Ask] = deque()
        self._running: dict[int, Ask] = {}
        self._jobs = Outstanding()
        self._process: Process | None = None
        self._stillborn = 0
        self._loop = asyncio.get_running_loop()
        self._watch_timer = self._loop.call_later(WATCH, self._watch)

    @property
    def is_free(self) -> bool:
        """Whether no call waits or runs."""
        return not self._asks

    async def call(self, packed: bytes) -> bytes:
        """Make a call; gives the frames of its answer, or `RETURNED` if it has not begun."""
        job = Job.unpack(packed)
        token = asked_before(job)
        if token in self._answered:
            return self._answered[token]
        if token not in self._asks:
            job.id = next(self._ids)
            self._asks[token] = ask = Ask(job, token)
            self._waiting.append(ask)
            self._jobs.add(job)
            self._feed()
        else:
            ask = self._asks[token]
        return await asyncio.shield(ask.answer)

    def withdraw(self, token: str) -> None:
        """Nobody wants a call any more: stop it, if need be with its instance."""
        ask = self._asks.get(token)
        if ask is None:
            return
        if ask in self._waiting:
            self._waiting.remove(ask)
            self._finish(ask, RETURNED)
        elif ask.is_async and self._process is not None:
            self._process.say(frame(Kind.WITHDRAW, ask.job.id))
            self._loop.call_later(GRACE, self._kill_for, ask)
        else:
            self._kill_for(ask)

    def close(self) -> None:
        """Kill the process."""
        self._watch_timer.cancel()
        if self._process is not None:
            self._process.bury()
            self._process = None
        self._jobs.clear()

    # --- giving out ---

    def _feed(self) -> None:
        while self._waiting and len(self._running) < self._options.max_concurrency:
            ask = self._waiting[0]
            if self._process is None:
                self._process = Process(
                    self._environment,
                    on_frame=self._take_frame,
                    on_line=self._take_line,
                    on_death=self._take_death,
                    module="agents_worker",
                )
            if not self._process.give(ask.job, self._jobs.file_for(ask.job)):
                self._loop.call_later(_SOON, self._feed)
                return
            self._waiting.popleft()
            self._running[ask.job.id] = ask

    # --- taking in ---

    def _take_frame(self, process: Process, kind: Kind, id: int, payload: bytes) -> None:
        if kind is Kind.READY:
            process.is_ready = True
            self._stillborn = 0
            return
        ask = self._running.get(id)
        if ask is None:
            return
        match kind:
            case Kind.BEGUN:
                self._limit(ask, ask.job.timeout)
            case Kind.ASIDE:
                ask.is_async = True
                process.aside.add(id)
                self._limit(ask, ask.job.timeout and ask.job.timeout + GRACE)
            case Kind.PRINTED | Kind.STATE:
                ask.said.append(frame(kind, id, payload))
            case Kind.COMPLETED | Kind.FAILED:
                if not ask.is_async:
                    process.hear(id)
                process.held.pop(id, None)
                process.aside.discard(id)
                self._remember(ask.token, self._finish(ask, frame(kind, id, payload)))
                self._feed()

    def _take_line(self, id: int, line: str) -> None:
        """What subprocesses and C code write belongs to the plain method that runs."""
        ask = self._running.get(id)
        if ask is not None:
            ask.said.append(frame(Kind.PRINTED, id, line.encode()))

    def _finish(self, ask: Ask, last: bytes) -> bytes:
        self._running.pop(ask.job.id, None)
        self._asks.pop(ask.token, None)
        self._jobs.forget(ask.job.id)
        return ask.settle(last)

    def _fail(self, ask: Ask, error: Json, trace: Json = None) -> None:
        said = SECONDS.pack(0.0) + dump(failure(error, trace))
        self._finish(ask, frame(Kind.FAILED, ask.job.id, said))

    def _remember(self, token: str, whole: bytes) -> None:
        if len(whole) <= _REMEMBERED_BYTES:
            self._answered[token] = whole
            if len(self._answered) > _REMEMBERED:
                self._answered.popitem(last=False)

    # --- time and death ---

    def _limit(self, ask: Ask, seconds: float) -> None:
        if ask.timer is not None:
            ask.timer.cancel()
        if seconds:
            ask.timer = self._loop.call_later(seconds, self._kill_for, ask)

    def _kill_for(self, ask: Ask) -> None:
        """End the instance because of a call that does not."""
        if ask.job.id in self._running and self._process is not None:
            self._process.kill(lambda running: running.id == ask.job.id)

    def _watch(self) -> None:
        """Kill a process that someone has stopped and not continued: it would never answer."""
        if self._process is not None:
            self._process.kill_if_frozen()
        self._watch_timer = self._loop.call_later(WATCH, self._watch)

    def _take_death(self, process: Process) -> None:
        """The instance is gone, and with it what runs in it; what waits is asked for again.

        It is asked for again so that it comes with the state that is recorded by then. What had
        been answered and not recorded went with the instance, too.
        """
        self._process = None
        not_begun = {job.id for job in process.take_back(len(process.held))}
        guilty = process.guilty.id if process.guilty is not None else 0
        process.bury()
        self._stillborn += not process.is_ready
        self._answered.clear()
        cause = process.cause_of_death()
        hopeless = self._stillborn >= STILLBORN
        for ask in [*self._running.values(), *self._waiting]:
            if hopeless:
                self._fail(ask, lost_error(f"its instance cannot start: {cause}"))
            elif ask.job.id not in self._running or ask.job.id in not_begun:
                self._finish(ask, RETURNED)
            elif ask.job.id == guilty:
                self._fail(ask, timeout_error(ask.job.timeout))
            elif guilty:
                self._fail(ask, lost_error("another call in its instance could not be stopped"))
            else:
                trace = process.frames_at_death(decode(ask.job.about)[1])
                self._fail(ask, lost_error(cause), trace)
        self._waiting.clear()
