"""Any prefix of any history, replayed, gives the same state and the same commands."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agentflow.runtime.machine import Machine
from agentflow.runtime.machine import protocol as p
from agentflow.runtime.machine.frames import Frame
from agentflow.spec.expressions import Scope
from tests.machine.script import Play, machine_of

SHAPES = {
    "everything": """
  - {id: v, set: {n: 0}}
  - id: f
    fork:
      left:
        do:
          - id: m
            map: ${ input }
            batch: auto
            tolerate: 2
            retry: {max_attempts: 2, interval: 1s}
            call: f.m
            with: {x: "${ item }"}
            reduce: {call: f.r, arity: 2}
      right:
        do:
          - id: l
            loop:
              until: ${ a == 1 }
              max: 3
              do: [{id: a, call: f.a, timeout: 5s}]
            catch: [{on: [LoopLimit], do: [{id: c, return: 0}]}]
  - id: s
    timeout: 100s
    saga:
      do:
        - {id: x, call: f.x, compensate: {call: f.undo}}
        - id: p
          pipeline:
            from: {call: f.source}
            buffer: 2
            stages: [{id: a, call: f.a, concurrency: 2}, {id: b, do: [{id: w, wait: 1s}, {id: c, call: f.b}]}]
            reduce: {call: f.r, arity: 2}
        - {id: y, call: f.y, retry: {interval: 1s, jitter: full}}
  - id: g
    start: one
    states:
      one: {do: [{id: q, listen: go}], next: [{when: "${ q == 1 }", to: two}, {to: one}]}
      two: {do: [{id: e, emit: {type: t, data: "${ uuid() }"}}, {id: k, return: "${ now() }"}], end: true}
    max: 4
""",
    "stream": """
  - id: p
    pipeline:
      from: {call: f.source, with: {x: "${ input }"}}
      buffer: 3
      stages:
        - {id: a, call: f.a, with: {x: "${ item }"}, retry: {max_attempts: 2, interval: 1s}}
        - {id: b, call: f.b, with: {x: "${ item }"}, concurrency: 2}
""",
    "nested maps": """
  - id: m
    map: ${ input }
    concurrency: 2
    do:
      - id: n
        map: ${ input }
        call: f.n
        with: {x: "${ item }"}
      - id: t
        try:
          do: [{id: a, call: f.a}]
          catch: [{on: [Boom], do: [{id: h, call: f.h}]}]
          finally: [{id: z, call: f.z}]
