"""Joining a cluster from one of its nodes: `--ray HOST:PORT`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cluster.conftest import (
    REPOSITORY,
    Commands,
    Head,
    descendants,
    is_gone,
    lines,
    wait_for,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def hosts(head: Head) -> list[int]:
    """Ray's worker processes that have pools of ours."""
    return [pid for pid, line in descendants(head.home) if line.startswith("ray::Host")]


def test_functions_run_in_the_copy_that_the_nodes_were_given(head: Head, command: Commands) -> None:
    words = ("run", "specs/where.yaml", "--input", '{"text": "four"}', "--json")
    done = command("agentflow", *words, *head.join)
    assert done.code == 0, done.err
    light, heavy = json.loads(done.out)["output"]
    assert light["length"] == "4"
    for place in (light, heavy):
        assert "py_modules_files" in place["package"]
        assert "working_dir_files" in place["folder"]
        assert place["module"] == f"{place['folder']}/functions/held.py"
    assert "INFO" not in done.err


def test_a_driver_that_is_killed_takes_hosts_and_workers_with_it(
    head: Head, command: Commands, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    given = json.dumps({"ledger": str(ledger)})
    others = set(hosts(head))  # of other tests, on their way out
    driver = command.begin("agentflow", "run", "specs/hang.yaml", "--input", given, *head.join)
    wait_for(lambda: bool(lines(ledger)), driver)
    (host,) = set(hosts(head)) - others
    worker = lines(ledger)[0]["pid"]
    driver.kill()
    wait_for(lambda: is_gone(worker) and is_gone(host))


STARTING = """
import asyncio, os, sys, threading
from pathlib import Path
from agentflow.runtime.executors.ray import RayExecutor
from tests.cluster.conftest import Head, kill
from tests.cluster.test_joining import hosts

head = Head(sys.argv[1], "", Path(), Path(sys.argv[2]))
others, killed = set(hosts(head)), []  # others are of other tests, on their way out

def strike():
    while not killed:  # a host that has so many workers to start takes its time
        for pid in set(hosts(head)) - others:
            kill(pid)
            killed.append(pid)

async def main():
    executor = RayExecutor(parallel=16, address=head.address)
    threading.Thread(target=strike, daemon=True).start()
    await executor.start(lambda reports: None)
    (link,) = executor._links
    print(len(killed), executor.parallel, len(set(hosts(head)) - others - set(killed)))
    await executor.close()

asyncio.run(main())
"""


def test_a_host_that_dies_while_it_starts_is_replaced(head: Head, command: Commands) -> None:
    done = command(
        "python", "-c", STARTING, head.address, str(head.home), PYTHONPATH=str(REPOSITORY)
    )
    assert done.out == "1 16 1\n", done.err
