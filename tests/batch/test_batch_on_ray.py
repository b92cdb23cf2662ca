"""Batch runs on Ray: lost workers, time limits, resources, files, scripts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from agentflow.errors import ExecutionFailed
from agentflow.runtime.journal.store import Journal
from tests.batch import jobs
from tests.batch.conftest import Map

pytestmark = pytest.mark.slow


def test_a_million_items_come_to_a_sum(on_ray: Map) -> None:
    assert on_ray(range(10**6), jobs.square, reduce=sum).result() == 333332833333500000


def test_results_stream_in_order(on_ray: Map) -> None:
    values = (x for x in range(5000))
    assert list(on_ray(values, jobs.square, chunk=100)) == [x * x for x in range(5000)]


def test_arrays_and_tables_pass_through_blobs(on_ray: Map) -> None:
    total = on_ray(range(8), jobs.large_array_of, reduce=jobs.add_arrays, chunk=2, arity=2).result()
    assert (total == np.full(50_000, 28.0)).all()
    table = on_ray(range(4), jobs.table_of, reduce=jobs.append_tables, chunk=1).result()
    assert table["x"].to_pylist() == [0, 1, 2, 3]


def test_an_item_that_kills_its_worker_is_found(on_ray: Map) -> None:
    run = on_ray(range(100), jobs.kill_own_worker, tolerate=1)
    assert run.results() == [None if x == 37 else x for x in range(100)]
    (failure,) = run.failures
    assert (failure.index, failure.input, failure.error["name"]) == (37, 37, "WorkerLost")
    assert "SIGKILL" in failure.error["message"]


def test_a_worker_that_is_lost_once_costs_nothing_but_time(on_ray: Map, tmp_path: Path) -> None:
    items = [[str(tmp_path / "flag"), x] for x in range(50)]
    assert on_ray(items, jobs.kill_worker_once, reduce=sum).result() == sum(range(50))
    assert (tmp_path / "flag").exists()


@pytest.mark.parametrize("function", [jobs.dawdle, jobs.hang_in_c], ids=["python", "C"])
def test_an_item_that_takes_too_long_fails_alone(on_ray: Map, function: Any) -> None:
    expected = [None if x == 5 else x for x in range(10)]
    for timeout in (0.3, 3, 30):  # until the machine is fast enough for the others
        run = on_ray(range(10), function, timeout=timeout, tolerate=9)
        results = run.results()  # which can be taken once
        if results == expected:
            break
    assert results == expected
    (failure,) = run.failures
    assert (failure.index, failure.error["name"]) == (5, "Timeout")


def test_results_that_are_too_large_together_come_apart(on_ray: Map) -> None:
    lengths = [len(text) for text in on_ray(range(5), jobs.big_text, chunk=5)]
    assert lengths == [20 * 2**20 + 1] * 5


def test_chunks_that_ask_for_resources_are_tasks_of_their_own(on_ray: Map) -> None:
    run = on_ray(range(6), jobs.square, reduce=sum, chunk=3, resources={"num_cpus": 1})
    assert run.result() == 55


def test_a_module_that_workers_do_not_have_is_named(on_ray: Map, journal: Journal) -> None:
    run = on_ray([1], "nowhere.function")
    with pytest.raises(ExecutionFailed, match="FunctionNotFound: there is no module 'nowhere'"):
        run.results()
    assert journal.execution(run.id).status == "failed"


def test_what_functions_print_is_in_the_log(on_ray: Map, tmp_path: Path) -> None:
    run = on_ray(["hello"], "builtins.print")
    assert run.results() == [None]
    log = (tmp_path / ".agentflow" / "logs" / f"{run.id}.log").read_text()
    assert re.fullmatch(r"\S+Z items\[0:1\] hello\n", log)


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_the_blocks_of_a_dataset_are_items(on_ray: Map) -> None:
    from ray import data

    data.DataContext.get_current().enable_progress_bars = False
    dataset = data.from_arrow([pa.table({"x": list(range(n))}) for n in (5, 7, 9)])
    assert on_ray(dataset, jobs.rows_in).results() == [5, 7, 9]


SCRIPT = """
    import sys
    import agentflow
    import neighbour

    def double(x):
        return neighbour.times_two(x)

    if __name__ == "__main__":
        place = dict(root=sys.argv[1], store=f"sqlite:///{sys.argv[1]}/journal.db")
        print(agentflow.map_reduce(range(1000), map=double, reduce=sum, **place))
        print(agentflow.map([1, 2], double, **place).results())
"""


def test_functions_of_a_script_are_found_by_its_file(tmp_path: Path) -> None:
    script = tmp_path / "scripts" / "job.py"
    script.parent.mkdir()
    script.write_text(textwrap.dedent(SCRIPT))
    (script.parent / "neighbour.py").write_text("def times_two(x): return 2 * x\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, script, tmp_path],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "999000\n[2, 4]\n", "")
