"""What is special about Ray: its resources, its losses, its retries."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest

import agentflow
from agentflow.errors import Json
from agentflow.runtime.executors.protocol import Task
from agentflow.spec.model import Resources
from tests.executors.executor_bench import PROJECT, Bench, batch, call, exists, gone, stream

pytestmark = pytest.mark.slow
in_session = pytest.mark.asyncio(loop_scope="session")


def heavy(task: Task, **resources: Json) -> Task:
    """The same task, asking for resources."""
    return replace(task, resources=Resources(**resources))


# --- resources ---


@in_session
class TestResources:
    async def test_a_call_runs_as_a_task_of_its_own(self, ray: Bench) -> None:
        report = await ray.outcome(heavy(call("add", a=1), num_cpus=1))
        assert report.value == 2

    async def test_a_batch_runs_as_one_task(self, ray: Bench) -> None:
        task = heavy(batch("refuse_some", [{"x": x} for x in range(4)]), num_cpus=1)
        report = await ray.outcome(task)
        assert report.values is not None
        assert [v.get("value", v.get("error", {}).get("name")) for v in report.values] == [
            "Refused", 1, 2, "Refused",
        ]  # fmt: skip

    async def test_a_stream_keeps_to_the_demand(self, ray: Bench) -> None:
        ray.executor.submit([heavy(stream("numbers", 2, n=5), num_cpus=1)])
        await ray.until(lambda: ray.values() == [0, 1])
        ray.executor.demand("e1", "p", 10)
        await ray.until(lambda: "p" in ray.ended())
        assert ray.values() == [0, 1, 2, 3, 4]

    async def test_a_runtime_environment_is_passed_on(self, ray: Bench) -> None:
        task = Task("e1", "s", 1, "call", "heavy.variable", [{"name": "TRIAL_ENV"}], PROJECT)
        report = await ray.outcome(heavy(task, runtime_env={"env_vars": {"TRIAL_ENV": "here"}}))
        assert report.value == "here"

    async def test_what_no_node_has_is_refused_at_once(self, ray: Bench) -> None:
        report = await ray.outcome(heavy(call("add", a=1), num_gpus=64))
        assert report.error["name"] == "ResourcesUnavailable"
        assert "num_gpus 64" in report.error["message"]

    async def test_an_environment_that_cannot_be_made_says_why(self, ray: Bench) -> None:
        env = {"working_dir": "file:///no/such/archive.zip"}
        report = await ray.outcome(heavy(call("add", a=1), runtime_env=env))
        assert report.error["name"] == "WorkerLost"
        assert "RuntimeEnvSetupError" in report.error["message"]

    async def test_what_it_prints_is_reported(self, ray: Bench) -> None:
        await ray.run(heavy(call("talk", text="one"), num_cpus=1))
        assert ray.printed("s") == ["one", "and more"]

    @pytest.mark.parametrize(
        ("function", "name"),
        [("exit_now", "WorkerLost"), ("crash", "WorkerLost"), ("refuse", "InvalidInput")],
    )
    async def test_whatever_it_does_is_named_and_happens_once(
        self, ray: Bench, tmp_path: Path, function: str, name: str
    ) -> None:
        ledger = tmp_path / "ledger"
        report = await ray.outcome(heavy(call(function, ledger=str(ledger)), num_cpus=1))
        assert report.error["name"] == name
        assert not ledger.exists() or len(ledger.read_text().splitlines()) == 1

    async def test_a_loop_in_c_times_out(self, ray: Bench) -> None:
        report = await ray.outcome(heavy(call("hang_in_c", timeout=0.4), num_cpus=1))
        assert report.error["name"] == "Timeout"

    async def test_a_withdrawn_call_is_killed(self, ray: Bench, tmp_path: Path) -> None:
        ledger = tmp_path / "ledger"
        ray.executor.submit([heavy(call("hang_in_c", ledger=str(ledger)), num_cpus=1)])
        await exists(ledger)
        ray.executor.withdraw("e1", "s")
        pid = int(ledger.read_text())
        await gone(pid)
        assert (await ray.outcome(call("add", "after", a=1))).value == 2


@in_session
async def test_a_function_may_use_ray_itself(ray: Bench) -> None:
    task = Task("e1", "s", 1, "call", "heavy.nested", [{"x": 4}], PROJECT)
    report = await ray.outcome(task)
    assert report.value == 8


# --- losses ---


def host_pids() -> list[int]:
    """Ray's worker processes that host our pools and descend from this process's Ray."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and b"ray::Host" in read(entry / "cmdline"):
            environ = read(entry / "environ")
            if f"AGENTFLOW_TRIALS={os.getpid()}".encode() in environ:
                found.append(int(entry.name))
    return found


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@in_session
class TestLostHost:
    async def test_calls_are_given_to_another_one_and_all_complete(
        self, ray: Bench, tmp_path: Path
    ) -> None:
        gate, ledger = tmp_path / "gate", tmp_path / "ledger"
        tasks = [call("held", f"h[{n}]", path=str(gate), ledger=str(ledger)) for n in range(2)] + [
            call("add", f"m[{n}]", a=n) for n in range(20)
        ]
        items = batch("held", [{"path": str(gate)}])
        ray.executor.submit([*tasks, items])
        await exists(ledger)
        (pid,) = host_pids()
        os.kill(pid, signal.SIGKILL)
        await ray.until(lambda: items.key in ray.ended())
        gate.touch()
        await ray.until(lambda: len(ray.ended()) == 23)
        ended = ray.ended()
        assert ended[items.key].error["name"] == "WorkerLost"
        assert {ended[f"h[{n}]"].value for n in range(2)} == {"released"}
        assert [ended[f"m[{n}]"].value for n in range(20)] == [n + 1 for n in range(20)]

    async def test_a_call_that_three_hosts_are_lost_with_is_lost(
        self, ray: Bench, tmp_path: Path
    ) -> None:
        ledger = tmp_path / "ledger"
        ray.executor.submit([call("hang", ledger=str(ledger))])
        for times in (1, 2, 3):
            while len(read(ledger).split()) < times:  # another process
                await asyncio.sleep(0.01)
            for pid in host_pids():
                os.kill(pid, signal.SIGKILL)
        await ray.until(lambda: "s" in ray.ended())
        assert ray.ended()["s"].error["name"] == "WorkerLost"
        assert "host was lost" in ray.ended()["s"].error["message"]
        assert len(ledger.read_text().split()) == 3

    async def test_a_call_that_may_run_once_is_lost_with_its_host(
        self, ray: Bench, tmp_path: Path
    ) -> None:
        ledger = tmp_path / "ledger"
        ray.executor.submit([replace(call("hang", ledger=str(ledger)), at_most_once=True)])
        await exists(ledger)
        (pid,) = host_pids()
        os.kill(pid, signal.SIGKILL)
        await ray.until(lambda: "s" in ray.ended())
        assert ray.ended()["s"].error["name"] == "WorkerLost"
        assert len(ledger.read_text().split()) == 1


