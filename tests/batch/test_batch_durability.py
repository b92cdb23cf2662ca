"""What is in the journal, and how a run goes on: after a crash, a stop, a failure."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import agentflow
from agentflow import Engine
from agentflow.errors import Conflict, ExecutionCancelled, ExecutionFailed, Unavailable, UsageError
from agentflow.runtime.journal.protocol import CANCEL, Message
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.settings import Settings
from tests.batch import jobs
from tests.batch.conftest import ROOT, Map

Ledger = Callable[[], list[int]]


def noted(tmp_path: Path, numbers: Any) -> list[list[Any]]:
    return [[str(tmp_path / "ledger"), x] for x in numbers]


def recorded_items(journal: Journal, id: str) -> set[int]:
    steps = [step for _, step in kept(journal, id) if step and step.startswith("items")]
    return {x for step in steps for x in range(*map(int, step[6:-1].split(":")))}


def kept(journal: Journal, id: str) -> list[tuple[str, str | None]]:
    return [(record.type, record.step) for record in journal.history(id)]


def test_the_journal_has_one_event_for_each_chunk(inline: Map, journal: Journal) -> None:
    run = inline(range(100), jobs.square, reduce=sum, chunk=40, concurrency=1)
    run.result()
    assert kept(journal, run.id) == [
        ("execution.started", None),
        ("call.completed", "items[0:40]"),
        ("call.completed", "items[40:80]"),
        ("call.completed", "items[80:100]"),
        ("call.completed", "reduce"),
        ("execution.ended", None),
    ]
    stored = journal.execution(run.id)
    assert (stored.workflow, stored.status) == ("map-reduce:tests.batch.jobs.square", "succeeded")
    assert stored.output == sum(x * x for x in range(100))
    assert stored.input == {"items": {"range": [0, 100, 1]}}
    assert journal.spec(stored.digest).text.startswith('{\n  "batch": "map-reduce"')


@pytest.mark.slow
def test_the_command_line_lists_and_shows_batch_runs(inline: Map, url: str, tmp_path: Path) -> None:
    run = inline(range(9), jobs.refuse_sevens, tolerate=5, chunk=3)
    run.results()

    def agentflow_cli(*words: str) -> str:
        done = typed(words, tmp_path, url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run.id in agentflow_cli("executions", "--workflow", "map:tests.batch.jobs.refuse_sevens")
    assert "items[3:6]" in agentflow_cli("history", run.id)
    assert "succeeded" in agentflow_cli("show", run.id)
    shown = json.loads(agentflow_cli("show", run.id, "--json"))
    assert shown["output"] == {"items": 9, "failed": 2}


def typed(words: Any, folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    """What `agentflow` says to a command."""
    return subprocess.run(
        [sys.executable, "-m", "agentflow", *words],
        cwd=folder,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_command_line_cancels_a_run_that_nobody_runs(
    inline: Map, url: str, tmp_path: Path, journal: Journal
) -> None:
    def breaking() -> Iterator[int]:
        yield 1
        raise OSError

    with pytest.raises(OSError):
        inline(breaking(), jobs.square, id="left").results()
    shown = typed(["show", "left"], tmp_path, url)
    assert "Interrupted" in shown.stdout
    assert "agentflow resume" not in shown.stdout
    done = typed(["cancel", "left", "--reason", "no longer"], tmp_path, url)
    assert done.returncode == 0, done.stderr
    assert "Cancelled" in done.stderr
    assert [type for type, _ in kept(journal, "left")][-2:] == [
        "cancel.requested",
        "execution.ended",
    ]
    assert typed(["cancel", "left"], tmp_path, url).returncode == 5


@pytest.mark.slow
def test_the_command_line_explains_a_run_that_failed(inline: Map, url: str, tmp_path: Path) -> None:
    with pytest.raises(ExecutionFailed):
        inline([7], jobs.refuse_sevens, id="seven").results()
    shown = typed(["show", "seven"], tmp_path, url)
    assert shown.returncode == 0, shown.stderr
    assert "7 is a multiple of seven" in shown.stdout
    assert "agentflow retry" not in shown.stdout


@pytest.mark.parametrize("reduce", [None, sum], ids=["map", "map-reduce"])
def test_the_same_call_with_the_id_of_a_run_that_is_over_calls_nothing(
    inline: Map, tmp_path: Path, ledger: Ledger, reduce: Any
) -> None:
    items = noted(tmp_path, range(20))
    first = inline(items, jobs.note, reduce=reduce, id="once").result()
    assert inline(items, jobs.note, reduce=reduce, id="once").result() == first
    assert len(ledger()) == 20


def test_large_results_of_a_run_that_is_over_are_read_from_blobs(
    inline: Map, journal: Journal, tmp_path: Path
) -> None:
    first = inline(range(6), jobs.large_array_of, chunk=2, id="arrays").results()
    again = inline(range(6), jobs.large_array_of, chunk=2, id="arrays").results()
    assert [array.tolist() for array in again] == [array.tolist() for array in first]
    events = journal.history("arrays")
    assert [event.data["attachment"]["size"] > 800_000 for event in events[1:-1]] == [True] * 3


def test_blobs_of_results_are_swept_with_their_run_and_backed_up_with_the_journal(
    inline: Map, url: str, tmp_path: Path
) -> None:
    inline(range(6), jobs.large_array_of, chunk=2, id="arrays").results()
    journal = Journal.open(url, tmp_path, settings=Settings(blob_grace_seconds=0))
    journal.backup(tmp_path / "copy")
    assert len(blobs_in(tmp_path / "copy")) == 3
    journal.prune(3600)  # sweeps what no event refers to
    assert inline(range(6), jobs.large_array_of, id="arrays").results()[5][0] == 5.0
    assert journal.prune(0).blobs == 3
    assert blobs_in(tmp_path) == []
    journal.close()


@pytest.mark.slow
@pytest.mark.parametrize("is_over", [True, False], ids=["over", "stopped"])
def test_a_run_goes_on_without_having_its_results_in_memory(inline: Map, *, is_over: bool) -> None:
    size, count = 40_000, 600

    def items(end: int) -> Iterator[int]:
        yield from range(end)
        if end < count:
            raise OSError("no more for now")

    call: dict[str, Any] = {"chunk": 1, "id": "long", "concurrency": 1}
    begun = inline(items(count if is_over else count - 5), jobs.text_of_40_000, **call)
    with nullcontext() if is_over else pytest.raises(OSError, match="no more for now"):
        for _ in begun:
            pass
    tracemalloc.start()
    found = sum(len(text) for text in inline(items(count), jobs.text_of_40_000, **call))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == size * count
    assert peak < found / 2


def blobs_in(folder: Path) -> list[Path]:
    return [file for file in (folder / "blobs").rglob("*") if file.is_file()]


CRASH = """
    import os, sys, signal, agentflow
    from pathlib import Path
    from tests.batch import jobs
    folder, url, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    items = [[str(folder / "ledger"), x] for x in range(60)]
    place = dict(executor="inline", root=folder, store=url, id="crash", chunk=2)
    for n, value in enumerate(agentflow.map(items, jobs.note_slowly, **place)):
        if n == count:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 25])
