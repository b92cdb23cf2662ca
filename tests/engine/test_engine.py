"""Executions from start to end, on the inline executor and a real journal."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import agentflow
from agentflow import Conflict, Engine, ExecutionCancelled, ExecutionFailed, InputError, NotFound
from agentflow.runtime.journal.protocol import Message
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.notices import Changed, Notice
from tests.engine.conftest import Ledger, Spec, until


def test_a_workflow_runs_and_its_history_is_kept(engine: Engine, spec: Spec) -> None:
    loaded = spec('  - {id: a, call: work.double, with: {x: "${ input.n }"}}')
    execution = engine.start(loaded, {"n": 21})
    assert execution.result() == 42
    assert execution.status == "succeeded"
    types = [record.type for record in execution.events()]
    assert types == ["execution.started", "call.completed", "execution.ended"]


def test_a_workflow_without_calls_ends(engine: Engine, spec: Spec) -> None:
    assert engine.start(spec("  - {id: a, return: 5}")).result() == 5


def test_map_reduce(engine: Engine, spec: Spec) -> None:
    loaded = spec("""
  - id: m
    map: ${ range(input) }
    call: work.double
    with: {x: "${ item }"}
    batch: auto
    reduce: {call: work.add_all, arity: 4}
""")
    assert engine.start(loaded, 100).result() == sum(2 * i for i in range(100))


def test_a_pipeline_over_a_generator(engine: Engine, spec: Spec) -> None:
    loaded = spec("""
  - id: p
    pipeline:
      from: {call: work.numbers, with: {n: 50}}
      buffer: 4
      stages:
        - {id: d, call: work.double, with: {x: "${ item }"}, concurrency: 3}
        - {id: e, call: work.double, with: {x: "${ item }"}}
""")
    assert engine.start(loaded).result() == [4 * i for i in range(50)]


def test_a_failure_names_the_error_and_where_it_came_from(engine: Engine, spec: Spec) -> None:
    execution = engine.start(spec("  - {id: a, call: work.boom, with: {message: no}}"))
    with pytest.raises(ExecutionFailed, match="ValueError: no") as caught:
        execution.result()
    assert caught.value.error["name"] == "ValueError"
    assert execution.record().origin == "a"


def test_the_input_is_checked_before_anything_is_recorded(engine: Engine, spec: Spec) -> None:
    loaded = spec("""workflow: w
input: {type: object, properties: {n: {type: integer}}, required: [n]}
do: [{id: a, return: 1}]
""")
    with pytest.raises(InputError, match=r"\$\.n: 'x' is not of type 'integer'"):
        engine.start(loaded, {"n": "x"})
    with pytest.raises(InputError, match="'n' is a required property"):
        engine.start(loaded)
    with pytest.raises(InputError, match="not a finite number"):
        engine.start(loaded, {"n": float("nan")})
    assert engine.journal.executions() == []


def test_the_same_id_gives_the_same_execution(engine: Engine, spec: Spec, ledger: Ledger) -> None:
    loaded = spec('  - {id: a, call: work.mark, with: {name: once, value: "${ input }"}}')
    first = engine.start(loaded, 1, id="job-1")
    assert first.result() == 1
    again = engine.start(loaded, 1, id="job-1")
    assert (first.created, again.created, again.result()) == (True, False, 1)
    with pytest.raises(Conflict, match="another input"):
        engine.start(loaded, 2, id="job-1")
    assert ledger() == ["once"]


def test_many_executions_share_one_engine(engine: Engine, spec: Spec) -> None:
    loaded = spec("""
  - {id: a, call: work.double, with: {x: "${ input }"}}
  - {id: b, call: work.double, with: {x: "${ a }"}}
""")
    executions = [engine.start(loaded, n) for n in range(50)]
    assert [e.result() for e in executions] == [4 * n for n in range(50)]


def test_coroutines_await_executions(project: Path, spec: Spec) -> None:
    loaded = spec('  - {id: a, call: work.double, with: {x: "${ input }"}}')

    async def both() -> list[int]:
        async with Engine(executor="inline", root=project) as engine:
            executions = [engine.start(loaded, n) for n in (1, 2)]
            return list(await asyncio.gather(*(e._wait() for e in executions)))

    assert asyncio.run(both()) == [2, 4]
    assert asyncio.run(agentflow.run_async(loaded, 3, executor="inline")) == 6
    assert agentflow.run(loaded, 4, executor="inline") == 8


@pytest.mark.parametrize("folder", [str, Path], ids=["text", "path"])
def test_a_root_is_a_folder_as_text_or_as_a_path(
    project: Path, monkeypatch: pytest.MonkeyPatch, folder: type[str | Path]
) -> None:
    monkeypatch.chdir(project.parent)
    spec = project / "flow.yaml"
    spec.write_text("workflow: flow\ndo:\n  - {id: a, call: work.double, with: {x: 2}}\n")
    with Engine(executor="inline", root=folder(project.name)) as engine:
        loaded = agentflow.load(spec, root=folder(project.name))
        assert (engine.root, loaded.root) == (project, project)
        assert engine.start(loaded).result() == 4


def test_cancel_runs_finally_and_ends_as_cancelled(
    engine: Engine, spec: Spec, project: Path, ledger: Ledger
) -> None:
    execution = engine.start(
        spec("""
  - id: t
    try:
      do: [{id: a, call: work.wait_for, with: {path: "${ input }"}}]
      finally: [{id: z, call: work.mark, with: {name: cleaned}}]
