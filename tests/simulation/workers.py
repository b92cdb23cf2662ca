"""Simulated workers, and the ledger in which they note what they really did.

The ledger is independent of the engine: workers write it when they begin and when they are done,
whatever becomes of their reports.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from agentflow.errors import Json
from agentflow.runtime.executors.protocol import Report, Reporter, Task
from agentflow.runtime.machine.calls import CRASH_BUDGET
from tests.simulation.functions import WORKER_LOST, Answer, answer, item_key

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

_EVENT_TYPES = {
    "completed": "call.completed",
    "failed": "call.failed",
    "batch": "batch.completed",
}

Trouble = Literal["", "dies early", "dies late", "zombie", "twice"]


@dataclass(frozen=True, slots=True)
class Start:
    """A worker began a call, or an item of a batch."""

    order: int
    execution: str
    key: str
    attempt: int
    process: str
    epoch: int
    """Under which the process that asked for it owned the execution; -1 if it did not."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A process was told what became of a call."""

    order: int
    execution: str
    what: tuple[str, int, str]
    """Key, attempt and type of the event that this makes."""
    epoch: int
    """Under which the process owned the execution then."""


@dataclass(slots=True)
class Ledger:
    """What workers did."""

    starts: list[Start] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    results: set[tuple[str, str, int, str]] = field(default_factory=set)
    """`(execution, key, attempt, what)` of each result that a worker really came to."""