def test_a_killed_run_goes_on_where_it_was(
    inline: Map, tmp_path: Path, url: str, ledger: Ledger, journal: Journal, count: int
) -> None:
    started = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CRASH), tmp_path, url, str(count)],
        cwd=ROOT,
        check=False,
    )
    assert started.returncode == -signal.SIGKILL
    done = recorded_items(journal, "crash")
    items = noted(tmp_path, range(60))
    assert inline(items, jobs.note_slowly, id="crash", chunk=2).results() == list(range(60))
    again = {x for x, times in Counter(ledger()).items() if times > 1}
    assert set(ledger()) == set(range(60))
    assert len(done) >= count
    assert not again & done


def test_a_run_that_was_stopped_goes_on_with_other_options(
    inline: Map, tmp_path: Path, ledger: Ledger
) -> None:
    items = noted(tmp_path, range(200))
    run = inline(items, jobs.note, chunk=1, id="halves")
    values = iter(run)
    assert [next(values) for _ in range(20)] == list(range(20))
    values.close()  # type: ignore[attr-defined]  # a generator has it
    before = len(ledger())
    assert 20 <= before < 200
    results = inline(items, jobs.note, chunk=9, retry=2, concurrency=1, id="halves").results()
    assert results == list(range(200))
    assert sorted(ledger()) == list(range(200))


