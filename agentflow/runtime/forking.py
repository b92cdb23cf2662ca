"""A new execution that shares the beginning of another one's history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agentflow.errors import Conflict, Json, NotFound
from agentflow.runtime.journal.protocol import (
    FORKED,
    RETRIED,
    Record,
)
from agentflow.runtime.machine import Program
from agentflow.runtime.machine.protocol import EVENTS, Command, Event, Opened
from agentflow.runtime.memory import is_own_state, moved
from agentflow.runtime.recovery import rebuild

SHOWN = 12
"""Steps that the message for an unknown one lists."""


def prefix(program: Program, records: Sequence[Record], step: str) -> list[Record]:
    """The records that still count, up to the event that made `step` begin; seqs run from 1.

    Raises:
        NotFound: the step never began, or asks nothing of the world.
    """
    current = _renumbered(records)
    replayed = iter([record.seq for record in current if record.type in EVENTS])
    seen: dict[str, None] = {}
    begun: list[int] = []

    def observe(_event: Event, commands: list[Command]) -> None:
        seq = next(replayed)
        for key in [getattr(command, "key", "") for command in commands]:
            seen.setdefault(_outline(key))
            if not begun and _belongs(key, step):
                begun.append(seq)

    rebuild(program, current, observe)
    if not begun:
        listed = ", ".join(f"`{key}`" for key in list(seen)[:SHOWN] if key)
        raise NotFound(f"step `{step}` did not begin in this execution", help=f"it has {listed}")
    return [record for record in current if record.seq <= begun[0]]


def renamed(
    records: Sequence[Record], execution: str, *, input: Json, parallel: int
) -> list[Record]:
    """The records as the history of another execution, started with `input`."""
    first = {**records[0].data, "execution": execution, "input": input, "parallel": parallel}
    return [
        replace(
            moved(record, execution),
            execution=execution,
            data=first if record.seq == 1 else record.data,
        )
        for record in records
    ]


def check_same(old: Program, new: Program, records: Sequence[Record], step: str) -> None:
    """That a changed workflow leads to the same commands before the fork.

    Raises:
        Conflict: it does not, so results of the old one are no results of the new one.
    """
    before = _commands(old, records)
    after = _commands(new, records)
    for number, (was, now) in enumerate(zip(before[:-1], after[:-1], strict=True), 1):
        if was != now:
            changed = next((c for c in [*now, *was] if c not in was or c not in now), None)
            where = getattr(changed, "key", "") or records[number - 1].step or "the start"
            raise Conflict(
                f"the new workflow differs before `{step}`, at `{where}`, "
                "so what was done until there cannot be kept",
                help=f"fork at `{_outline(where)}` or before it",
            )


def _commands(program: Program, records: Sequence[Record]) -> list[list[Command]]:
    steps: list[list[Command]] = []

    def observe(_event: Event, commands: list[Command]) -> None:
        steps.append([c for c in commands if not isinstance(c, Opened)])

    rebuild(program, records, observe)
    return steps


def _renumbered(records: Sequence[Record]) -> list[Record]:
    """The records that count, without gaps; references to others follow."""
    kept = [
        r
        for r in records
        if not r.superseded and (r.type in EVENTS or r.type in {RETRIED, FORKED} or is_own_state(r))
    ]
    seq_of = {record.seq: seq for seq, record in enumerate(kept, 1)}
    result = []
    for record in kept:
        data = record.data
        if record.type == RETRIED and data.get("forgives"):
            data = {**data, "forgives": seq_of[data["forgives"]]}
        result.append(replace(record, seq=seq_of[record.seq], data=data))
    return result


def _belongs(key: str, step: str) -> bool:
    """Whether a key is a step's own or that of something in it."""
    return key == step or (key.startswith(step) and key[len(step)] in ".[~@")


def _outline(key: str) -> str:
    """A key's first part, without indexes."""
    for mark in ".[~@":
        key = key.split(mark, 1)[0]
    return key
