"""A pool of worker processes on one machine, and everything that may happen to them.

The pool itself never runs a function, so it always answers: it knows what each worker is doing,
takes back what has not begun, ends what takes too long, and says which call a worker died of. It
uses an event loop and nothing of Ray.

A call that has begun is never begun again, with one exception: when a worker dies while several
coroutines run in it, nobody can say which of them it was. They are then called once more, each
in a process of its own, except those that may run at most once: these are reported as lost.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import deque
from collections.abc import Callable, Mapping

from agentflow.errors import Json
from agentflow.functions.encoding import decode, dump
from agentflow.runtime.executors.calls import failure, lost_error, timeout_error
from agentflow.runtime.executors.cells import Running
from agentflow.runtime.executors.outstanding import Outstanding, Record
from agentflow.runtime.executors.process import Process
from agentflow.runtime.executors.wire import (
    INDEX,
    SECONDS,
    Job,
    Kind,
    Shape,
    frame,
)

AHEAD = 64
"""Jobs a worker may hold beyond what it runs, so that it never waits for the next one."""
GRACE = 1.0
"""Seconds a coroutine may take to end after it was cancelled; then its worker is killed."""
WATCH = 5.0
"""Seconds between two looks at the workers; one that was stopped at both is killed."""
STILLBORN = 3
"""Workers that die before they are ready, one after another, until no more are started."""
_SOON = 0.02


class WorkerPool:
    """`size` workers for jobs in order of arrival, and one more for each job set apart.

    `emit` receives frames for whoever gave the jobs: each job is answered by one that ends it.
    """

    def __init__(
        self,
        size: int,
        emit: Callable[[bytes], None],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._size = size
        self._emit = emit
        self._environment = environment
        self._queue: deque[Job] = deque()
        self._shared: list[Process] = []
        self._apart_queue: deque[Job] = deque()
        self._apart: list[Process] = []
        self._streams: list[Process] = []
        self._jobs = Outstanding()
        self._next_check = math.inf
        self._check_timer: asyncio.TimerHandle | None = None
        self._stillborn = 0
        self._broken = ""

    @property
    def outstanding(self) -> int:
        """Jobs that are not answered yet."""
        return len(self._jobs)

    def start(self) -> None:
        """Start the workers; jobs may be given before they are ready."""
        self._loop = asyncio.get_running_loop()
        for _ in range(self._size):
            self._shared.append(self._new_process())
        self._watch_timer = self._loop.call_later(WATCH, self._watch)

    def submit(self, job: Job) -> None:
        """Carry out a job."""
        self._jobs.add(job)
        if self._broken:
            self._fail(job.id, lost_error(self._broken))
            return
        self._enqueue(job)

    def withdraw(self, id: int) -> None:
        """Stop a job for good; it is not answered."""
        if self._jobs.forget(id) is not None:
            self._stop(id)

    def demand(self, id: int, count: int) -> None:
        """Allow a stream `count` more values."""
        record = self._jobs.get(id)
        if record is None:
            return
        record.job.demand += count  # should its process die before it begins
        holder = self._holder(id)
        if holder is not None:
            holder.allow(id, count)

    def recall(self, count: int) -> list[int]:
        """Give up `count` jobs, or fewer, that have not begun; they are not answered."""
        taken: list[Job] = []
        while self._queue and len(taken) < count:
            taken.append(self._queue.pop())
        for process in self._shared:
            taken += process.take_back(min(count - len(taken), process.load // 2))
        given_up = [job.id for job in taken if self._jobs.forget(job.id) is not None]
        self._feed()
        return given_up

    async def close(self) -> None:
        """Kill all workers, and what they have started."""
        self._jobs.clear()
        self._queue.clear()
        self._watch_timer.cancel()
        if self._check_timer is not None:
            self._check_timer.cancel()
        for process in self._processes():
            process.bury()
        for kin in (self._shared, self._apart, self._streams):
            kin.clear()

    # --- giving out ---

    def _enqueue(self, job: Job) -> None:
        if job.shape is Shape.STREAM:
            self._begin_alone(self._streams, job)
        elif job.apart:
            self._apart_queue.append(job)
            self._feed_apart()
        else:
            self._queue.append(job)
            self._feed()

    def _begin_alone(self, kin: list[Process], job: Job) -> None:
        process = self._new_process()
        kin.append(process)
        self._give(process, job)

    def _feed_apart(self) -> None:
        while self._apart_queue and len(self._apart) < max(1, self._size):
            job = self._apart_queue.popleft()
            if job.id in self._jobs:
                self._begin_alone(self._apart, job)

    def _new_process(self) -> Process:
        return Process(
            self._environment,
            on_frame=self._take_frame,
            on_line=self._take_line,
            on_death=self._take_death,
        )

    def _feed(self) -> None:
        """Give waiting jobs to the workers that hold the fewest; share out what has piled up."""
        self._hand_out()
        if any(process.load == 0 for process in self._shared) and self._relieve():
            self._hand_out()

    def _hand_out(self) -> None:
        while self._queue and self._shared:
            process = min(self._shared, key=_load)
            if process.load > AHEAD:
                return
            job = self._queue.popleft()
            if job.id in self._jobs and not self._give(process, job):
                self._queue.appendleft(job)
                return

    def _give(self, process: Process, job: Job) -> bool:
        if not process.give(job, self._jobs.file_for(job)):
            return False
        if job.timeout:
            self._check_by(time.monotonic() + job.timeout)
        return True

    def _relieve(self) -> bool:
        """Take back half of what waits at the busiest worker, for those that have nothing."""
        busiest = max(self._shared, key=_load)
        taken = busiest.take_back(busiest.load // 2)
        self._queue.extendleft(reversed(taken))
        return bool(taken)

    # --- taking in ---

    def _take_frame(self, process: Process, kind: Kind, id: int, payload: bytes) -> None:
        if kind is Kind.READY:
            process.is_ready = True
            self._stillborn = 0
            return
        record = self._jobs.get(id)
        match kind:
            case Kind.COMPLETED | Kind.FAILED | Kind.BATCH:
                if id not in process.aside:
                    process.hear(id)
                process.held.pop(id, None)
                process.aside.discard(id)
                if record is not None:
                    self._answer(kind, id, record.merge(payload) if kind is Kind.BATCH else payload)
                if process not in self._shared:
                    self._loop.call_soon(self._retire, process)
                self._feed()
            case Kind.ITEM if record is not None:
                (index,) = INDEX.unpack_from(payload)
                record.outcomes[index] = payload[INDEX.size :]
            case Kind.ASIDE if id in process.held:
                process.aside.add(id)
                self._feed()
            case Kind.YIELDED | Kind.PRINTED if record is not None:
                self._emit(frame(kind, id, payload))

    def _take_line(self, id: int, line: str) -> None:
        """What subprocesses and C code write belongs to the plain function that runs."""
        if id in self._jobs:
            self._emit(frame(Kind.PRINTED, id, line.encode()))

    def _answer(self, kind: Kind, id: int, payload: bytes) -> None:
        if self._jobs.forget(id) is not None:
            self._emit(frame(kind, id, payload))

    def _fail(self, id: int, error: Json, trace: Json = None) -> None:
        self._answer(Kind.FAILED, id, SECONDS.pack(0.0) + dump(failure(error, trace)))

    def _holder(self, id: int) -> Process | None:
        return next((p for p in self._processes() if id in p.held), None)

    def _retire(self, process: Process) -> None:
        if self._remove(process):
            process.bury()
            self._feed_apart()

    def _remove(self, process: Process) -> bool:
        for kin in (self._shared, self._apart, self._streams):
            if process in kin:
                kin.remove(process)
                return True
        return False

    def _processes(self) -> list[Process]:
        return [*self._shared, *self._apart, *self._streams]

    # --- time ---

    def _check_by(self, when: float) -> None:
        if when >= self._next_check:
            return
        if self._check_timer is not None:
            self._check_timer.cancel()
        self._next_check = when
        self._check_timer = self._loop.call_later(when - time.monotonic(), self._check)

    def _check(self) -> None:
        """End calls whose time is over, and see when to look again."""
        self._next_check = math.inf
        self._check_timer = None
        now = time.monotonic()
        for process in self._processes():
            for running in process.cells.running():
                limit = self._limit(running)
                if limit <= now and process.guilty is None:
                    process.kill(lambda r: self._limit(r) <= now)
                elif limit < math.inf:
                    self._check_by(limit)
        shortest = self._jobs.shortest_timeout()
        if shortest is not None:  # some of those may begin right now
            self._check_by(now + shortest)

    def _watch(self) -> None:
        """Kill workers that someone has stopped and not continued: they would never answer."""
        for process in self._processes():
            process.kill_if_frozen()
        self._watch_timer = self._loop.call_later(WATCH, self._watch)

    def _limit(self, running: Running) -> float:
        record = self._jobs.get(running.id)
        if record is None or not record.job.timeout:
            return math.inf
        return running.began + record.job.timeout + (GRACE if running.cell else 0.0)

    # --- stopping and dying ---

    def _stop(self, id: int) -> None:
        """End a job that nobody wants; again and again, until no worker holds it."""
        process = self._holder(id)
        if process is None or process.guilty is not None:
            return
        if id in process.aside:
            process.say(frame(Kind.WITHDRAW, id))
            self._loop.call_later(GRACE, self._kill_for, process, id)
            return
        if process.cells.plain() != id:
            self._queue.extendleft(reversed(process.take_back(len(process.held))))
            self._feed()
        if id in process.held:
            self._kill_for(process, id)
            self._loop.call_later(_SOON, self._stop, id)

    def _kill_for(self, process: Process, id: int) -> None:
        if id in process.held and process.guilty is None:
            process.kill(lambda running: running.id == id)

    def _take_death(self, process: Process) -> None:
        self._remove(process)
        waiting = process.take_back(len(process.held))
        held, running = process.held, process.cells.running()
        process.bury()
        begun = {r.id: r for r in running if r.id in held and r.id in self._jobs}
        waiting += [job for id, job in held.items() if id not in begun]
        waiting = [job for job in waiting if job.id in self._jobs]
        self._settle(process, list(begun.values()))
        self._replace(process)
        for job in reversed(waiting):
            if job.apart or job.shape is Shape.STREAM:
                self._enqueue(job)
            else:
                self._queue.appendleft(job)
        self._feed()
        self._feed_apart()

    def _settle(self, process: Process, begun: list[Running]) -> None:
        """Decide about what ran in a process that has died."""
        for running in begun:
            record = self._jobs.get(running.id)
            assert record is not None  # those that have begun are outstanding
            if process.guilty is not None:
                if running.id == process.guilty.id:
                    self._time_out(running, record)
                else:
                    self._call_again(record)
            elif len(begun) == 1 or record.job.apart or record.job.shape is Shape.BATCH:
                trace = process.frames_at_death(decode(record.job.about)[1])
                self._fail(running.id, lost_error(process.cause_of_death()), trace)
            else:
                self._call_again(record)

    def _time_out(self, running: Running, record: Record) -> None:
        job = record.job
        if job.shape is not Shape.BATCH:
            self._fail(job.id, timeout_error(job.timeout))
            return
        if running.cell:  # coroutines: which of them hangs shows when they run one at a time
            self._retry_apart(record)
            return
        record.outcomes[running.index] = dump(failure(timeout_error(job.timeout)))
        record.elapsed += job.timeout
        self._retry_apart(record)

    def _call_again(self, record: Record) -> None:
        """Make a call once more, whose worker died of another one, if it may be."""
        if record.job.once:
            self._fail(record.job.id, lost_error("it died of another call in it"))
        else:
            self._retry_apart(record)

    def _retry_apart(self, record: Record) -> None:
        job = record.rest()
        if job is None:
            self._answer(Kind.BATCH, record.job.id, record.merge(SECONDS.pack(0.0)))
        else:
            self._enqueue(job)

    def _replace(self, process: Process) -> None:
        if not process.is_ready:
            self._stillborn += 1
        if self._stillborn >= STILLBORN:
            self._broken = f"workers cannot start: {process.cause_of_death()}"
            for id in self._jobs.ids():
                self._fail(id, lost_error(self._broken))
            self._queue.clear()
        elif len(self._shared) < self._size:
            self._shared.append(self._new_process())


def _load(process: Process) -> int:
    return process.load