def test_a_reduce_goes_on_from_what_was_combined(inline: Map, journal: Journal) -> None:
    def breaking() -> Iterator[str]:
        yield from (f"{x};" for x in range(50))
        while not any((step or "").startswith("reduce") for _, step in kept(journal, "tree")):
            time.sleep(0.01)
        raise OSError("the source broke")

    with pytest.raises(OSError, match="the source broke"):
        inline(breaking(), jobs.identity, reduce=jobs.joined, chunk=3, arity=2, id="tree").result()
    items = (f"{x};" for x in range(50))
    result = inline(items, jobs.identity, reduce=jobs.joined, chunk=4, arity=3, id="tree").result()
    assert result == "".join(f"{x};" for x in range(50))


def test_a_generator_that_raises_leaves_the_run_to_be_continued(
    inline: Map, tmp_path: Path, ledger: Ledger, journal: Journal
) -> None:
    def breaking() -> Iterator[list[Any]]:
        yield from noted(tmp_path, range(10))
        raise LookupError("no more for now")

    run = inline(breaking(), jobs.note, chunk=5, id="broken")
    with pytest.raises(LookupError, match="no more for now") as caught:
        run.results()
    assert "id='broken'" in caught.value.__notes__[0]
    assert journal.execution("broken").status == "running"
    assert journal.execution("broken").owner is None
    stream = (item for item in noted(tmp_path, range(15)))
    assert inline(stream, jobs.note, chunk=5, id="broken").results() == list(range(15))
    assert max(Counter(ledger()).values()) <= 2  # what was not recorded is called again


@pytest.mark.parametrize(
    ("items", "what"),
    [
        pytest.param(lambda: iter([1, 2, 9, 4, 5, 6, 7]), "are not the same any more", id="other"),
        pytest.param(lambda: iter([1, 2]), "are not there any more", id="fewer"),
    ],
)
def test_other_items_are_refused(inline: Map, items: Callable[[], Any], what: str) -> None:
    def breaking() -> Iterator[int]:
        yield from [1, 2, 3, 4]
        raise OSError

    with pytest.raises(OSError):
        inline(breaking(), jobs.square, chunk=2, id="same").results()
    with pytest.raises(Conflict, match=what):
        inline(items(), jobs.square, chunk=2, id="same").results()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"items": range(11)}, id="length"),
        pytest.param({"function": jobs.identity}, id="function"),
        pytest.param({"reduce": sum}, id="reduce"),
    ],
)
def test_an_id_is_not_for_another_run(inline: Map, change: dict[str, Any]) -> None:
    call: dict[str, Any] = {"items": range(10), "function": jobs.square, "id": "taken"}
    inline(**call).results()
    with pytest.raises(Conflict, match="the id taken is taken by an execution of"):
        inline(**(call | change)).result()


# --- failures ---------------------------------------------------------------------------------


def test_the_first_failure_ends_a_run_and_names_the_item(inline: Map, journal: Journal) -> None:
    run = inline(range(1, 30), jobs.refuse_sevens, chunk=30)
    with pytest.raises(ExecutionFailed, match="ValueError: 7 is a multiple of seven") as caught:
        run.results()
    assert "item 6 is 7" in caught.value.help
    assert "only_failed=True" in caught.value.help
    assert run.failures[0].index == 6
    assert run.failures[0].trace[-1]["function"] == "refuse_sevens"
    stored = journal.execution(run.id)
    assert (stored.status, stored.origin) == ("failed", "items[6]")


@pytest.mark.parametrize(
    ("tolerate", "holds"),
    [(3, True), (2, False), ("15%", True), ("14%", False), (0.15, True), (0.14, False)],
)
def test_so_many_failures_are_tolerated(inline: Map, tolerate: Any, *, holds: bool) -> None:
    run = inline(range(20), jobs.refuse_sevens, tolerate=tolerate)
    if holds:
        assert run.results() == [None if x % 7 == 0 else x for x in range(20)]
        return
    with pytest.raises(ExecutionFailed, match="TooManyFailures: 3 items failed"):
        run.results()
    assert [failure.input for failure in run.failures] == [0, 7, 14]


def test_tolerated_failures_are_left_out_of_the_reduce(inline: Map) -> None:
    run = inline((x for x in range(20)), jobs.refuse_sevens, reduce=sum, tolerate="20%", chunk=4)
    assert run.result() == sum(x for x in range(20) if x % 7)


def test_items_are_tried_again_in_the_worker(inline: Map, tmp_path: Path, ledger: Ledger) -> None:
    items = noted(tmp_path, range(5))
    options = {"retry": {"max_attempts": 3, "interval": 0.001, "on": "ConnectionError"}}
    assert inline(items, jobs.fail_until_third, **options).results() == list(range(5))
    assert Counter(ledger()) == dict.fromkeys(range(5), 3)


