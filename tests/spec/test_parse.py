"""What each verb becomes in the model."""

from __future__ import annotations

import pytest

from agentflow.errors import Json
from agentflow.spec import loads
from agentflow.spec.expressions import Expression, Interpolation
from agentflow.spec.grammar_verbs import VERBS
from agentflow.spec.model import (
    Block,
    Call,
    Emit,
    Fork,
    Listen,
    Loop,
    Map,
    Pipeline,
    Raise,
    Resources,
    Retry,
    Return,
    Run,
    Saga,
    Set,
    States,
    Step,
    Switch,
    Try,
    Wait,
    Workflow,
)


def workflow(text: str) -> Workflow:
    return loads(text, children={"child": "workflow: child\ndo: [{id: a, return: 1}]"}).workflow


def step(text: str) -> Step:
    return workflow(f"workflow: w\ndo: [{text}]").do.steps[0]


def test_a_workflow_has_its_defaults() -> None:
    found = workflow("workflow: w\ndo: [{id: a, wait: 1}]")

    assert (found.name, found.version, found.input, found.has_output) == ("w", "1.0.0", None, False)
    assert (found.retry, found.call_timeout, found.secrets, found.labels) == (None, None, (), {})


def test_a_workflow_has_all_its_fields() -> None:
    found = workflow("""
        workflow: order.v2
        version: 2.0.1
        description: Orders.
        input: {type: object}
        do: [{id: a, wait: 1}]
        output: null
        defaults: {retry: {max_attempts: 5}, timeout: 30s}
        timeout: PT1H
        secrets: [TOKEN]
        targets: {aws: {memory: 512}}
        concurrency: 8
        labels: {team: data}
    """)

    assert (found.version, found.description, found.input) == (
        "2.0.1",
        "Orders.",
        {"type": "object"},
    )
    assert (found.has_output, found.output) == (True, None)
    assert found.retry == Retry(max_attempts=5)
    assert (found.call_timeout, found.timeout, found.concurrency) == (30.0, 3600.0, 8)
    assert (found.secrets, found.labels, found.targets) == (
        ("TOKEN",),
        {"team": "data"},
        {"aws": {"memory": 512}},
    )


def test_what_any_step_carries() -> None:
    found = step("""{
        id: a, call: f.g, if: "${ true }", timeout: "${ 3 }", description: why,
        retry: {on: Timeout, max_attempts: 2, interval: 500ms, backoff: 1.5, max_interval: 1m, jitter: full},
        catch: [{on: [A, B], as: err, do: [{id: b, wait: 1}]}, {do: [{id: c, wait: 1}]}]}""")

    assert found.when is not None
    assert found.when.source == "true"
    assert isinstance(found.timeout, Expression)
    assert found.retry == Retry(("Timeout",), 2, 0.5, 1.5, 60.0, "full")
    assert [(c.on, c.bind) for c in found.catch] == [(("A", "B"), "err"), (("*",), None)]
    assert found.description == "why"


@pytest.mark.parametrize(
    ("field", "at_most_once"),
    [("", False), ("execution: at_least_once", False), ("execution: at_most_once", True)],
)
def test_a_call_says_whether_it_may_be_made_again(
    field: str, at_most_once: bool
) -> None:  # a row of the table
    action = step(f"{{id: a, call: f.g, {field}}}").action

    assert isinstance(action, Call)
    assert action.at_most_once is at_most_once


def test_a_map_with_a_call() -> None:
    action = step("""{id: m, map: "${ input }", as: doc, index: i, call: f.g, with: {x: "${ doc }", n: ["a ${ i }"]},
        resources: {num_cpus: 2, memory: 512MiB, runtime_env: {pip: [x]}}, concurrency: 4, batch: auto,
        tolerate: 5%, reduce: {call: f.h, arity: 4, timeout: 3}}""").action

    assert isinstance(action, Map)
    assert (action.bind, action.index, action.concurrency, action.batch, action.tolerate) == (
        "doc",
        "i",
        4,
        "auto",
        0.05,
    )
    assert isinstance(action.body, Call)
    assert action.body.resources == Resources(2.0, None, 512 * 2**20, {"pip": ["x"]})
    assert isinstance(action.body.arguments["n"][0], Interpolation)
    assert action.reduce is not None
    assert (action.reduce.arity, action.reduce.timeout) == (4, 3.0)
    assert action.reduce.arguments["items"].source == "items"


