"""Pipelines in an engine: results that are read while the source still waits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from agentflow import Engine
from agentflow.errors import ExecutionFailed, UsageError
from agentflow.spec.load import Loaded

Spec = Callable[[str], Loaded]

SOURCES = '''
import asyncio, os, time

def patient(n: int, seen: str):
    """Give one value, and the others only when somebody has seen what became of it."""
    yield 0
    while not os.path.exists(seen):
        time.sleep(0.005)
    yield from range(1, n)

def counted(n: int, ledger: str):
    """Write how many values were made."""
    for value in range(n):
        with open(ledger, "w") as file:
            file.write(str(value + 1))
        yield value

def breaking(n: int, places: list[int], ledger: str):
    """Break before each of these values, as long as it was not broken there before."""
    for value in range(n):
        mark = f"{ledger}.{value}"
        if value in places and not os.path.exists(mark):
            open(mark, "w").close()
            raise ConnectionError(f"broke at {value}")
        yield value

def double(x: int) -> int:
    return 2 * x

def held(x: int, path: str) -> int:
    while not os.path.exists(path):
        time.sleep(0.005)
    return x

def refuse(x: int) -> int:
    if x == 3:
        raise ValueError("three")
    return x

RUNNING = 0
MOST = 0

async def alone(x: int) -> int:
    global RUNNING, MOST
    RUNNING += 1
    MOST = max(MOST, RUNNING)
    await asyncio.sleep(0)
    RUNNING -= 1
    return MOST
'''


@pytest.fixture(autouse=True)
def sources(project: Path) -> None:
    """More functions to call, in the module `flowing`."""
    (project / "flowing.py").write_text(SOURCES)


PATIENT = """
  - id: p
    pipeline:
      from: {call: flowing.patient, with: {n: 50, seen: "${ input }"}}
      stages:
        - {id: a, call: flowing.double, with: {x: "${ item }"}}
        - {id: b, call: flowing.double, with: {x: "${ item }"}}
"""


def test_the_first_result_is_there_long_before_the_last_input(
    engine: Engine, spec: Spec, project: Path
) -> None:
    seen = project / "seen"
    execution = engine.start(spec(_whole(PATIENT)), str(seen))
    results = []
    for value in execution.stream("p"):
        results.append(value)
        seen.touch()
    assert results == [4 * x for x in range(50)]
    assert execution.status == "succeeded"


async def test_results_can_be_awaited(engine: Engine, spec: Spec, project: Path) -> None:
    seen = project / "seen"
    execution = engine.start(spec(_whole(PATIENT)), str(seen))
    results = []
    async for value in execution.stream("p"):
        results.append(value)
        seen.touch()
    assert results == [4 * x for x in range(50)]


def test_results_can_be_read_after_the_end_and_twice(engine: Engine, spec: Spec) -> None:
    execution = engine.start(
        spec("""
  - id: outer
    loop:
      for: ${ [1, 2] }
      do:
        - id: p
          pipeline:
            from: ${ range(5) }
            as: x
            stages: [{id: a, do: [{id: s, return: "${ x * item }"}]}]
""")
    )
    execution.result()
    stream = execution.stream("outer[1].p")
    assert list(stream) == list(stream) == [0, 2, 4, 6, 8]


def test_what_came_before_a_failure_is_given(engine: Engine, spec: Spec) -> None:
    execution = engine.start(
        spec("""
  - id: p
    pipeline:
      from: ${ range(9) }
      buffer: 1
      stages: [{id: a, call: flowing.refuse, with: {x: "${ item }"}}]
""")
    )
    results = iter(execution.stream("p"))
    given = [next(results), next(results), next(results)]
    with pytest.raises(ExecutionFailed, match="three"):
        next(results)
    assert given == [0, 1, 2]


def test_a_source_that_broke_is_opened_again_where_it_broke(
    engine: Engine, spec: Spec, project: Path
) -> None:
    call = f"call: flowing.breaking, with: {{n: 50, places: [0, 7, 8], ledger: {project}/l}}"
    execution = engine.start(
        spec(f"""
  - id: p
    pipeline:
      from: {{{call}}}
      stages: [{{id: a, call: work.mark, with: {{name: "a${{ item }}", value: "${{ item }}"}}}}]
""")
    )
    for place in (0, 7, 8):
        with pytest.raises(ExecutionFailed, match=f"broke at {place}"):
            execution.result(60)
        execution = engine.retry(execution.id)
    assert execution.result(60) == list(range(50))


def test_results_go_on_after_a_retry(engine: Engine, spec: Spec, project: Path) -> None:
    """What was read before is not given once more."""
    execution = engine.start(
        spec(
            _whole("""
  - id: p
    pipeline:
      from: ${ range(9) }
      buffer: 1
      stages: [{id: a, call: work.fail_once, with: {name: "${ 'f' + str(item) }", value: "${ item }"}}]
""")
        )
    )
    stream = execution.stream("p")
    failures = 0
    while execution.status != "succeeded":
        with suppress(ExecutionFailed):
            list(stream)
        if execution.status == "failed":
            failures += 1
            execution = engine.retry(execution.id)
            stream = execution.stream("p")
    assert list(stream) == list(range(9))
    assert failures == 9


def test_a_step_that_is_no_pipeline_is_named(engine: Engine, spec: Spec) -> None:
    execution = engine.start(spec(_whole(PATIENT)), "nowhere")
    with pytest.raises(UsageError, match="no pipeline `q`") as caught:
        execution.stream("q")
    assert "`p`" in (caught.value.help or "")


def test_the_source_makes_no_more_than_buffers_hold(
    engine: Engine, spec: Spec, project: Path
) -> None:
    """While the last stage is held back, and after everything that can move has moved."""
    ledger, go = project / "made", project / "go"
    execution = engine.start(
        spec(
            _whole("""
  - id: p
    pipeline:
      from: {call: flowing.counted, with: {n: 1000, ledger: "${ input.ledger }"}}
      buffer: 10
      stages:
        - {id: a, call: flowing.double, with: {x: "${ item }"}}
        - {id: b, call: flowing.held, with: {x: "${ item }", path: "${ input.go }"}}
      reduce: {call: work.add_all, arity: 50}
""")
        ),
        {"ledger": str(ledger), "go": str(go)},
    )
    made, again = -1, 0
    while made != again or not made:  # a stage has ended and nothing came: it stands still
        made = again
        engine.news(engine.news(None))
        again = int(ledger.read_text() or 0) if ledger.exists() else 0
    assert made <= 60
    go.touch()
    execution.result()
    assert int(ledger.read_text()) == 1000


def test_a_stage_of_a_coroutine_function_keeps_its_concurrency(engine: Engine, spec: Spec) -> None:
    most = engine.start(
        spec(
            """
  - id: p
    pipeline:
      from: ${ range(300) }
      buffer: 100
      stages: [{id: a, call: flowing.alone, with: {x: "${ item }"}}]
output: ${ max(p) }
"""
        )
    ).result()
    assert most == 1


def _whole(steps: str) -> str:
    return f"workflow: flow\ndo:\n{steps}"
