"""Sizes that would show a cost that grows: a million items, a million rounds."""

from __future__ import annotations

import pytest

from agentflow.runtime.machine.protocol import (
    BatchCompleted,
    CallCompleted,
    Invoke,
    InvokeBatch,
    Started,
)
from tests.machine.script import machine_of, play


@pytest.mark.slow
def test_a_million_items_are_mapped_in_batches_of_growing_size() -> None:
    machine = machine_of("""
  - id: m
    map: ${ input }
    batch: auto
    call: f.a
    with: {x: "${ item }"}
    reduce: {call: f.sum, arity: 1000}
""")
    pending = machine.advance(Started(0.0, "e", list(range(1_000_000)), 2))
    batches, calls, most = 0, 0, 0
    while machine.finished is None:
        most = max(most, len(machine.pending))
        command = pending.pop()
        if isinstance(command, InvokeBatch):
            batches += 1
            values = [{"value": call["x"]} for call in command.calls]
            event = BatchCompleted(1.0, command.key, 1, values, elapsed=1e-5 * len(values))
            pending += machine.advance(event)
        elif isinstance(command, Invoke):
            calls += 1
            total = sum(command.arguments["items"])
            pending += machine.advance(CallCompleted(1.0, command.key, 1, total))
    assert machine.finished.output == sum(range(1_000_000))
    assert calls == 1001
    assert batches < 500
    assert most <= 4 + 1001


@pytest.mark.slow
def test_a_million_rounds_without_a_call_are_stopped() -> None:
    play(
        '  - {id: l, loop: {while: "${ true }", max: 100000000, do: [{id: a, set: {x: 1}}]}}',
        "start\n-> failed LimitExceeded at l[999999].a",
    )
