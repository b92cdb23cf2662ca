"""Workflows that programs make step by step."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentflow import Builder
from agentflow.errors import SpecError
from tests.spec.python_flows import project

BUILT = """\
workflow: built
version: "2"
input: {type: object, required: [xs]}

do:
  - id: double
    map: ${ input["xs"] }
    call: functions.work.double
    with: {n: "${ item }"}
    batch: auto

  - id: total
    call: functions.work.total
    with: {items: "${ double }"}
    retry: {max_attempts: 3}

  - id: set_k
    set: {k: "${ total }"}

  - id: switch
    switch:
      - when: ${ k > 3 }
        do:
          - id: raise
            raise: {name: TooLarge, message: "${ k }"}
    else:
      - id: set_k_2
        set: {k: 0}

  - id: fork
    fork:
      a:
        do:
          - id: double_2
            call: functions.work.double
            with: {n: 1}
          - id: return
            return: null
    join: any

  - id: loop
    loop:
      for: ${ input["xs"] }
      as: x
      max: 9
      do:
        - id: wait
          wait: 1s

  - id: try
    try:
      do:
        - id: undo
          call: functions.work.undo
          with: {n: 1}
      catch:
        - on: Refused
          as: err
          do:
            - id: emit
              emit: {type: refused, data: "${ err }"}
      finally:
        - id: double_3
          call: functions.work.double
          with: {n: 2}

  - id: saga
    saga:
      do:
        - id: booked
          if: ${ k > 1 }
          call: functions.work.double
          with: {n: 3}
          compensate: {call: functions.work.undo, with: {n: '${ booked["id"] }'}}

  - id: answer
    approve: {message: Sure?, form: {type: boolean}}
    timeout: 1d

  - id: paid
    listen: payment
    correlation: ${ k }

  - id: inner
    run: inner
    with: {n: 1}

output: {answer: "${ answer }", last: '${ fork["a"] }'}
"""


def built() -> Builder:
    flow = Builder("built", version="2", input={"type": "object", "required": ["xs"]})
    xs = flow.input["xs"]
    doubled = flow.map(xs, call="functions.work.double", n=flow.item, batch="auto")
    k = flow.call("functions.work.total", items=doubled, retry={"max_attempts": 3})
    flow.set(k=k)
    large, small = flow.block(), flow.block()
    large.fail("TooLarge", "${ k }")
    small.set(k=0)
    flow.switch(("${ k > 3 }", large), otherwise=small)
    branch = flow.block()
    branch.call("functions.work.double", n=1)
    branch.give(None)
    both = flow.fork({"a": branch}, join="any")
    rounds = flow.block()
    rounds.wait("1s")
    flow.loop(rounds, over=xs, bind="x", most=9)
    body, refused, final = flow.block(), flow.block(), flow.block()
    body.call("functions.work.undo", n=1)
    refused.emit("refused", "${ err }")
    final.call("functions.work.double", {"n": 2})
    flow.attempt(body, ("Refused", "err", refused), final=final)
    trip = flow.block()
    undo = {"call": "functions.work.undo", "with": {"n": '${ booked["id"] }'}}
    trip.call("functions.work.double", n=3, id="booked", when="${ k > 1 }", compensate=undo)
    flow.saga(trip)
    answer = flow.approve("Sure?", form={"type": "boolean"}, id="answer", timeout="1d")
    flow.listen("payment", correlation="${ k }", id="paid")
    flow.run("inner", {"n": 1}, id="inner")
    flow.output = {"answer": answer, "last": both["a"]}
    return flow


def test_steps_are_written_as_they_were_added() -> None:
    assert built().text() == BUILT


def test_a_built_workflow_is_checked_like_any_other(tmp_path: Path) -> None:
    children = {"inner": "workflow: inner\ndo: [{id: a, wait: 1}]"}
    loaded = built().load(root=project(tmp_path), children=children)
    assert loaded.workflow.name == "built"

    flow = Builder("wrong")
    flow.call("functions.work.double", m=1)
    flow.output = "${ dobule }"
    with pytest.raises(SpecError) as caught:
        flow.load(root=tmp_path)
    assert [each.code for each in caught.value.diagnostics] == ["AF404", "AF403", "AF301"]
    assert caught.value.diagnostics[0].span.file == "<wrong>"