""",
}
SHAPES["nested maps"] = (
    SHAPES["nested maps"]
    .replace("map: ${ input }\n        call", "map: ${ input }\n        as: inner\n        call")
    .replace('"${ item }"}}', '"${ inner }"}}')
    .replace("${ item }", "${ inner }")
)


def answer(stage: Play, key: str, draw: st.DataObject) -> str:
    """An event text that answers what is pending under `key`."""
    command = next(iter(stage.machine.pending[key].outstanding(stage.machine, key)))
    fails = draw.draw(st.integers(0, 4)) == 0
    value = draw.draw(st.integers(0, 1))
    match command:
        case p.Invoke():
            return (
                f"{key} ! {draw.draw(st.sampled_from(['Boom', 'WorkerLost']))}"
                if fails
                else f"{key} = {value}"
            )
        case p.InvokeBatch():
            if fails:
                return f"{key} ! WorkerLost"
            results = [draw.draw(st.sampled_from([1, "!Boom"])) for _ in command.calls]
            return f"{key} : {json.dumps(results)}"
        case p.OpenStream():
            if command.skip < 8 and command.demand:
                return f"{key} < {[value] * draw.draw(st.integers(1, command.demand))}"
            return f"{key} = null"
        case p.StartTimer():
            return f"fire {key}"
        case p.AwaitMessage():
            return f"{key} > {value}"
        case p.EmitEvent():
            return f"{key} emitted"
    raise AssertionError(command)


@given(st.sampled_from(sorted(SHAPES)), st.lists(st.integers(0, 9), max_size=5), st.data())
@settings(max_examples=30, deadline=None)
def test_replaying_any_prefix_gives_the_same_state_and_commands(
    shape: str, items: list[int], draw: st.DataObject
) -> None:
    stage = Play(SHAPES[shape], input=items, tick=draw.draw(st.sampled_from([1, 0.001])))
    commands = [stage.feed("start")]
    states = [state_of(stage.machine)]
    while stage.machine.pending and len(commands) < 60:
        key = draw.draw(st.sampled_from(sorted(stage.machine.pending)))
        stray = draw.draw(st.integers(0, 30))
        text = "cancel" if stray == 0 else "nobody = 1" if stray == 1 else answer(stage, key, draw)
        commands.append(stage.feed(text))
        states.append(state_of(stage.machine))
    assert stage.machine.pending or stage.machine.finished

    replayed = machine_of(SHAPES[shape])
    for event, expected, state in zip(stage.events, commands, states, strict=True):
        stage.now = event.at
        assert [stage.show(c) for c in replayed.advance(event)] == expected
        assert state_of(replayed) == state


def test_what_is_outstanding_is_what_was_asked_and_not_answered() -> None:
    stage = Play(SHAPES["nested maps"], input=[1, 2])
    asked = set(stage.feed("start"))
    asked.discard("opened m 2")
    asked -= {line for line in asked if line.startswith("opened")}
    assert {stage.show(c) for c in stage.machine.outstanding()} == asked


def test_every_event_type_comes_back_from_its_record() -> None:
    samples: list[p.Event] = [
        p.Started(1.0, "e", {"a": 1}, 2),
        p.Resumed(2.0),
        p.CallStarted(2.5, "k", 1),
        p.CallCompleted(3.0, "k", 1, [1]),
        p.CallFailed(3.0, "k", 2, {"name": "X"}, [{"line": 1}]),
        p.BatchCompleted(4.0, "k[0:2]", 1, [{"value": 1}], 0.5),
        p.StreamYielded(5.0, "k", 1, [1]),
        p.TimerFired(6.0, "k@wait"),
        p.MessageReceived(7.0, "k", "m", {}),
        p.ChildEnded(8.0, "k", "failed", None, {"name": "X"}),
        p.EventEmitted(9.0, "k"),
        p.CancelRequested(9.5, "why", "m"),
        p.Ended(10.0, "failed", None, {"name": "X"}, "k"),
    ]
    assert {type(s) for s in samples} == set(p.TYPE_OF)
    for event in samples:
        data = json.loads(json.dumps(p.payload(event)))
        key, attempt = getattr(event, "key", None), getattr(event, "attempt", None)
        assert p.restore(p.TYPE_OF[type(event)], event.at, key, attempt, data) == event


def state_of(machine: Machine) -> Any:
    """All a machine holds, as plain values that compare; frames by their place."""
    seen: dict[int, int] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, Frame | Scope | Machine):
            if id(value) in seen:
                return ("seen", seen[id(value)])
            seen[id(value)] = len(seen)
            slots = [s for kind in type(value).__mro__ for s in getattr(kind, "__slots__", ())]
            if isinstance(value, Machine):
                return [plain(value.pending), plain(value._root), value.ignored, value._drawn]
            return (type(value).__name__, {s: plain(getattr(value, s, None)) for s in slots})
        if isinstance(value, dict):
            return [(plain(k), plain(v)) for k, v in value.items()]
        if isinstance(value, list | tuple) or type(value).__name__ == "deque":
            return [plain(v) for v in value]
        if type(value).__module__.startswith("agentflow.runtime.machine") and hasattr(
            type(value), "__slots__"
        ):
            slots = type(value).__slots__
            return (
                type(value).__name__,
                [plain(getattr(value, s, None)) for s in slots if s != "_call"],
            )
        if callable(value):
            return "code"
        return value

    return plain(machine)