# --- retries ---


def remote_sites(path: Path) -> list[tuple[str, ast.Call]]:
    """Calls of `ray.remote(…)`, `.options(…)` and `@ray.remote` of a file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            by_name = isinstance(owner, ast.Name) and owner.id == "ray"
            if node.func.attr == "options" or (node.func.attr == "remote" and by_name):
                found.append((f"{path.name}:{node.lineno}", node))
        for decorator in getattr(node, "decorator_list", []):
            assert "ray.remote" not in ast.unparse(decorator), f"{path}: bare @ray.remote"
    return found


def test_every_task_and_actor_is_declared_with_rays_retries_off() -> None:
    package = Path(agentflow.__file__).parent
    sites = [
        site for path in package.rglob("*.py") if "ray" in path.name for site in remote_sites(path)
    ]
    assert len(sites) >= 4
    for place, node in sites:
        said = {
            keyword.arg: keyword.value.value
            for keyword in node.keywords
            if isinstance(keyword.value, ast.Constant)
        }
        as_task = said.get("max_retries") == 0 and said.get("retry_exceptions") is False
        as_actor = said.get("max_restarts") == 0 and said.get("max_task_retries") == 0
        assert as_task or as_actor, f"{place} does not turn Ray's retries off"


def test_no_other_module_talks_to_ray() -> None:
    package = Path(agentflow.__file__).parent
    users = {
        path.name
        for path in package.rglob("*.py")
        if re.search(r"^\s*(import|from) ray\b", path.read_text(), re.MULTILINE)
    }
    assert {name for name in users if not name.startswith("ray")} <= {"doctor.py"}
