"""Heartbeats: how often whoever holds a task's token says that the work goes on.

Only the service hears them. Work that only AWS does keeps them for it; a message that answers a
`listen` comes once, so that elsewhere nothing but the time limit ends the wait.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agentflow.adapters.aws import foreign
from agentflow.adapters.aws.asl.errors import TIMEOUT
from agentflow.adapters.aws.asl.jsonata import expression_in
from agentflow.adapters.aws.asl.model import Reference, Setting, State, Task
from agentflow.adapters.aws.asl.values import Absent
from agentflow.adapters.aws.imports import faults
from agentflow.adapters.aws.imports.expressions import Sight
from agentflow.adapters.aws.imports.writing import Writing
from agentflow.spec.expressions.template import Template
from agentflow.spec.model import Call

_KEEPING: Final = (f"{foreign.MODULE}.task", f"{foreign.MODULE}.activity")
"""The functions that have an argument for them."""


def heartbeat(w: Writing, state: Task, sight: Sight) -> Template:
    """The seconds between two of them, checked as the service does; None if none are expected."""
    setting: Setting = state.heartbeat_seconds
    if isinstance(setting, Absent):
        return None
    if isinstance(setting, Reference) or expression_in(setting) is not None:
        return w.checked(setting, sight, "whole", "heartbeat")
    return setting if isinstance(setting, str) else int(setting)


def expecting(w: Writing, call: Call, every: Template, *, waits: bool) -> Call:
    """A call with its heartbeats, where it can keep them; `waits` says that it has a token."""
    if every is None:
        return call
    if call.function not in _KEEPING:
        note_left_out(w, waits=waits)
        return call
    if waits:
        w.book.notes.append(
            f"`{w.state.name}` expects heartbeats, which only AWS hears: elsewhere it waits for "
            "its answer up to its time limit"
        )
    apart = {"missed": faults.HEARTBEAT} if tells_apart(w.state) else {}
    return replace(call, arguments={**call.arguments, "heartbeat": every, **apart})


def tells_apart(state: State) -> bool:
    """Whether a task does something else about missed heartbeats than about its time limit."""
    if not isinstance(state, Task) or isinstance(state.heartbeat_seconds, Absent):
        return False
    named = [*(each.error_equals for each in state.retry), *(e.error_equals for e in state.catch)]
    return any(faults.HEARTBEAT in names for names in named)


def late(state: State) -> tuple[str, ...]:
    """The names of timeouts that a state's work may have."""
    return (faults.OURS, faults.HEARTBEAT) if tells_apart(state) else (faults.OURS,)


def with_heartbeats(state: State) -> State:
    """A state whose retriers and catchers name each kind of timeout that they are for.

    A missed heartbeat is a timeout too. Out of a machine inside a state it comes as nothing else.
    """
    if isinstance(state, Task) and not tells_apart(state):
        return state
    inner = not isinstance(state, Task)

    def named(names: tuple[str, ...]) -> tuple[str, ...]:
        if inner:
            names = tuple(TIMEOUT if each == faults.HEARTBEAT else each for each in names)
        elif TIMEOUT in names:
            names = (*names, faults.HEARTBEAT)
        return tuple(dict.fromkeys(names))

    return replace(
        state,
        retry=tuple(replace(each, error_equals=named(each.error_equals)) for each in state.retry),
        catch=tuple(replace(each, error_equals=named(each.error_equals)) for each in state.catch),
    )


def note_left_out(w: Writing, *, waits: bool) -> None:
    """Tell that heartbeats have no place here."""
    why = (
        "which a message cannot bring: left out, it waits for its answer up to its time limit"
        if waits
        else "which nobody sends without a token: left out"
    )
    w.book.notes.append(f"`{w.state.name}` expects heartbeats, {why}")
