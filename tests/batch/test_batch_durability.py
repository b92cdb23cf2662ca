"""What is in the journal, and how a run goes on: after a crash, a stop, a change of options."""

from __future__ import annotations

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

from agentflow import Engine
from agentflow.errors import Conflict
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.settings import Settings
from tests.batch import jobs
from tests.batch.conftest import ROOT, Ledger, Map, broken_off, kept, noted, recorded_items
from tests.namespaces import needs_namespaces, run_apart


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

    call: dict[str, Any] = {"chunk": 1, "id": "long", "concurrency": 1}
    items = iter(range(count)) if is_over else broken_off(*range(count - 5))
    begun = inline(items, jobs.text_of_40_000, **call)
    with nullcontext() if is_over else pytest.raises(OSError, match="no more for now"):
        for _ in begun:
            pass
    tracemalloc.start()
    found = sum(len(text) for text in inline(iter(range(count)), jobs.text_of_40_000, **call))
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
    run = inline(broken_off(*noted(tmp_path, range(10))), jobs.note, chunk=5, id="broken")
    with pytest.raises(OSError, match="no more for now") as caught:
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
    with pytest.raises(OSError, match="no more for now"):
        inline(broken_off(1, 2, 3, 4), jobs.square, chunk=2, id="same").results()
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


def test_an_engine_leaves_batch_runs_alone(inline: Map, journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no more for now"):
        inline(broken_off(1), jobs.square, id="orphan").results()
    assert journal.orphans() == []
    engine = Engine(executor="inline", root=tmp_path, store=f"sqlite:///{tmp_path}/journal.db")
    with engine, pytest.raises(Conflict, match="batch run") as caught:
        engine.resume("orphan")
    assert "make the same call" in caught.value.help
    assert inline(iter([1, 2]), jobs.square, id="orphan").results() == [1, 4]


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


@pytest.mark.slow
@needs_namespaces
def test_a_full_disk_stops_a_run_which_goes_on_when_there_is_room(tmp_path: Path) -> None:
    lines = run_apart(FULL_DISK, tmp_path).splitlines()
    assert re.search("No space left on device|disk is full", lines[0])
    assert lines[1:] == ["True", "100"]
