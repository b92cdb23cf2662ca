"""What an execution is doing, as counters: fed by notices, read by whatever shows them.

Pure: no clock, no output. Steps of the outermost block run in order, so that a sign of one step
means that all before it are over; that, and the keys of events and commands, is all it takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from agentflow.cli import places
from agentflow.cli.items import Items
from agentflow.runtime.journal.protocol import ENDED
from agentflow.runtime.machine import protocol as p
from agentflow.spec import model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow.errors import Json
    from agentflow.runtime.journal.protocol import Status

State = Literal["pending", "running", "succeeded", "skipped", "failed", "cancelled"]

_SILENT = (model.Set, model.Switch, model.Loop, model.Try, model.Raise, model.Return)
"""Actions that may run and leave no sign of their own in the journal."""


@dataclass(slots=True)
class StepProgress:
    """One step of the outermost block. Times are Unix seconds, from the events."""

    id: str
    action: model.Action
    has_condition: bool
    state: State = "pending"
    started: float | None = None
    ended: float | None = None
    items: Items | None = None
    """The map or pipeline that was opened last, the outermost of nested ones."""
    running: int = 0
    """Calls that are under way."""
    retries: int = 0
    """Attempts that were made again, so far."""
    retrying: set[str] = field(default_factory=set)
    """Keys that wait for their next attempt."""
    waits: dict[str, str] = field(default_factory=dict)
    """What it waits for from outside, by key: `approval`, `a message "paid"`, `a time`."""


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step gave its first sign."""

    at: float
    step: StepProgress


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step is over."""

    at: float
    step: StepProgress


@dataclass(frozen=True, slots=True)
class ItemsCounted:
    """More items of a step are done."""

    at: float
    step: StepProgress


@dataclass(frozen=True, slots=True)
class Retrying:
    """An attempt failed, and the next one will be made `delay` seconds later."""

    at: float
    key: str
    attempt: int
    """The attempt to come."""
    attempts: int | None
    """How many there may be in all, where the spec says so."""
    delay: float
    error: Json


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step waits for a message from outside."""

    at: float
    key: str
    name: str
    """What the message must be called."""
    approval: bool


Happening: TypeAlias = StepStarted | StepEnded | ItemsCounted | Retrying | Waiting