@pytest.mark.parametrize(
    ("function", "name", "index"),
    [
        (jobs.end_early, "RuntimeError", 3),
        (jobs.leave, "SystemExit", 0),
        (jobs.refuse_sevens, "ValueError", 0),
    ],
)
def test_whatever_a_function_raises_is_the_items_failure(
    inline: Map, function: Any, name: str, index: int
) -> None:
    run = inline(range(5), function, tolerate=5)
    results = run.results()
    assert len(results) == 5
    assert (run.failures[0].error["name"], run.failures[0].index) == (name, index)
    assert results[index] is None


@pytest.mark.parametrize("tolerate", [0, 100], ids=["failed", "succeeded"])
@pytest.mark.parametrize("reduce", [None, sum], ids=["map", "map-reduce"])
def test_what_failed_is_tried_again_alone(
    inline: Map, tmp_path: Path, ledger: Ledger, journal: Journal, reduce: Any, tolerate: int
) -> None:
    items = noted(tmp_path, range(40))
    call: dict[str, Any] = {"chunk": 10, "reduce": reduce, "id": "mend", "tolerate": tolerate}
    run = inline(items, jobs.fail_unless_mended, **call)
    if tolerate:
        run.result()
    else:
        with pytest.raises(ExecutionFailed):
            run.result()
    done = recorded_items(journal, "mend")
    (tmp_path / "ledger.mended").touch()
    again = inline(items, jobs.fail_unless_mended, **call, only_failed=True)
    expected = list(range(40))
    assert again.result() == (expected if reduce is None else sum(expected))
    assert again.failures == []
    times = Counter(ledger())
    assert {x for x in done if times[x] == 1} == {x for x in done if x % 3}
    assert inline(items, jobs.fail_unless_mended, **call).result() == again_result(reduce)


def again_result(reduce: Any) -> Any:
    return list(range(40)) if reduce is None else sum(range(40))


def test_what_fails_again_is_listed_again(inline: Map, tmp_path: Path) -> None:
    items = noted(tmp_path, range(10))
    call: dict[str, Any] = {"tolerate": 10, "id": "still"}
    first = inline(items, jobs.fail_unless_mended, **call)
    first.results()
    again = inline(items, jobs.fail_unless_mended, **call, only_failed=True)
    assert again.results() == first_results()
    assert [failure.index for failure in again.failures] == [0, 3, 6, 9]


def first_results() -> list[int | None]:
    return [x if x % 3 else None for x in range(10)]


def test_only_failed_needs_an_id(inline: Map) -> None:
    with pytest.raises(UsageError, match="only_failed needs the id"):
        inline([1], jobs.square, only_failed=True)


# --- others -----------------------------------------------------------------------------------


def test_an_engine_leaves_batch_runs_alone(inline: Map, journal: Journal, tmp_path: Path) -> None:
    def breaking() -> Iterator[int]:
        yield 1
        raise OSError

    with pytest.raises(OSError):
        inline(breaking(), jobs.square, id="orphan").results()
    assert journal.orphans() == []
    engine = Engine(executor="inline", root=tmp_path, store=f"sqlite:///{tmp_path}/journal.db")
    with engine, pytest.raises(Conflict, match="batch run") as caught:
        engine.resume("orphan")
    assert "make the same call" in caught.value.help
    assert inline(iter([1, 2]), jobs.square, id="orphan").results() == [1, 4]


@pytest.mark.slow
def test_a_run_that_is_under_way_belongs_to_one_process(
    inline: Map, tmp_path: Path, url: str
) -> None:
    run = inline((x for x in iter(int, 1)), jobs.square, chunk=1, id="busy")
    values = iter(run)
    assert next(values) == 0
    program = """
        import sys, agentflow
        from tests.batch import jobs
        try:
            agentflow.map(iter([1]), jobs.square, executor="inline", id="busy",
                          root=sys.argv[1], store=sys.argv[2]).results()
        except agentflow.Conflict as error:
            print(error.message)
    """
    other = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), tmp_path, url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    run.stop()
    assert other.stdout.startswith("execution busy is run by process")


