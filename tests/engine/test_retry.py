"""`retry` goes on from whatever failed, as often as it is asked to."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentflow import Engine, ExecutionFailed
from agentflow.spec.load import Loaded
from tests.engine.hosts import ended, serving

Spec = Callable[..., Loaded]

MORE = """
import os, time

def flaky(x=None):
    if not os.path.exists("ok"):
        raise ConnectionError("not yet")
    return x

def total(items):
    return sum(flaky(items))

def hang():
    time.sleep(0.5)

def slow():
    flaky()
    time.sleep(0.2)  # a timer that is due fires first
"""

CHILD = "  - {id: x, call: more.flaky, with: {x: 1}}"
FAILS = "{call: more.flaky, with: {x: '${ item }'}}"
TWICE = "retry: {max_attempts: 2, interval: 0.01s}"

CASES = {
    "a call that was tried twice": f"{{id: a, call: more.flaky, {TWICE}}}",
    "items of batches": "{id: a, map: '${ range(5) }', batch: 2, " + FAILS[1:],
    "more than is tolerated": "{id: a, map: '${ range(5) }', tolerate: 1, " + FAILS[1:],
    "a reduce": "{id: a, map: '${ range(5) }', call: work.double, with: {x: '${ item }'},"
    " reduce: {call: more.total, arity: 2}}",
    "an item on its way": "{id: a, pipeline: {from: '${ range(5) }', stages: [{id: s, "
    + FAILS[1:]
    + "]}}",
    "clean-up": "{id: a, try: {do: [{id: n, set: {m: 1}}], finally: [{id: y, call: more.flaky}]}}",
    "children": "{id: a, map: '${ range(3) }', do: [{id: c, run: child}]}",
    "children beside a call": "{id: a, fork: {l: {do: [{id: c, run: child}]},"
    " m: {do: [{id: x, call: more.flaky}]}, r: {do: [{id: c, run: child}]}}}",
}

WHOLE = "workflow: flow\ntimeout: {}\ndo:\n  - {{id: a, call: more.{}}}"

SLOW = {
    "the workflow": WHOLE.format("0.05s", "hang"),
    "a call": "{id: a, call: more.hang, timeout: 0.02s}",
    "a listener": "{id: a, listen: never, timeout: 0.02s}",
    "a listener, twice": f"{{id: a, listen: never, timeout: 0.02s, {TWICE}}}",
    "a block": "{id: a, timeout: 0.02s, try: {do: [{id: x, call: more.hang}],"
    " finally: [{id: y, set: {z: 1}}]}}",
}


@pytest.mark.parametrize("step", CASES.values(), ids=CASES.keys())
def test_a_retry_that_fails_again_can_be_retried(
    engine: Engine, spec: Spec, project: Path, step: str
) -> None:
    (project / "more.py").write_text(MORE)
    spec(CHILD, name="child")
    execution = engine.start(spec(f"  - {step}"))
    for _ in range(3):
        with pytest.raises(ExecutionFailed):
            execution.result(60)
        execution = engine.retry(execution.id)
    with pytest.raises(ExecutionFailed):
        execution.result(60)
    (project / "ok").touch()
    engine.retry(execution.id).result(60)


@pytest.mark.parametrize("step", SLOW.values(), ids=SLOW.keys())
def test_what_took_too_long_may_take_too_long_again(
    engine: Engine, spec: Spec, project: Path, step: str
) -> None:
    (project / "more.py").write_text(MORE)
    execution = engine.start(spec(step if step.startswith("workflow") else f"  - {step}"))
    for _ in range(3):
        with pytest.raises(ExecutionFailed, match="took longer"):
            execution.result(60)
        execution = engine.retry(execution.id)
    with pytest.raises(ExecutionFailed, match="took longer"):
        execution.result(60)


LIMITED = {
    "of the workflow": "timeout: 1h\ndo: [{id: a, call: more.slow}]",
    "of a step": "do: [{id: a, timeout: 1h, try: {do: [{id: x, call: more.slow}],"
    " finally: [{id: y, set: {z: 1}}]}}]",
}


@pytest.mark.parametrize("text", LIMITED.values(), ids=LIMITED.keys())
async def test_a_retry_grants_the_time_anew(project: Path, spec: Spec, text: str) -> None:
    (project / "more.py").write_text(MORE)
    async with serving(project) as (host, _):
        held = await host.start(spec(f"workflow: flow\n{text}"), None, None)
        assert (await ended(held)).status == "failed"
    (project / "ok").touch()
    async with serving(project, clock=lambda: time.time() + 86_400) as (host, _):
        assert (await ended(await host.retry(held.stored.id))).status == "succeeded"
