"""Calls on Ray: light ones in pools of worker processes, heavy ones as Ray tasks of their own.

Ray places processes and carries bytes; it decides nothing. Its retries are off at every call
site, it is never asked for an object a function made, and whether a call is done is known from
frames that our own code wrote.

When a host is lost with its node, nobody can say what had begun there. Its calls are then given to
another host; one that was lost with three of them is reported as `WorkerLost`. Batches and streams
are reported at once: the machine splits or reopens them. So are calls that may run at most once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from agentflow.errors import Json, Unavailable, fault_value
from agentflow.runtime.executors.agents import NoMemory, is_agent
from agentflow.runtime.executors.agents_ray import RayAgents
from agentflow.runtime.executors.calls import lost_error
from agentflow.runtime.executors.protocol import Memory, Report, Reporter, Task
from agentflow.runtime.executors.ray_exchange import said
from agentflow.runtime.executors.ray_host import alone_function, host_class
from agentflow.runtime.executors.ray_link import Given, Link, died
from agentflow.runtime.executors.ray_nodes import missing, nodes, shares
from agentflow.runtime.executors.ray_start import RaySession
from agentflow.runtime.executors.reports import failed, job_of, joined, report_of
from agentflow.runtime.executors.wire import Shape, frames
from agentflow.spec.model import Resources

_LOSSES = 3
"""Hosts that may be lost with a call until it is not given to another one."""
_STARTS = 3
"""Hosts that may die on a node while they start, until Ray counts as unable to."""
_AHEAD = 32
"""Tasks per worker that one of several hosts is given ahead of time."""


class RayExecutor:
    """Carries out tasks on Ray; see `RaySession` for which Ray.

    `parallel` is the number of worker processes in all, by default one for each CPU. `root` is the
    project that a cluster at an address is given; on a Ray of our own it is where it is.
    """

    phase: str | None = "starting Ray"

    def __init__(
        self,
        *,
        parallel: int | None = None,
        address: str | None = None,
        root: Path | None = None,
    ) -> None:
        self.parallel = parallel or 1
        self._wanted = parallel
        self._session = RaySession(address, root)
        self._ids = count(1)
        self._tasks: dict[tuple[str, str], int] = {}
        self._where: dict[int, Link | Alone] = {}
        self._queue: deque[Given] = deque()
        self._links: list[Link] = []
        self._own: list[Link] = []
        """Hosts of one stream each, which asked for resources."""
        self._reports: list[Report] = []
        self._closed = False
        self.memory: Memory = NoMemory()
        self._agents = RayAgents(self.tell, lambda: self.memory, lambda: self.inside)

    @property
    def owns_ray(self) -> bool:
        """Whether Ray was started here, and ends here."""
        return self._session.is_own

    @property
    def inside(self) -> str | None:
        """Where the project is below the working directory of Ray's workers."""
        return self._session.inside

    def begin(self) -> None:
        """Begin to start Ray, from any thread, while nothing else is ready for it.

        Whoever has begun calls `abandon` if it comes to no `start`.
        """
        self._session.open()

    def abandon(self) -> None:
        """End what has begun; waits for that."""
        self._session.close()

    async def start(self, report: Reporter) -> None:
        """Connect to Ray and start the workers.

        Raises:
            Unavailable: Ray is not installed, does not start or cannot be reached.
        """
        self._report = report
        self._loop = asyncio.get_running_loop()
        await asyncio.wrap_future(self._session.open())
        self._nodes = nodes()
        parts = shares(self._nodes, self._wanted)
        self.parallel = sum(size for _, size in parts)
        try:
            await asyncio.gather(*(self._start_host(*share) for share in parts))
        except Exception as error:
            await self.close()
            raise _unable(error) from error

    async def _start_host(self, node: str, size: int) -> None:
        """Have a host on a node; one that dies while it starts is replaced, a few times.

        Raises:
            Exception: whatever Ray raises when it cannot be started at all.
        """
        for last in (False,) * (_STARTS - 1) + (True,):
            link = self._link(size, node=node)
            try:
                await link.ready()
            except Exception as error:
                if last or not died(error):
                    raise
            else:
                self._links.append(link)
                return

    def submit(self, tasks: Sequence[Task]) -> None:
        """Take tasks; return at once."""
        for task in tasks:
            self.withdraw(task.execution, task.key)
            if is_agent(task):
                self._agents.submit(task)
                continue
            id = next(self._ids)
            self._tasks[task.execution, task.key] = id
            given = Given(id, task, job_of(id, task))
            if task.resources is None:
                self._queue.append(given)
            elif missing := self._missing(task.resources):
                self.fail(task, fault_value("ResourcesUnavailable", missing))
            elif task.kind == "stream":
                self._give(self._own_link(task), given)
            else:
                self._where[id] = Alone(self, given)
        self._distribute()
        for link in self._links:
            link.send()

    def withdraw(self, execution: str, key: str) -> None:
        """Stop a task for good."""
        self._agents.withdraw(execution, key)
        id = self._tasks.pop((execution, key), None)
        where = self._where.pop(id, None) if id is not None else None
        if where is not None and id is not None:
            where.withdraw(id)

    def demand(self, execution: str, key: str, count: int) -> None:
        """Allow a stream `count` more values."""
        id = self._tasks.get((execution, key), 0)
        where = self._where.get(id)
        if isinstance(where, Link):
            where.demand(id, count)

    async def close(self) -> None:
        """End all workers, and Ray if it was started here."""
        self._closed = True
        for where in list(self._where.values()):
            if isinstance(where, Alone):
                where.withdraw(where.given.id)
        await self._agents.close()
        await asyncio.gather(*(link.close() for link in (*self._links, *self._own)))
        await asyncio.to_thread(self._session.close)

    # --- giving out ---

    def _distribute(self) -> None:
        """Give waiting tasks to the hosts that have the fewest; to a single host all of them."""
        most = _AHEAD if len(self._links) > 1 else float("inf")
        while self._queue and self._links:
            link = min(self._links, key=_load)
            if link.load >= most:
                return
            given = self._queue.popleft()
            if self._is_wanted(given):
                self._give(link, given)
        for idle in self._links if len(self._links) > 1 else ():
            if not idle.given:
                self._relieve()

    def _relieve(self) -> None:
        """Have the busiest host give back half of what it has not begun."""
        busiest = max(self._links, key=_load)
        if busiest.load > 1:
            busiest.recall(int(len(busiest.given) - busiest.size + 1) // 2)

    def _give(self, link: Link, given: Given) -> None:
        self._where[given.id] = link
        link.submit(given)

    def _is_wanted(self, given: Given) -> bool:
        return self._tasks.get((given.task.execution, given.task.key)) == given.id

    def _link(self, size: int, *, node: str | None = None, options: Any = None) -> Link:
        options = dict(options or {"num_cpus": 0})
        if node is not None:
            from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node, soft=False)
        actor = (
            host_class()
            .options(max_restarts=0, max_task_retries=0, **options)
            .remote(size, self.inside)
        )
        return Link(
            actor,
            size,
            on_reports=self._hear,
            on_returned=self._take_back,
            on_loss=self._lose,
        )

    def _own_link(self, task: Task) -> Link:
        link = self._link(0, options=resource_options(task))
        self._own.append(link)
        return link

    # --- taking in ---

    def tell(self, reports: Sequence[Report]) -> None:
        """Pass reports on at the end of this turn of the loop."""
        if not self._reports:
            self._loop.call_soon(self._flush)
        self._note(reports)

    def _hear(self, reports: Sequence[Report]) -> None:
        """Pass on at once what a host says; it may take more tasks now."""
        self._note(reports)
        self._distribute()
        self._flush()

    def _note(self, reports: Sequence[Report]) -> None:
        for report in reports:
            if report.kind not in {"yielded", "printed"}:
                id = self._tasks.pop((report.execution, report.key), 0)
                where = self._where.pop(id, None)
                if where in self._own:
                    self._loop.create_task(self._close_own(where))
        self._reports.extend(reports)

    def _flush(self) -> None:
        reports, self._reports = self._reports, []
        if reports and not self._closed:
            self._report(joined(reports))

    async def _close_own(self, link: Any) -> None:
        self._own.remove(link)
        await link.close()

    def _take_back(self, given: Given) -> None:
        if self._is_wanted(given):
            self._where.pop(given.id, None)
            self._queue.appendleft(given)
            self._distribute()

    def _lose(self, link: Link, reason: str) -> None:
        """A host is gone: start another, and make its calls once more."""
        if self._closed:
            return
        is_own = link in self._own
        (self._own if is_own else self._links).remove(link)
        if not is_own:
            self._links.append(self._link(link.size))
        for given in link.given.values():
            if not self._is_wanted(given):
                continue
            given.losses += 1
            if given.job.shape is not Shape.CALL or given.job.once or given.losses >= _LOSSES:
                self.lose(given, f"its host was lost: {reason}")
            else:
                self._queue.append(given)
        self._distribute()

    def lose(self, given: Given, reason: str) -> None:
        """Report a task as lost."""
        self.fail(given.task, lost_error(reason))

    def fail(self, task: Task, error: Json) -> None:
        """Report a task as failed for a reason of the executor's own."""
        self.tell([failed(task, error)])

    def _missing(self, asked: Resources) -> str:
        """What no node of a Ray of our own has, in words; a cluster may still grow."""
        return missing(asked, self._nodes) if self._session.is_own else ""


