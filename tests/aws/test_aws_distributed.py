"""Maps as child executions: single items, batches, results in S3; same outcome, same calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from agentflow.adapters.aws.asl.simulate import TaskCall, TaskError, simulate
from agentflow.adapters.aws.compile import TARGET
from agentflow.adapters.target import Options
from agentflow.errors import Fault, Json, UsageError
from agentflow.spec.load import loads
from tests.aws.cases import functions, spec
from tests.aws.worlds import (
    Outcome,
    World,
    definitions,
    lambda_answer,
    local,
    on_sfnx,
    on_simulator,
)

Run = Callable[..., Outcome]
DISTRIBUTED: dict[str, Json] = {"distributed": True}
STORED: dict[str, Json] = {"results": "s3://bucket/maps/"}


def shaky() -> Callable[..., Json]:
    """A function that fails at the first `times` calls with the same `x`, then gives it."""
    seen: Counter[str] = Counter()

    def call(x: Json, times: int = 0, name: str = "Busy") -> Json:
        seen[json.dumps(x)] += 1
        if seen[json.dumps(x)] <= times:
            raise Fault(name, f"call {seen[json.dumps(x)]} failed")
        return x

    return call


def world() -> World:
    """Functions of its own for each run."""
    return World({**functions(), "f.shaky": shaky(), "f.shaky_sum": flaky_sum()})


def flaky_sum() -> Callable[..., Json]:
    """A sum whose first call fails."""
    seen: list[Json] = []

    def call(items: list[int], plus: int = 0) -> Json:
        seen.append(items)
        if len(seen) == 1:
            raise Fault("Busy", "not yet")
        return sum(items) + plus

    return call


BATCHES: dict[str, tuple[str, Json]] = {
    "batches": ("- {id: a, map: [1, 2, 3, 4, 5], as: x, call: f.double, with: {x: '${ x }'}, batch: 2}", None),
    "batches as the service sees fit": (
        "- {id: a, map: '${ range(7) }', as: x, call: f.double, with: {x: '${ x }'}, batch: auto}", None,
    ),
    "no items": ("- {id: a, map: [], as: x, call: f.double, with: {x: '${ x }'}, batch: 2}", None),
    "batches read names from outside, and places": (
        (
            "- {id: k, set: {base: 10, text: '{% not a query %}'}}\n"
            "- {id: a, map: '${ input }', as: x, index: i, call: f.echo, batch: 2, "
            "with: {x: ['${ x.n + base }', '${ i }', '${ text }', 'n=${ x.n }', '$${ plain }', '{% 1 %}']}}"
        ),
        [{"n": 1}, {"n": 2}, {"n": 3}],
    ),
    "an item of a batch fails": (
        "- {id: a, map: [2, 3, 4], as: x, call: f.picky, with: {x: '${ x }'}, batch: 3}", None,
    ),
    "failed items of batches are tolerated": (
        "- {id: a, map: [2, 3, 4, 5, 6], as: x, call: f.picky, with: {x: '${ x }'}, batch: 2, tolerate: 2}", None,
    ),
    "a share of failed items is tolerated": (
        "- {id: a, map: [2, 3, 4, 5], as: x, call: f.picky, with: {x: '${ x }'}, batch: 3, tolerate: 50%}", None,
    ),
    "too many items of batches fail": (
        "- {id: a, map: [2, 3, 5, 7, 6], as: x, call: f.picky, with: {x: '${ x }'}, batch: 2, tolerate: 2}", None,
    ),
    "items are tried again": (
        (
            "- {id: a, map: [0, 1, 2, 3], as: n, call: f.shaky, with: {x: '${ n }', times: '${ n }'}, batch: 4, "
            "retry: {on: [Busy], max_attempts: 4, interval: 0s}}"
        ),
        None,
    ),
    "items are tried again in vain": (
        (
            "- {id: a, map: [0, 1, 3], as: n, call: f.shaky, with: {x: '${ n }', times: '${ n }'}, batch: 4, "
            "tolerate: 1, retry: {max_attempts: 2, interval: 10ms, jitter: full}}"
        ),
        None,
    ),
    "items that fail otherwise are not tried again": (
        (
            "- {id: a, map: [0, 1], as: n, call: f.shaky, with: {x: '${ n }', times: '${ n }', name: Other}, "
            "batch: 4, tolerate: 1, retry: {on: [Busy], max_attempts: 3, interval: 0s}}"
        ),
        None,
    ),
    "arguments of one item cannot be evaluated": (
        (
            "- {id: a, map: '${ input }', as: x, call: f.echo, with: {x: '${ x.n }'}, batch: 3, tolerate: 1, "
            "retry: {max_attempts: 3, interval: 0s}}"
        ),
        [{"n": 1}, {}, {"n": 3}],
    ),
    "batches inside items and rounds": (
        (
            "- id: outer\n  map: [1, 2]\n  as: o\n  concurrency: 2\n  do:\n"
            "    - id: l\n      loop:\n        for: [5, 6]\n        as: r\n        do:\n"
            "          - {id: a, map: [1, 2, 3], as: x, call: f.add, with: {a: '${ x + o }', b: '${ r }'}, batch: 2}"
        ),
        None,
    ),
    "an error of a batch is caught": (
        (
            "- id: a\n  map: [1]\n  as: x\n  call: f.boom\n  batch: 2\n"
            "  catch: [{on: Boom, as: e, do: [{id: r, return: '${ e.data }'}]}]"
        ),
        None,
    ),
    "batches with a reduce": (
        (
            "- id: a\n  map: '${ range(10) }'\n  as: x\n  call: f.double\n  with: {x: '${ x }'}\n  batch: 3\n"
            "  reduce: {call: f.sum, arity: 3}"
        ),
        None,
    ),
}  # fmt: skip


def compare(text: str, given: Json, run: Run, options: dict[str, Json]) -> tuple[World, World]:
    """Run a case here and there; gives both worlds."""
    loaded = spec(text)
    here, there = world(), world()
    ours, theirs = local(loaded, given, here), run(loaded, given, there, Options(options))
    assert theirs.essence == ours.essence
    if ours.status == "succeeded":
        assert there.calls == here.calls
    elif ours.error["data"] is not None:
        assert theirs.error["data"] == ours.error["data"]
    return here, there


@pytest.mark.parametrize("run", [on_sfnx, on_simulator], ids=["sfnx", "simulator"])
@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_does_what_its_items_do_alone(name: str, run: Run) -> None:
    text, given = BATCHES[name]
    compare(text, given, run, DISTRIBUTED)


REDUCED: dict[str, tuple[str, Json]] = {
    "results are combined": (
        (
            "- {id: a, map: '${ range(10) }', as: x, call: f.double, with: {x: '${ x }'}, "
            "reduce: {call: f.sum, arity: 3}}"
        ),
        None,
    ),
    "results of batches are combined": (
        (
            "- {id: a, map: '${ range(10) }', as: x, call: f.double, with: {x: '${ x }'}, batch: 4, "
            "reduce: {call: f.sum, arity: 3}}"
        ),
        None,
    ),
    "one result is combined": (
        "- {id: a, map: [4], as: x, call: f.double, with: {x: '${ x }'}, reduce: {call: f.sum}}",
        None,
    ),
    "no results are combined": (
        "- {id: a, map: [], as: x, call: f.double, with: {x: '${ x }'}, reduce: {call: f.sum}}",
        None,
    ),
    "failed items are left out": (
        (
            "- {id: a, map: [2, 3, 5, 7, 6, 8], as: x, call: f.picky, with: {x: '${ x }'}, "
            "tolerate: 3, reduce: {call: f.sum, arity: 2}}"
        ),
        None,
    ),
    "too many items fail": (
        (
            "- {id: a, map: [2, 3, 5], as: x, call: f.picky, with: {x: '${ x }'}, "
            "tolerate: 1, reduce: {call: f.sum, arity: 2}}"
        ),
        None,
    ),
    "an item fails": (
        (
            "- {id: a, map: [2, 3], as: x, call: f.picky, with: {x: '${ x }'}, batch: 2, "
            "reduce: {call: f.sum}}"
        ),
        None,
    ),
    "a reduce is tried again and reads names": (
        (
            "- {id: k, set: {plus: '${ input.plus }'}}\n"
            "- {id: a, map: [1, 2], as: x, do: [{id: d, call: f.double, with: {x: '${ x }'}}], "
            "reduce: {call: f.shaky_sum, with: {items: '${ items }', plus: '${ plus }'}, "
            "retry: {on: [Busy], max_attempts: 2, interval: 10ms}}}\n"
            "- {id: b, return: '${ a + 1 }'}"
        ),
        {"plus": 100},
    ),
    "a reduce fails": (
        "- {id: a, map: [1], as: x, call: f.double, with: {x: '${ x }'}, reduce: {call: f.boom}}",
        None,
    ),
    "arguments of a reduce cannot be evaluated": (
        (
            "- {id: a, map: [1], as: x, call: f.double, with: {x: '${ x }'}, "
            "reduce: {call: f.sum, with: {items: '${ items[0].n }'}, retry: {max_attempts: 2}}}"
        ),
        None,
    ),
}


@pytest.mark.parametrize("name", REDUCED)
def test_results_that_go_through_s3_are_combined_as_everywhere(name: str) -> None:
    text, given = REDUCED[name]
    _, there = compare(text, given, on_simulator, STORED)
    assert any(key.startswith("bucket/maps/") for key in there.objects)


def test_no_value_of_a_map_in_s3_comes_into_the_state_machine() -> None:
    """Ten results of 100,000 bytes: more than a state machine could hold."""
    text = (
        "- {id: a, map: '${ range(10) }', as: x, call: f.much, with: {x: '${ x }'}, "
        "reduce: {call: f.longest, arity: 16}}"
    )
    there = World(
        {"f.much": lambda x: str(x) * 100_000, "f.longest": lambda items: max(map(len, items))}
    )
    done = on_simulator(spec(text), None, there, Options(STORED))
    assert (done.status, done.output) == ("succeeded", 100_000)
    failed = on_simulator(spec(text), None, World(there.functions), Options(DISTRIBUTED))
    assert failed.status == "failed"


def test_functions_are_told_the_parents_execution_the_items_place_and_its_attempt() -> None:
    text, given = BATCHES["batches inside items and rounds"]
    there = world()
    on_simulator(spec(text), given, there, Options(DISTRIBUTED))
    places = {(e, s) for e, s, _ in there.steps}
    assert ("execution", "outer[1].l[0].a[2]") in places
    assert len(places) == 12
    text, given = BATCHES["items are tried again"]
    there = world()
    on_simulator(spec(text), given, there, Options(DISTRIBUTED))
    assert [s for s in there.steps if s[1] == "a[2]"] == [
        ("execution", "a[2]", 1),
        ("execution", "a[2]", 2),
        ("execution", "a[2]", 3),
    ]


def test_calls_of_a_reduce_in_s3_have_the_places_that_they_have_elsewhere() -> None:
    text, given = REDUCED["results are combined"]
    there = world()
    on_simulator(spec(text), given, there, Options(STORED))
    assert {s for _, s, _ in there.steps if "reduce" in s} == {
        *(f"a.reduce[0][{n}]" for n in range(4)), "a.reduce[1][0]", "a.reduce[1][1]",
        "a.reduce[2][0]",
    }  # fmt: skip


LOST = "- {id: a, map: [1, 2, 3], as: x, call: f.double, with: {x: '${ x }'}, batch: 3, tolerate: 1"


@pytest.mark.parametrize(
    "retry", ["", ", retry: {on: [WorkerLost], max_attempts: 2, interval: 0s}"]
)
def test_an_item_that_takes_the_process_down_is_found_and_the_others_are_kept(retry: str) -> None:
    loaded = spec(f"{LOST}{retry}}}")
    there = world()
    sizes: list[int] = []

    def tasks(call: TaskCall) -> Json:
        items = [each["item"] for each in call.arguments["batch"]["items"]]
        sizes.append(len(items))
        if 2 in items:
            raise TaskError("Runtime.ExitError", '{"errorMessage": "exit status 1"}')
        return lambda_answer(call.arguments, there)

    (machine,) = definitions(loaded, Options(DISTRIBUTED)).values()
    done = simulate(machine, None, tasks)
    assert done.output == [2, None, 6]
    assert sizes == ([3, 1, 1, 1, 1] if retry else [3, 1, 1, 1])


def test_a_child_that_dies_without_a_word_is_a_failure_of_its_items() -> None:
    """Together the results of a batch are more than a child may give."""
    text = (
        "- {id: a, map: [1, 9, 1], as: x, call: f.much, with: {x: '${ x }'}, batch: 1, tolerate: 1}"
    )
    there = World({"f.much": lambda x: "x" * (x * 30_000)})
    done = on_simulator(spec(text), None, there, Options(DISTRIBUTED))
    assert [None if each is None else len(each) for each in done.output] == [30_000, None, 30_000]


@pytest.mark.parametrize(
    ("step", "note"),
    [
        ("call: f.double, with: {x: '${ x }'}, timeout: 5s", "a time limit"),
        ("call: f.echo, with: {x: '${ now() }'}", "the time or chance"),
    ],
    ids=["a time limit", "the time"],
)
def test_what_cannot_be_a_batch_is_called_singly_and_that_is_told(step: str, note: str) -> None:
    text = f"- {{id: a, map: [1, 2], as: x, {step}, batch: 2}}"
    compiled = TARGET.compile(spec(text), Options(DISTRIBUTED))
    assert any(note in each for each in compiled.report.notes)
    assert "ItemBatcher" not in compiled.files["case.asl.json"]


def test_a_reduce_with_a_time_limit_does_not_go_through_s3_and_that_is_told() -> None:
    text = (
        "- {id: a, map: [1], as: x, call: f.double, with: {x: '${ x }'}, "
        "reduce: {call: f.sum, timeout: 5s}}"
    )
    compiled = TARGET.compile(spec(text), Options(STORED))
    assert any("do not go through S3" in each for each in compiled.report.notes)
    assert "ResultWriter" not in compiled.files["case.asl.json"]


@pytest.mark.parametrize(
    "settings",
    [
        {"results": "No Bucket"},
        {"results": ["b"]},
        {"results": "bucket", "distributed": False},
        {"distributed": "yes"},
        {"handler": 5},
    ],
    ids=str,
)
def test_settings_that_maps_cannot_have_are_refused(settings: dict[str, Any]) -> None:
    loaded = loads("workflow: x\ndo: [{id: a, call: f.x}]\n")
    with pytest.raises(UsageError):
        definitions(loaded, Options(settings))


def test_the_report_counts_what_is_in_the_executions_own_history() -> None:
    text = "- {id: a, map: '${ range(9) }', as: x, call: f.double, with: {x: '${ x }'}}"
    for settings, history, how in ((DISTRIBUTED, 5, "distributed"), ({}, None, "inline")):
        limits = {
            each.name: each for each in TARGET.compile(spec(text), Options(settings)).report.limits
        }
        assert limits["history, events"].used == history
        assert f"items of a map at once, {how}" in limits