def test_a_map_with_steps_and_defaults() -> None:
    action = step("{id: m, map: [1], tolerate: 2, do: [{id: a, return: '${ item }'}]}").action

    assert isinstance(action, Map)
    assert isinstance(action.body, Block)
    assert (action.bind, action.index, action.batch, action.reduce) == ("item", None, None, None)
    assert (action.tolerate, type(action.tolerate)) == (2, int)


@pytest.mark.parametrize(
    ("join", "number"), [("", 2), ("join: all", 2), ("join: any", 1), ("join: 2", 2)]
)
def test_join_is_a_number_of_branches(join: str, number: int) -> None:
    action = step(
        f"{{id: f, fork: {{a: {{do: [{{id: x, wait: 1}}]}}, b: {{do: [{{id: y, wait: 1}}]}}}}, {join}}}"
    ).action

    assert isinstance(action, Fork)
    assert action.join == number


@pytest.mark.parametrize(
    ("loop", "expected"),
    [
        ('while: "${ true }"', ("true", False, None, None, None, 1000)),
        ('until: "${ true }", index: n, max: 5', ("true", True, None, None, "n", 5)),
        ("for: [1]", (None, False, [1], "item", None, 1000)),
        ("for: [1], as: x, index: i", (None, False, [1], "x", "i", 1000)),
    ],
)
def test_loops(loop: str, expected: tuple[Json, ...]) -> None:
    action = step(f"{{id: l, loop: {{{loop}, do: [{{id: a, wait: 1}}]}}}}").action

    assert isinstance(action, Loop)
    source = action.condition.source if action.condition else None
    assert (source, action.until, action.items, action.bind, action.index, action.max) == expected


def test_states_lead_by_transitions() -> None:
    action = step("""{id: s, start: a, max: 9, states: {
        a: {do: [{id: x, wait: 1}], next: [{when: "${ true }", to: b}, {to: c}]}, b: {next: c}, c: {end: true}}}""").action

    assert isinstance(action, States)
    assert (action.start, action.max) == ("a", 9)
    assert [(t.to, t.when is None) for t in action.states["a"].next] == [("b", False), ("c", True)]
    assert [t.to for t in action.states["b"].next] == ["c"]
    assert action.states["c"].next == ()
    assert action.states["c"].do == Block(())


def test_a_pipeline_with_a_source_that_is_called() -> None:
    action = step("""{id: p, pipeline: {from: {call: f.g, with: {n: 3}}, as: page, buffer: 4, stages: [
        {id: a, call: f.h, with: {x: "${ page }"}, concurrency: 3, retry: {}, timeout: 2s},
        {id: b, do: [{id: c, return: "${ page }"}]}], reduce: {call: f.r, arity: 9}}}""").action

    assert isinstance(action, Pipeline)
    assert action.reduce is not None
    assert (action.reduce.function, action.reduce.arity) == ("f.r", 9)
    assert isinstance(action.source, Call)
    assert (action.source.arguments, action.bind, action.buffer) == ({"n": 3}, "page", 4)
    first, second = action.stages
    assert (first.id, first.concurrency, first.retry, first.timeout) == ("a", 3, Retry(), 2.0)
    assert (second.concurrency, type(second.body)) == (1, Block)


def test_approve_is_a_listen_without_a_name() -> None:
    assert step("{id: a, approve: Publish?}").action == Listen(None, prompt="Publish?")
    assert step("{id: a, approve: {message: ok, form: {type: boolean}}}").action == Listen(
        None, prompt="ok", form={"type": "boolean"}
    )


