"""What the results of a pipeline come to, combined while they come; what leaves memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflow.runtime.machine import protocol as p
from agentflow.runtime.machine.reduce import Group, Tree
from tests.machine.script import Play, play

REDUCED = """
  - id: p
    pipeline:
      from: {call: f.source}
      buffer: 4
      stages: [{id: a, call: f.a, with: {x: "${ item }"}}]
      reduce: {call: f.sum, arity: 2}
"""


def test_results_are_combined_as_they_come() -> None:
    play(
        REDUCED,
        """
start
-> stream p.from demand 4 skip 0
p.from < [1, 2, 3]
-> demand p.from 3
-> invoke p[0].a {"x": 1}
p[0].a = 1
-> invoke p[1].a {"x": 2}
p[1].a = 2
-> invoke p.reduce[0][0] {"items": [1, 2]}
-> invoke p[2].a {"x": 3}
p.reduce[0][0] = 3
p[2].a = 3
p.from = null
-> invoke p.reduce[0][1] {"items": [3]}
p.reduce[0][1] = 3
-> invoke p.reduce[1][0] {"items": [3, 3]}
p.reduce[1][0] = 6
-> done 6
""",
    )


def test_no_items_are_reduced_as_an_empty_list() -> None:
    play(
        REDUCED,
        """
start
-> stream p.from demand 4 skip 0
p.from = null
-> invoke p.reduce[0][0] {"items": []}
p.reduce[0][0] = 0
-> done 0
""",
    )


def test_a_slow_reduce_holds_the_source_back() -> None:
    run = Play(REDUCED.replace("{call: f.source}", "${ input }"), input=[0] * 100, parallel=1)
    asked = run.feed("start")
    while keys := [key for key in run.machine.pending if key.endswith(".a")]:
        asked += run.feed(f"{keys[0]} = 1")
    entered = [line for line in asked if line.startswith("invoke p[")]
    assert len(entered) < 12
    asked = []
    while keys := [key for key in run.machine.pending if ".reduce" in key]:
        asked += run.feed(f"{keys[0]} = 2")
    assert 'invoke p[8].a {"x": 0}' in asked


@given(st.integers(2, 5), st.integers(0, 40), st.randoms(use_true_random=False))
def test_a_tree_that_is_closed_late_makes_the_calls_of_one_that_knew(
    arity: int, count: int, random: Any
) -> None:
    """Whatever the order in which results come, and whenever the end is known."""

    def calls(tree: Tree, closes_after: int | None) -> tuple[set[tuple[Any, ...]], Any]:
        made: set[tuple[Any, ...]] = set()
        places = list(range(count))
        random.shuffle(places)
        ready: list[Group] = [] if count or closes_after is not None else [tree.empty()]
        offers = [(0, place, (place,)) for place in places]
        steps = 0
        while offers or ready or steps == closes_after:
            if steps == closes_after:
                ready += tree.close(count)
            elif ready and (not offers or random.random() < 0.5):
                group = ready.pop(random.randrange(len(ready)))
                made.add((group.level, group.place, *group.values))
                value = tuple(x for part in group.values for x in part)
                offers.append((group.level + 1, group.place, value))
            else:
                group_or_none = tree.offer(*offers.pop(random.randrange(len(offers))))
                ready += [] if group_or_none is None else [group_or_none]
            steps += 1
        return made, tree.result

    known = calls(Tree(arity, count), None)
    late = calls(Tree(arity, None), random.randint(0, count))
    assert late == known
    assert known[1] == tuple(range(count))


@pytest.mark.slow
def test_memory_stays_flat_while_a_hundred_thousand_items_are_reduced() -> None:
    """What a machine holds is counted after each event: it is bounded by the buffers."""
    run = Play(
        """
  - id: p
    pipeline:
      from: {call: f.source}
      buffer: 1000
      stages:
        - {id: a, call: f.a, with: {x: "${ item }"}}
        - {id: b, call: f.b, with: {x: "${ item }"}}
      reduce: {call: f.sum, arity: 500}
"""
    )
    machine, total, given, events, most = run.machine, 100_000, 0, 0, 0
    asked = machine.advance(p.Started(0.0, "e", None, 2))
    demand, now = 0, 0.0
    while machine.finished is None:
        now += 1e-5
        command = asked.pop(0) if asked else None
        match command:
            case p.OpenStream() | p.Demand():
                demand += command.demand if isinstance(command, p.OpenStream) else command.count
                values = [1] * min(demand, total - given, 700)
                demand, given = demand - len(values), given + len(values)
                if values:
                    asked += machine.advance(p.StreamYielded(now, "p.from", 1, values))
                if given == total:
                    asked += machine.advance(p.CallCompleted(now, "p.from", 1, None))
            case p.InvokeBatch():
                done = [{"value": call["x"]} for call in command.calls]
                event = p.BatchCompleted(now, command.key, 1, done, 1e-6 * len(done))
                asked += machine.advance(event)
            case p.Invoke(arguments={"items": items}):
                asked += machine.advance(p.CallCompleted(now, command.key, 1, sum(items)))
            case p.Invoke():
                value = command.arguments["x"]
                asked += machine.advance(p.CallCompleted(now, command.key, 1, value))
            case None:
                raise AssertionError("nothing is asked for, and it has not ended")
        events += 1
        frame = next(iter(machine.pending.values()), None)
        while frame is not None and not hasattr(frame, "_lanes"):
            frame = frame.parent
        if frame is not None:
            held = sum(lane.waiting + sum(map(len, lane.done)) for lane in frame._lanes)
            carried = sum(len(trip.items) for trip in frame._trips.values())
            most = max(most, held + carried + len(frame._results))
    assert machine.finished.output == total
    assert most < 8_000
    assert events < 2_000