"""),
        str(project / "never"),
    )
    execution.cancel("enough")
    with pytest.raises(ExecutionCancelled):
        execution.result()
    assert ledger() == ["cleaned"]
    with pytest.raises(Conflict, match="already been cancelled"):
        engine.cancel(execution.id)


def test_a_child_runs_as_an_execution_of_its_own(engine: Engine, spec: Spec) -> None:
    spec('  - {id: d, call: work.double, with: {x: "${ input.x }"}}', name="child")
    parent = spec("""
  - {id: c, run: child, with: {x: 4}}
  - {id: r, return: "${ c + 1 }"}
""")
    execution = engine.start(parent)
    assert execution.result() == 9
    (child,) = engine.journal.children(execution.id)
    assert (child.workflow, child.output, child.parent_key) == ("child", 8, "c")


def test_a_failing_child_fails_its_parent(engine: Engine, spec: Spec) -> None:
    spec("  - {id: d, call: work.boom}", name="child")
    execution = engine.start(spec("  - {id: c, run: child}"))
    with pytest.raises(ExecutionFailed, match="ValueError"):
        execution.result()


def test_a_listener_gets_messages_early_and_late(engine: Engine, spec: Spec) -> None:
    loaded = spec("""
  - {id: l, listen: paid, correlation: "${ input }"}
  - {id: m, listen: shipped}
  - {id: r, return: ["${ l }", "${ m }"]}
""")
    execution = engine.start(loaded, "o-1")
    engine.journal.post(Message("m2", "shipped", None, "early", 0.0, execution.id))
    engine.journal.post(Message("m0", "paid", "o-2", "wrong", 0.0))
    engine.journal.post(Message("m1", "paid", "o-1", "right", 0.0))
    engine.journal.post(Message("m1", "paid", "o-1", "double", 0.0))
    assert execution.result(60) == ["right", "early"]


def test_an_approval_takes_only_what_matches_its_form(engine: Engine, spec: Spec) -> None:
    loaded = spec("""
  - id: ok
    approve: {message: really?, form: {type: object, required: [yes]}}
""")
    execution = engine.start(loaded)
    engine.journal.post(Message("m1", "ok", None, {"no": 1}, 0.0, execution.id))
    engine.journal.post(Message("m2", "ok", None, {"yes": 1}, 0.0, execution.id))
    assert execution.result(60) == {"yes": 1}


def test_an_emitted_event_reaches_who_listens(engine: Engine, spec: Spec) -> None:
    listener = engine.start(
        spec("  - {id: l, listen: order.paid, correlation: o-1}", name="listener")
    )
    emitter = spec("  - {id: e, emit: {type: order.paid, subject: o-1, data: 7}}", name="emitter")
    assert engine.start(emitter).result() is None
    assert listener.result(60) == 7


def test_a_timer_that_waits_shows_as_waiting(engine: Engine, spec: Spec) -> None:
    waiting = threading.Event()
    execution = engine.start(
        spec("""
  - {id: a, call: work.double, with: {x: 1}}
  - {id: l, listen: go}
""")
    )
    while execution.status != "waiting":
        waiting.wait(0.01)
    engine.journal.post(Message("go", "go", None, 1, 0.0, execution.id))
    assert execution.result(60) == 1


def test_watchers_see_what_was_committed(project: Path, spec: Spec) -> None:
    notices: list[Notice] = []
    with Engine(executor="inline", root=project, watch=notices.append) as engine:
        engine.start(spec("  - {id: a, call: work.double, with: {x: 1}}")).result()
    events = [type(e).__name__ for n in notices if isinstance(n, Changed) for e in n.events]
    assert events == ["Started", "CallCompleted"]


# --- resume and retry ------------------------------------------------------------------------


def test_closing_an_engine_keeps_executions_for_the_next(
    project: Path, spec: Spec, ledger: Ledger
) -> None:
    loaded = spec("""
  - {id: a, call: work.mark, with: {name: a, value: 1}}
  - {id: b, call: work.wait_for, with: {path: "${ input }"}}
  - {id: c, call: work.mark, with: {name: c, value: "${ a }"}}
