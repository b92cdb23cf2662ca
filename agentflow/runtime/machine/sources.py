"""Where the items of a pipeline come from: a list, or a function that gives them on demand."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from agentflow.errors import Json
from agentflow.runtime.machine.calls import CRASH_BUDGET, CallNode
from agentflow.runtime.machine.protocol import Demand, OpenStream
from agentflow.spec.expressions import Scope

if TYPE_CHECKING:
    from agentflow.runtime.machine.machine import Machine

REFILLS = 4
"""Parts in which a buffer's worth of demand is given out: one message for many values."""


class ListSource:
    """A list as source."""

    __slots__ = ("_items", "_next")

    def __init__(self, items: list[Json]) -> None:
        self._items = items
        self._next = 0

    @property
    def ready(self) -> bool:
        """Whether an item can be taken now."""
        return self._next < len(self._items)

    @property
    def exhausted(self) -> bool:
        """Whether none will come any more."""
        return not self.ready

    def take(self) -> Json:
        """The next item."""
        self._next += 1
        return self._items[self._next - 1]

    def refill(self, machine: Machine, count: int) -> None:
        """A list needs no asking."""


class StreamSource:
    """A function as source: it gives values when there is demand, and `flow` takes them.

    What it may give, what came and waits here, and what was taken but not asked for again are
    together always one buffer's worth.
    """

    __slots__ = (
        "_buffered",
        "_call",
        "_demand",
        "_forgiven",
        "_given",
        "_key",
        "_owed",
        "_part",
        "_scope",
        "attempt",
        "ended",
    )

    def __init__(self, call: CallNode, key: str, scope: Scope, demand: int) -> None:
        self._call = call
        self._key = key
        self._scope = scope
        self._demand = demand
        self._part = max(1, demand // REFILLS)
        self._owed = 0
        self.attempt = 1
        self._forgiven = 0
        """Attempts up to the last one that somebody asked to try again; they count no more."""
        self._given = 0
        self._buffered: deque[Json] = deque()
        self.ended = False

    @property
    def ready(self) -> bool:
        """Whether a value can be taken now."""
        return bool(self._buffered)

    @property
    def exhausted(self) -> bool:
        """Whether none will come any more."""
        return self.ended and not self._buffered

    def take(self) -> Json:
        """The next value."""
        return self._buffered.popleft()

    def refill(self, machine: Machine, count: int) -> None:
        """Let as many values come as were taken, a good many at a time."""
        self._owed += count
        if not self.ended and self._owed >= self._part:
            machine.issue(Demand(self._key, self._ask()))

    def accept(self, values: list[Json]) -> None:
        """Keep values that came."""
        self._given += len(values)
        self._demand -= len(values)
        self._buffered.extend(values)

    def reopens(self, machine: Machine, error: Json) -> bool:
        """Whether a stream that broke is opened once more, where it broke."""
        policy = self._call.policy
        tries = self.attempt - self._forgiven
        if machine.forgiving:
            self._forgiven = self.attempt
        elif not (
            (error["name"] == "WorkerLost" and tries < CRASH_BUDGET)
            or (policy is not None and policy.allows(error, tries))
        ):
            return False
        self.attempt += 1
        self._ask()
        return True

    def command(self) -> OpenStream:
        """What opens it, behind the values already given."""
        call = self._call
        return OpenStream(
            self._key,
            self.attempt,
            call.function,
            call.arguments(self._scope),
            self._demand,
            self._given,
            call.limit(self._scope),
            call.resources,
        )

    def _ask(self) -> int:
        """Count what is owed as asked for."""
        owed, self._owed = self._owed, 0
        self._demand += owed
        return owed