class Workers:
    """The workers of all processes of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ledger = Ledger()
        self._losses: Counter[tuple[str, str]] = Counter()

    def trouble(self, task: Task) -> Trouble:
        """What goes wrong with a call, besides what its function does by itself."""
        weather, rng = self.world.weather, self.world.rng
        if rng.random() < weather.report_twice and task.kind != "stream":
            return "twice"
        place = (task.execution, task.key)
        # A call that loses its worker again and again is taken for the culprit; by chance alone
        # that must not happen here, or the outcome would not be known.
        if self._losses[place] + 1 >= CRASH_BUDGET:
            return ""
        if rng.random() < weather.worker_lost:
            self._losses[place] += 1
            return rng.choice(("dies early", "dies late"))
        if rng.random() < weather.zombie:
            self._losses[place] += 1
            return "zombie"
        return ""


class Port:
    """The workers as one process sees them: its executor."""

    phase: str | None = None

    def __init__(self, process: Process, workers: Workers, parallel: int) -> None:
        self.parallel = parallel
        self.process = process
        self.workers = workers
        self._runs: dict[tuple[str, str], Run] = {}
        self._inbound: deque[tuple[Run, Report]] = deque()
        self._report: Reporter

    async def start(self, report: Reporter) -> None:
        """Get ready; takes no time."""
        self._report = report

    def submit(self, tasks: Sequence[Task]) -> None:
        """Take tasks, unless the process dies on the way."""
        for task in tasks:
            self.process.point("submit")
            self.withdraw(task.execution, task.key)
            live = self.process.host.orchestrator.live(task.execution)
            run = Run(self, task, -1 if live is None else live.epoch)
            self._runs[task.execution, task.key] = run
            run.go()
        self.process.point("submit")

    def withdraw(self, execution: str, key: str) -> None:
        """Stop a task, or believe so."""
        run = self._runs.pop((execution, key), None)
        if run is not None:
            run.withdraw()

    def demand(self, execution: str, key: str, count: int) -> None:
        """Allow a stream `count` more values."""
        run = self._runs.get((execution, key))
        if run is not None:
            run.demand(count)

    async def close(self) -> None:
        """Stop everything."""
        for execution, key in list(self._runs):
            self.withdraw(execution, key)

    def deliver(self, run: Run, report: Report) -> None:
        """Give a report to the process, when it is awake, if it is alive."""
        self._inbound.append((run, report))
        if len(self._inbound) == 1:
            self._hear()

    def _hear(self) -> None:
        """Give the process what has arrived, in order, unless it is frozen."""
        process, world = self.process, self.workers.world
        if process.frozen_until > world.loop.now:
            world.loop.call_at(process.frozen_until, self._hear)
            return
        while self._inbound:
            self._give(*self._inbound[0])
            self._inbound.popleft()

    def _give(self, run: Run, report: Report) -> None:
        process, world = self.process, self.workers.world
        if process.life.ended:
            return
        place = (report.execution, report.key)
        newer = self._runs.get(place)
        if (run.withdrawn and run.task.kind == "stream") or _same_attempt(newer, run):
            return  # an executor knows its runs apart; only what it has forgotten may come late
        if report.kind != "yielded" and self._runs.get(place) is run:
            del self._runs[place]
        world.note(f"{process.name} hears {report.kind} {report.execution} {report.key}"
                   f" #{report.attempt}")  # fmt: skip
        live = process.host.orchestrator.live(report.execution)
        if live is not None and report.kind in _EVENT_TYPES:
            what = (report.key, report.attempt, _EVENT_TYPES[report.kind])
            delivery = Delivery(world.tick(), report.execution, what, live.epoch)
            self.workers.ledger.deliveries.append(delivery)
        self._report([report])


def _same_attempt(newer: Run | None, run: Run) -> bool:
    return newer not in (None, run) and newer.task.attempt == run.task.attempt


class Run:
    """One task with a worker."""

    def __init__(self, port: Port, task: Task, epoch: int) -> None:
        self.port = port
        self.task = task
        self.withdrawn = False
        self._epoch = epoch
        self._world = port.workers.world
        self._trouble: Trouble = port.workers.trouble(task)
        if self._trouble:
            self._world.count(f"worker: {self._trouble}")
        rng, weather = self._world.rng, self._world.weather
        self._obeys = rng.random() >= weather.disobedience
        self._survives = rng.random() < weather.survival
        self._delay = rng.choice((0.0, 0.001, 0.01, 0.05))
        self._seconds = rng.choice((0.001, 0.01, 0.05, 0.2, 0.5))
        self._demand = task.demand
        self._given = task.skip
        self._is_busy = True
        """Whether the worker is about to do something by itself."""
        self._is_dead = False
        """A stream's worker died between two values; what it said before may still be heard."""

    def go(self) -> None:
        """Begin when a worker is free."""
        self._world.loop.call_later(self._delay, self._begin)

    def withdraw(self) -> None:
        """It is no longer wanted."""
        self.withdrawn = True

    def demand(self, count: int) -> None:
        """More values may be given."""
        self._demand += count
        if not self._is_busy:
            self._yield_soon()

    @property
    def _is_over(self) -> bool:
        """Whether the worker has stopped."""
        if self._is_dead or (self.port.process.life.ended and not self._survives):
            return True
        return self.withdrawn and self._obeys

    @property
    def _is_unwanted(self) -> bool:
        """Whether nobody waits for it any more, though it goes on."""
        return self.withdrawn or self.port.process.life.ended

    def _begin(self) -> None:
        if self._is_over:
            return
        for key in self._keys():
            self.port.workers.ledger.starts.append(
                Start(
                    self._world.tick(),
                    self.task.execution,
                    key,
                    self.task.attempt,
                    self.port.process.name,
                    self._epoch,
                )
            )
        self._world.note(f"worker begins {self.task.execution} {self.task.key} "
                         f"#{self.task.attempt} for {self.port.process.name}"
                         f" {self._trouble}")  # fmt: skip
        if self.task.kind == "stream":
            self._answer = self._answers()[0]
            self._yield_soon()
            return
        later = self._world.loop.call_later
        match self._trouble:
            case "dies early":
                later(self._seconds, self._lose)
            case "dies late":
                later(self._seconds, self._finish, False)
                later(self._seconds + 0.01, self._lose)
            case "zombie":
                later(self._seconds, self._lose)
                later(self._seconds + self._world.rng.random(), self._finish, True)
            case "twice":
                later(self._seconds, self._finish, True)
                later(self._seconds + self._world.rng.random() / 5, self._finish, True)
            case _:
                later(self._seconds, self._finish, True)

    def _keys(self) -> list[str]:
        if self.task.kind != "batch":
            return [self.task.key]
        return [item_key(self.task.key, place) for place in range(len(self.task.calls))]

    def _answers(self) -> list[Answer]:
        task = self.task
        return [
            answer(self._world.seed, task.execution, key, task.attempt, task.function, given)
            for key, given in zip(self._keys(), task.calls, strict=True)
        ]

    def _lose(self) -> None:
        """The engine is told that the worker died."""
        if not self._is_over:
            self._tell(Report(*self._about, "failed", error=WORKER_LOST))

    def _finish(self, reports: bool) -> None:
        """The function is done: that is a fact, whoever hears of it."""
        if self._is_over:
            return
        answers = self._answers()
        if any(given.fate == "death" for given in answers):
            report = Report(*self._about, "failed", error=WORKER_LOST)
        elif self.task.kind == "batch":
            outcomes = [
                {"value": given.value}
                if given.fate == "value"
                else {"error": given.value, "trace": None}
                for given in answers
            ]
            report = Report(*self._about, "batch", values=outcomes, elapsed=self._seconds)
        elif answers[0].fate == "value":
            report = Report(*self._about, "completed", value=answers[0].value)
        else:
            report = Report(*self._about, "failed", error=answers[0].value)
        if self._is_unwanted:
            self._world.count("worker: goes on unwanted")
        self._record(report.kind, report.values if report.kind == "batch" else report.value)
        if reports:
            self._tell(report)

    def _yield_soon(self) -> None:
        self._is_busy = True
        self._world.loop.call_later(self._seconds / 4, self._yield)

    def _yield(self) -> None:
        """Give the next values of a stream, as far as there is demand."""
        self._is_busy = False
        if self._is_over:
            return
        left = self._answer.value[self._given :]
        if not left:
            self._record("completed", None)
            self._tell(Report(*self._about, "completed"))
            return
        if self._trouble and self._given > self.task.skip:
            self._lose()
            if self._trouble != "zombie":
                self._is_dead = True
                return
            self._trouble = ""
        if self._demand <= 0:
            return
        values = left[: self._world.rng.randint(1, self._demand)]
        self._demand -= len(values)
        self._given += len(values)
        for place, value in enumerate(values, self._given - len(values)):
            self._record(f"yielded {place}", value)
        self._tell(Report(*self._about, "yielded", values=values))
        self._yield_soon()

    @property
    def _about(self) -> tuple[str, str, int]:
        return self.task.execution, self.task.key, self.task.attempt

    def _record(self, kind: str, value: Json) -> None:
        self.port.workers.ledger.results.add((*self._about, f"{kind} {value}"))

    def _tell(self, report: Report) -> None:
        self.port.deliver(self, report)
