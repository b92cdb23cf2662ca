"""Agents on hosts that keep nothing between requests: their states are kept elsewhere.

A call takes the instance it reaches, so that no other call runs in it, makes the object anew from
the last state, and gives the instance back with the new state and the answer. An answer that got
lost on its way is found there: the call is not made twice.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from agentflow.errors import Fault, Json
from agentflow.functions.agents import HOOKS, LONGEST_KEY, PREFIX
from agentflow.functions.context import Context
from agentflow.functions.instances import AgentState, Instance
from agentflow.functions.invoke import Outcome
from agentflow.functions.resolve import resolve

CallAgent: TypeAlias = Callable[[str, Json, Json, Context], Json]
"""Calls an agent by its name, with the key of the instance, which may be null, and arguments.
Raises Fault."""

BUSY = "AgentBusy"
"""What a call fails with that found no turn in its instance; nothing has run."""
LONGEST = 900.0
"""Seconds that a call holds an instance, where nothing bounds it."""
_SKEW = 2.0
"""Seconds by which clocks may differ."""
_PATIENCE = 2.0
"""Seconds that a call waits for its turn here, where waiting costs as much as working."""
_PAUSES = (0.02, 0.4)
"""Seconds between two looks, the first and the longest."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An instance that a call holds."""

    state: AgentState | None = None
    """The last one; None before the first call."""
    call: str = ""
    """The call that was answered last, by its idempotency key."""
    answer: bytes | None = None
    """What it was answered."""


class Instances(Protocol):
    """Where the instances of agents are kept between calls."""

    def take(self, instance: str, holder: str, until: float) -> Taken | None:
        """Hold an instance until a time in Unix seconds; None while another call holds it."""
        ...

    def give_back(self, instance: str, holder: str, taken: Taken) -> bool:
        """Keep what an instance has become; false if it was taken away from its holder."""
        ...


class Agents:
    """The agents that a host calls: `find` gives the import path of the method a call names.

    Without `instances` nothing is kept, and each call has an object of its own.
    """

    def __init__(
        self, find: Callable[[str], str], root: str, instances: Instances | None = None
    ) -> None:
        self._find = find
        self._root = root
        self._instances = instances

    def call(
        self,
        function: str,
        key: Json,
        arguments: Json,
        context: Context,
        *,
        printed: Callable[[str], None],
    ) -> Outcome:
        """Call `agent:NAME` or `agent:NAME.METHOD`; without a key, the execution's own instance.

        Raises:
            Fault: by its name nothing has run, except for `WorkerLost`: another call has the
                instance by now, and this one's state is not kept.
        """
        agent = function.removeprefix(PREFIX).partition(".")[0]
        place = _place(agent, key, context)
        reference, _, method = self._find(function).rpartition(".")
        made = Instance(agent, reference, self._root)
        if self._instances is None:
            return made.run(method, arguments, context, None, printed=printed)
        self._check(agent, reference)
        holder = uuid.uuid4().hex
        taken = _take(self._instances, place, holder, context)
        is_again = bool(context.step) and taken.call == context.idempotency_key
        if is_again and taken.answer is not None:
            self._instances.give_back(place, holder, taken)
            return Outcome(taken.answer)
        outcome = made.run(method, arguments, context, taken.state, printed=printed)
        outcome, state = made.ended(outcome, printed=printed)
        after = taken if state is None else replace(taken, state=state)
        if outcome.error is None:
            after = replace(after, call=context.idempotency_key, answer=outcome.value)
        if not self._instances.give_back(place, holder, after):
            raise Fault("WorkerLost", f"agent {agent} took too long, and its instance went on")
        return outcome

    def _check(self, agent: str, reference: str) -> None:
        """Refuse an agent whose state would be lost between two calls."""
        found = resolve(reference, self._root)
        missing = [hook for hook in HOOKS if not hasattr(found, hook)]
        if missing:
            raise Fault(
                "AgentNotStarted",
                f"agent {agent} has no `{missing[0]}`, and nothing else keeps its state here",
            )


def _take(instances: Instances, place: str, holder: str, context: Context) -> Taken:
    until = time.time() + LONGEST if context.deadline is None else context.deadline
    pause, longest = _PAUSES
    tired = time.monotonic() + _PATIENCE
    while (taken := instances.take(place, holder, until + _SKEW)) is None:
        if time.monotonic() > tired:
            raise Fault(BUSY, f"{place} is busy with another call")
        time.sleep(pause)
        pause = min(2 * pause, longest)
    return taken


def _place(agent: str, key: Json, context: Context) -> str:
    """The name of an instance, as in the journal."""
    if key is None:
        return f"{PREFIX}{agent}@{context.execution_id}"
    if not isinstance(key, str):
        raise Fault("TypeMismatch", f"the key of an agent is text, not {type(key).__name__}")
    if not 0 < len(key) <= LONGEST_KEY:
        message = f"the key of an agent has 1 to {LONGEST_KEY} characters, not {len(key):,}"
        raise Fault("LimitExceeded", message)
    return f"{PREFIX}{agent}/{key}"


class InProcess:
    """Instances kept in this process, for hosts that last as long as what they are for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Taken] = {}
        self._holders: dict[str, tuple[str, float]] = {}

    def take(self, instance: str, holder: str, until: float) -> Taken | None:
        """See `Instances`."""
        with self._lock:
            _, held = self._holders.get(instance, ("", 0.0))
            if held > time.time():
                return None
            self._holders[instance] = (holder, until)
            return self._kept.get(instance, Taken())

    def give_back(self, instance: str, holder: str, taken: Taken) -> bool:
        """See `Instances`."""
        with self._lock:
            if self._holders.get(instance, ("", 0.0))[0] != holder:
                return False
            del self._holders[instance]
            self._kept[instance] = taken
            return True