class Alone:
    """A call that asked for resources: a Ray task of its own."""

    def __init__(self, executor: RayExecutor, given: Given) -> None:
        self.given = given
        self._executor = executor
        options = resource_options(given.task)
        self._reference = (
            alone_function()
            .options(max_retries=0, retry_exceptions=False, **options)
            .remote(given.job.pack(), executor.inside)
        )
        self._waiting = asyncio.get_running_loop().create_task(self._wait())

    def withdraw(self, id: int) -> None:
        """Kill the task, and with it its worker process."""
        import ray

        del id
        self._waiting.cancel()
        with suppress(Exception):  # it may have ended
            ray.cancel(self._reference, force=True)

    async def _wait(self) -> None:
        try:
            answer: bytes = await self._reference
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # Ray raises whatever it raises
            self._executor.lose(self.given, said(error))
            return
        self._executor.tell(
            [report_of(self.given.task, kind, payload) for kind, _, payload in frames(answer)]
        )


def resource_options(task: Task) -> dict[str, Any]:
    """What Ray is asked for, in its words."""
    asked = task.resources
    assert asked is not None
    options = {
        "num_cpus": asked.num_cpus,
        "num_gpus": asked.num_gpus,
        "memory": asked.memory,
        "runtime_env": asked.runtime_env,
    }
    return {name: value for name, value in options.items() if value is not None}


def _unable(error: Exception) -> Unavailable:
    """Why no host starts, as far as what Ray says can be understood."""
    words = said(error)
    advice = "is Ray well? `ray status` on a node shows it"
    if "RuntimeEnvSetupError" in words:
        advice = "nodes need `pip` and room on their disks to take the project and this package"
    elif "ModuleNotFoundError" in words or "ImportError" in words:
        advice = "is agentflow installed on every node of the cluster?"
    return Unavailable(f"Ray cannot start workers: {words}", help=advice)


def _load(link: Link) -> float:
    return link.load