def test_the_small_verbs() -> None:
    assert step("{id: a, wait: 90}").action == Wait(90.0)
    assert step("{id: a, wait: 1h30m}").action == Wait("1h30m")
    assert step('{id: a, wait: "2030-01-31T09:00:00Z"}').action == Wait("2030-01-31T09:00:00Z")
    assert step("{id: a, listen: paid, correlation: 7}").action == Listen("paid", 7)
    assert step("{id: a, emit: {type: t, data: {x: 1}, subject: s, source: me}}").action == Emit(
        "t", {"x": 1}, "me", "s"
    )
    assert step("{id: a, raise: {name: E, message: m, data: [1]}}").action == Raise(
        {"name": "E", "message": "m", "data": [1]}
    )
    assert isinstance(step('{id: a, raise: "${ {} }"}').action.error, Expression)  # type: ignore[union-attr]
    assert step("{id: a, return: null}").action == Return(None)
    assert step("{id: a, set: {x: 1, y: two}}").action == Set({"x": 1, "y": "two"})
    run = step("{id: a, run: child, with: {x: 1}}").action
    assert isinstance(run, Run)
    assert (run.workflow, run.input) == ("child", {"x": 1})


def test_a_dollar_can_be_written() -> None:
    assert step('{id: a, return: "$${ x } costs $5"}').action == Return("${ x } costs $5")


def test_a_saga_may_hold_calls_that_can_be_undone_at_any_depth() -> None:
    action = step("""{id: s, saga: {do: [{id: t, fork: {l: {do: [
        {id: c, call: f.g, compensate: {call: f.h, with: {x: "${ c }"}, timeout: 3}}]}}}]}}""").action

    assert isinstance(action, Saga)
    fork = action.do.steps[0].action
    assert isinstance(fork, Fork)
    call = fork.branches["l"].steps[0].action
    assert isinstance(call, Call)
    assert call.compensate is not None
    assert (call.compensate.function, call.compensate.timeout) == ("f.h", 3.0)


def test_switch_and_try() -> None:
    switch = step(
        "{id: s, switch: [{when: '${ true }', do: [{id: a, wait: 1}]}], else: [{id: b, wait: 1}]}"
    ).action
    assert isinstance(switch, Switch)
    assert switch.otherwise is not None
    attempt = step("{id: t, try: {do: [{id: a, wait: 1}], finally: [{id: b, wait: 1}]}}").action
    assert isinstance(attempt, Try)
    assert (attempt.catch, attempt.final is not None) == ((), True)


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)
def test_each_example_of_the_reference_is_right(verb: object) -> None:
    example: str = verb.example  # type: ignore[attr-defined]
    block = "\n".join(f"    {line}" for line in example.splitlines())
    text = f"workflow: w\ndo:\n  -\n{block}\n"

    found = loads(text, children={"invoice.yaml": "workflow: invoice\ndo: [{id: a, return: 1}]"})

    assert len(found.workflow.do.steps) == 1


def test_names_in_inner_blocks_are_read_and_set_by_the_rules() -> None:
    workflow("""
        workflow: w
        do:
          - {id: begin, set: {total: 0, left: [1, 2]}}
          - id: rounds
            loop:
              until: ${ done.value }
              do:
                - {id: add, set: {total: "${ total + 1 }", local: 1}}
                - id: route
                  switch:
                    - {when: "${ total > local }", do: [{id: more, set: {left: []}}]}
                - {id: done, call: f.g}
          - id: side
            fork:
              one: {do: [{id: x, set: {own: "${ total }"}}, {id: y, set: {own: "${ own }"}}]}
              two: {do: [{id: x, return: "${ total }"}]}
          - {id: last, if: "${ total > 1 }", return: "${ [side.one, side.two] }"}
        output: ${ [left, last, execution.id] }
    """)