def test_a_run_can_be_cancelled_by_a_message(inline: Map, journal: Journal) -> None:
    run = inline((x for x in iter(int, 1)), jobs.square, id="unwanted")
    values = iter(run)
    next(values)
    journal.post(Message("m", CANCEL, None, "enough", 1.0, "unwanted"))
    with pytest.raises(ExecutionCancelled):
        for _ in values:
            pass
    assert journal.execution("unwanted").status == "cancelled"
    assert journal.messages_for("unwanted", CANCEL) == []
    with pytest.raises(ExecutionCancelled):
        inline((x for x in iter(int, 1)), jobs.square, id="unwanted").results()


def test_a_run_can_be_cancelled_by_its_handle(inline: Map, journal: Journal) -> None:
    run = inline((x for x in iter(int, 1)), jobs.square)
    values = iter(run)
    next(values)
    run.cancel()
    assert journal.execution(run.id).status == "cancelled"


INTERRUPTED = """
    import sys, agentflow
    from tests.batch import jobs
    place = dict(executor="inline", root=sys.argv[1], store=sys.argv[2], id="stop", chunk=1)
    items = [[sys.argv[1] + "/ledger", x] for x in range(3000)]
    print("ready", flush=True)
    agentflow.map(items, jobs.note_slowly, **place).results()
"""


@pytest.mark.slow
def test_ctrl_c_stops_a_run_and_says_how_to_go_on(
    tmp_path: Path, url: str, journal: Journal, ledger: Ledger
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), tmp_path, url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not ledger():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "Ctrl-C again cancels the run" in said
    assert "Stopped · stop:" in said
    assert "the same call with id='stop' goes on" in said
    assert journal.execution("stop").status == "running"
    recorded = sum(step is not None for _, step in kept(journal, "stop"))
    assert recorded == len(ledger())


ENDLESS = """
    import sys, agentflow
    from tests.batch import jobs
    place = dict(executor="inline", root=sys.argv[1], store=sys.argv[2], id="twice", chunk=1)
    agentflow.map([[sys.argv[1] + "/ledger", x] for x in range(9)], jobs.wait_for_good, **place).results()
"""


@pytest.mark.slow
def test_ctrl_c_twice_cancels_a_run(
    tmp_path: Path, url: str, journal: Journal, ledger: Ledger
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ENDLESS), tmp_path, url],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while not ledger():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    while "Ctrl-C again cancels the run" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert "Cancelled · twice" in said
    assert journal.execution("twice").status == "cancelled"


BLOCKED = """
    import sys, threading, time, agentflow
    from tests.batch import jobs
    def items():
        time.sleep(0.2)
        yield [sys.argv[1] + "/ledger", 1]
        threading.Event().wait()
    agentflow.map(items(), jobs.note, executor="inline", root=sys.argv[1], store=sys.argv[2]).results()
"""


@pytest.mark.slow
def test_ctrl_c_ends_a_process_whose_items_never_come(
    tmp_path: Path, url: str, ledger: Ledger
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BLOCKED), tmp_path, url],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not ledger():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "Stopped ·" in said


FULL_DISK = """
    import subprocess, sys, time
    from pathlib import Path
    root = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", root], check=True)
    import agentflow
    from tests.batch import jobs
    place = dict(executor="inline", root=root, store=f"sqlite:///{root}/journal.db", chunk=1)
    try:
        agentflow.map(range(100), jobs.large_array_of, id="full", **place).results()
    except agentflow.Unavailable as error:
        print(error.message, error.help)
    while list((root / "blobs").rglob("*.partial")):  # another worker is still at its own
        time.sleep(0.01)
    print(any(file.is_file() for file in (root / "blobs").rglob("*")))
    subprocess.run(["mount", "-o", "remount,size=64m", root], check=True)
    print(len(agentflow.map(range(100), jobs.large_array_of, id="full", **place).results()))
"""


def _may_mount() -> bool:
    probe = ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not _may_mount(), reason="allowed: no user namespaces here")
def test_a_full_disk_stops_a_run_which_goes_on_when_there_is_room(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "-Urm", sys.executable, "-c", textwrap.dedent(FULL_DISK), tmp_path],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.search("No space left on device|disk is full", lines[0])
    assert lines[1:] == ["True", "100"]


def test_a_journal_that_cannot_be_opened_is_told(inline: Map, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unavailable):
        inline([1], jobs.square, store=f"sqlite:///{tmp_path}/folder").results()


def test_there_is_no_such_executor(inline: Map) -> None:
    with pytest.raises(UsageError, match="no executor `threads`"):
        agentflow.map([1], jobs.square, executor="threads").results()