""")
    done_a = threading.Event()

    def watch(notice: Notice) -> None:
        if isinstance(notice, Changed) and any(getattr(e, "key", "") == "a" for e in notice.events):
            done_a.set()

    flag = project / "flag"
    with Engine(executor="inline", root=project, watch=watch) as engine:
        execution = engine.start(loaded, str(flag))
        assert done_a.wait(60)
    with pytest.raises(agentflow.Unavailable, match="closed"):
        execution._ended.result() if execution._ended else None
    flag.touch()
    with Engine(executor="inline", root=project) as engine:
        assert engine.resume(execution.id[:14]).result(60) == 1
        with pytest.raises(Conflict, match="already succeeded"):
            engine.resume(execution.id)
        with pytest.raises(NotFound):
            engine.resume("nope")
    assert ledger() == ["a", "c"]


KILLED = """
import os, sys
from agentflow import Engine
from agentflow.spec.load import load

with Engine(executor="inline") as engine:
    execution = engine.start(load("flow.yaml"), sys.argv[1], id="victim")
    print("started", flush=True)
    execution.result()
"""


@pytest.mark.slow
def test_a_killed_process_leaves_what_was_done(project: Path, spec: Spec, ledger: Ledger) -> None:
    spec("""
  - id: m
    map: [1, 2, 3]
    concurrency: 1
    do:
      - {id: a, call: work.mark, with: {name: "m${ item }", value: "${ item }"}}
  - {id: b, call: work.mark, with: {name: b}}
  - {id: w, call: work.wait_for, with: {path: "${ input }"}}
  - {id: r, return: "${ m }"}
""")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(project / "flag")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(agentflow.__file__).parent.parent)},
    )
    until(lambda: ledger()[-1:] == ["b"] or process.poll() is not None)
    journal = Journal.open(None, project)
    until(lambda: "b" in [record.step for record in journal.history("victim")])
    journal.close()
    process.send_signal(signal.SIGKILL)
    process.wait()
    (project / "flag").touch()
    with Engine(executor="inline", root=project) as engine:
        assert engine.resume("victim").result(60) == [1, 2, 3]
    assert ledger() == ["m1", "m2", "m3", "b"]


def test_retry_goes_on_from_the_failed_call(engine: Engine, spec: Spec, ledger: Ledger) -> None:
    loaded = spec("""
  - {id: a, call: work.mark, with: {name: a, value: 1}}
  - {id: b, call: work.fail_once, with: {name: b, value: "${ a }"}}
  - {id: c, call: work.mark, with: {name: c, value: "${ b }"}}
""")
    execution = engine.start(loaded)
    with pytest.raises(ExecutionFailed):
        execution.result()
    again = engine.retry("@last-failed")
    assert again.id == execution.id
    assert again.result() == 1
    assert ledger() == ["a", "b", "b", "c"]
    with pytest.raises(Conflict, match="nothing to retry"):
        engine.retry(execution.id)


def test_retry_of_a_failed_item_calls_only_that_item(
    engine: Engine, spec: Spec, ledger: Ledger
) -> None:
    loaded = spec("""
  - id: m
    map: ["x", "y", "z"]
    batch: 3
    call: work.fail_once
    with: {name: "${ item }", value: "${ item }"}
""")
    for name in "xz":
        Path(os.environ["LEDGER"] + "." + name).touch()
    execution = engine.start(loaded)
    with pytest.raises(ExecutionFailed):
        execution.result()
    assert engine.retry(execution.id).result() == ["x", "y", "z"]
    assert ledger() == ["x", "y", "z", "y"]


def test_retry_of_a_failed_child_retries_the_child(engine: Engine, spec: Spec) -> None:
    spec("  - {id: d, call: work.fail_once, with: {name: d, value: 3}}", name="child")
    execution = engine.start(spec("  - {id: c, run: child}"))
    with pytest.raises(ExecutionFailed):
        execution.result()
    assert engine.retry(execution.id).result(60) == 3


def test_retry_goes_on_after_a_cancellation(engine: Engine, spec: Spec, project: Path) -> None:
    loaded = spec('  - {id: a, call: work.wait_for, with: {path: "${ input }"}}')
    execution = engine.start(loaded, str(project / "flag"))
    execution.cancel()
    with pytest.raises(ExecutionCancelled):
        execution.result()
    (project / "flag").touch()
    assert engine.retry(execution.id).result(60) == "there"


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ("  - {id: a, raise: {name: Nope, message: no}}", "a retry would give the same"),
        (
            """
  - id: s
    saga:
      do:
        - {id: a, call: work.mark, with: {name: a}, compensate: {call: work.mark, with: {name: undo}}}
        - {id: b, call: work.boom}
""",
            "has been undone",
        ),
    ],
    ids=["the workflow's own error", "an undone saga"],
)
def test_retry_refuses_what_it_cannot_do(engine: Engine, spec: Spec, steps: str, why: str) -> None:
    execution = engine.start(spec(steps))
    with pytest.raises(ExecutionFailed):
        execution.result()
    with pytest.raises(Conflict, match=why):
        engine.retry(execution.id)