class Progress:
    """The state of one execution's outermost steps."""

    def __init__(self, workflow: model.Workflow, execution: str | None = None) -> None:
        self.workflow = workflow
        self.execution = execution
        """Notices of other executions (children) are passed over; `None` takes the first seen."""
        self.steps = [
            StepProgress(step.id, step.action, has_condition=step.when is not None)
            for step in workflow.do.steps
        ]
        self.started: float | None = None
        self.status: Status = "running"
        self._place = {step.id: place for place, step in enumerate(self.steps)}
        self._reached = 0
        self._at = 0.0
        self._asked: dict[str, int] = {}
        """Calls under way by key, with how many items each carries."""
        self._failures: dict[str, tuple[int, Json]] = {}
        """The last attempt and error of keys that failed and may be tried again."""
        self._happenings: list[Happening] = []

    def feed(
        self, execution: str, events: Sequence[p.Event], commands: Sequence[p.Command] = ()
    ) -> list[Happening]:
        """Take what one commit changed; returns what is worth telling, in order."""
        if self.execution is None:
            self.execution = execution
        if execution != self.execution:
            return []
        self._happenings = []
        changed: dict[str, StepProgress] = {}
        for event in events:
            self._at = event.at
            step = self._take(event)
            if step is not None and step.items is not None:
                changed[step.id] = step
        for command in commands:
            self._issue(command)
        for step in changed.values():
            if step.items is not None and step.state == "running":
                step.items.settle()
                self._tell(ItemsCounted(self._at, step))
        return self._happenings

    def conclude(self, status: Status, origin: str | None, at: float) -> list[Happening]:
        """The execution is over; `origin` is the key of the step its error came from."""
        if self.status in ENDED:
            return []
        self._happenings = []
        self._at = at
        self._end(status, origin)
        return self._happenings

    def _tell(self, happening: Happening) -> None:
        self._happenings.append(happening)

    # --- what happened ------------------------------------------------------------------------

    def _take(self, event: p.Event) -> StepProgress | None:
        match event:
            case p.Started():
                self.started = event.at
            case p.Ended(status=status, origin=origin):
                self._end(status, origin)
            case p.Resumed() | p.CancelRequested():
                pass
            case _:
                step = self._sign_of(event.key)
                if step is not None:
                    self._answer(step, event)
                return step
        return None

    def _answer(self, step: StepProgress, event: p.Event) -> None:
        match event:
            case p.TimerFired(key=key):
                step.retrying.discard(key)
                step.waits.pop(key, None)
                self._count(step, key, -1)
            case p.CallCompleted(key=key) | p.ChildEnded(key=key) | p.EventEmitted(key=key):
                self._answered(step, key)
                if step.items is not None:
                    step.items.call_ended(key, None)
            case p.MessageReceived(key=key):
                step.waits.pop(key, None)
                self._count(step, key, -1)
            case p.CallFailed(key=key, error=error, attempt=attempt):
                self._answered(step, key)
                self._failures[key] = (attempt, error)
                if step.items is not None:
                    step.items.call_ended(key, error)
            case p.BatchCompleted(key=key, outcomes=outcomes):
                self._answered(step, key)
                if step.items is not None:
                    step.items.batch_ended(key, outcomes)
            case _:
                pass

    def _answered(self, step: StepProgress, key: str) -> None:
        step.running -= self._asked.pop(key, 0)
        self._count(step, key, -1)

    # --- what is asked for --------------------------------------------------------------------

    def _issue(self, command: p.Command) -> None:
        match command:
            case p.Finish(status=status, origin=origin):
                self._end(status, origin)
                return
            case p.Demand():
                return
            case p.Withdraw(key=key):
                self._withdraw(key)
                return
        step = self._sign_of(command.key)
        if step is None:
            return
        match command:
            case p.Opened(key=key, total=total):
                self._open(step, key, total)
            case p.Invoke(key=key) | p.OpenStream(key=key) | p.StartChild(key=key):
                if key in self._failures:
                    self._retry(step, key, 0.0)
                self._ask(step, key, 1)
            case p.InvokeBatch(key=key, calls=calls):
                self._ask(step, key, len(calls))
            case p.StartTimer(key=key, due=due):
                self._timer(step, key, due)
            case p.AwaitMessage(key=key, name=name):
                approval = command.form is not None or command.prompt is not None
                step.waits[key] = "approval" if approval else f'a message "{name}"'
                self._count(step, key, +1)
                self._tell(Waiting(self._at, key, name, approval))

    def _ask(self, step: StepProgress, key: str, weight: int) -> None:
        if key not in self._asked:
            self._count(step, key, +1)
            self._asked[key] = weight
            step.running += weight

    def _timer(self, step: StepProgress, key: str, due: float) -> None:
        base, _, purpose = key.rpartition("@")
        if purpose == "timeout" or key in step.retrying:
            return
        self._count(step, key, +1)
        if purpose == "retry":
            step.retrying.add(key)
            self._retry(step, base, due - self._at)
        else:
            step.waits[key] = "a time"

    def _retry(self, step: StepProgress, key: str, delay: float) -> None:
        in_batch = step.items.again(key) if step.items is not None else None
        attempt, error = self._failures.pop(key, (1, in_batch))
        step.retries += 1
        place = places.find(self.workflow, key)
        limit = place.retry.max_attempts if place is not None and place.retry else None
        self._tell(Retrying(self._at, key, attempt + 1, limit, delay, error))

    def _withdraw(self, key: str) -> None:
        place = self._place.get(places.top(key))
        if place is None:
            return
        step = self.steps[place]
        step.retrying.discard(key)
        step.waits.pop(key, None)
        self._answered(step, key)

    def _open(self, step: StepProgress, key: str, total: int | None) -> None:
        if step.items is not None and key == step.items.key:
            step.items.total = total
        elif step.items is None or not step.items.holds(key):
            place = places.find(self.workflow, key)
            if place is not None and place.step is not None:
                throttled = self.workflow.concurrency is not None
                step.items = Items.of(key, total, place.step.action, throttled=throttled)

    def _count(self, step: StepProgress, key: str, change: int) -> None:
        if step.items is not None:
            step.items.count(key, change)

    # --- steps --------------------------------------------------------------------------------

    def _sign_of(self, key: str) -> StepProgress | None:
        place = self._place.get(places.top(key))
        if place is None:
            return None
        step = self.steps[place]
        if place > self._reached:
            for earlier in self.steps[self._reached : place]:
                self._pass(earlier)
            self._reached = place
        if step.state == "pending":
            step.state, step.started = "running", self._at
            self._tell(StepStarted(self._at, step))
        return step

    def _pass(self, step: StepProgress) -> None:
        """The execution went on behind this step."""
        if step.state == "running":
            self._close(step, "succeeded")
        elif step.state == "pending":
            is_silent = isinstance(step.action, _SILENT) or not step.has_condition
            step.state = "succeeded" if is_silent else "skipped"

    def _close(self, step: StepProgress, state: State) -> None:
        step.state, step.ended = state, self._at
        if step.items is not None and state == "succeeded":
            step.items.conclude()
        step.running = 0
        step.retrying.clear()
        step.waits.clear()
        self._tell(StepEnded(self._at, step))

    def _end(self, status: Status, origin: str | None) -> None:
        if self.status in ENDED:
            return
        self.status = status
        if status == "succeeded":
            for step in self.steps[self._reached :]:
                self._pass(step)
            return
        culprit = self._sign_of(origin) if origin else None
        if culprit is not None:
            self._close(culprit, "failed")
        for step in self.steps:
            if step.state == "running":
                self._close(step, "cancelled")
