"""Whole lives of a Ray executor, each in a process of its own: start, ports, noise, end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PRELUDE = f"""
import asyncio, contextlib, os, subprocess, sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.executors.executor_bench import Bench, call
from agentflow.errors import Unavailable
from agentflow.runtime.executors.ray import RayExecutor

async def started(**options):
    executor = RayExecutor(parallel=1, **options)
    bench = Bench(executor)
    await executor.start(bench.take)
    return bench

def family():
    mark = ("AGENTFLOW_LIFE=" + os.environ["AGENTFLOW_LIFE"]).encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{{pid}}/environ", "rb") as environ:
                if int(pid) != os.getpid() and mark in environ.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found
"""


def live(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script with a Ray of its own."""
    code = PRELUDE + dedent(script)
    name = str(abs(hash(code)))
    environment = {**os.environ, "AGENTFLOW_LIFE": name, **variables}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=False, capture_output=True, text=True, env=environment, timeout=280,
    )  # fmt: skip


def test_a_whole_life_is_silent_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = live(
        """
        async def main():
            bench = await started()
            tasks = [call("talk", "a", text="hidden"), call("crash", "b"), call("exit_now", "c")]
            ended = await bench.run(*tasks, call("hang", "d", timeout=0.2))
            print(*(ended[key].kind for key in "abcd"))
            assert family()
            await bench.executor.close()
            await asyncio.sleep(0.2)
            print(family())
        asyncio.run(main())
        """,
        TMPDIR=str(tmp_path),
    )
    assert done.stderr == ""
    assert done.stdout == "completed failed failed failed\n[]\n"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("agentflow-")]


def test_a_lost_host_is_not_printed() -> None:
    done = live(
        """
        def host():
            for pid in family():
                with open(f"/proc/{pid}/cmdline", "rb") as command:
                    if b"ray::Host" in command.read():
                        return pid

        async def main():
            bench = await started()
            os.kill(host(), 9)
            ended = await bench.run(call("add", "a", a=1), call("add", "b", a=2))
            print(ended["a"].value, ended["b"].value)
            await bench.executor.close()
        asyncio.run(main())
        """
    )
    assert (done.stdout, done.stderr) == ("2 3\n", "")


def test_a_process_that_is_killed_takes_its_workers_with_it(tmp_path: Path) -> None:
    done = live(
        """
        def working():  # Ray's own agents look for their cluster for a minute before they end
            for pid in family():
                with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as command:
                    if b"Agent" not in command.read():
                        yield pid

        child = os.fork()
        if child == 0:
            async def main():
                bench = await started()
                bench.executor.submit([call("hang_in_c", ledger=os.environ["LEDGER"])])
                while not os.path.exists(os.environ["LEDGER"]):
                    await asyncio.sleep(0.01)
                os.kill(os.getpid(), 9)
            asyncio.run(main())
        os.waitpid(child, 0)
        until = time.time() + 90
        while list(working()) and time.time() < until:
            time.sleep(0.05)
        print(list(working()))
        """,
        LEDGER=str(tmp_path / "ledger"),
    )
    assert done.stdout == "[]\n", done.stderr


def test_it_listens_on_loopback_and_refuses_whoever_has_no_token() -> None:
    done = live(
        """
        import json, pathlib, stat, urllib.request, urllib.error
        def listeners():
            own = {os.readlink(f"/proc/{pid}/fd/{fd}")
                   for pid in [os.getpid(), *family()]
                   for fd in os.listdir(f"/proc/{pid}/fd")
                   if os.path.lexists(f"/proc/{pid}/fd/{fd}")}
            for table in ("tcp", "tcp6"):
                for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                    fields = line.split()
                    if fields[3] == "0A" and f"socket:[{fields[9]}]" in own:
                        address, port = fields[1].rsplit(":", 1)
                        yield table, address, int(port, 16)
        LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F",
                    "00000000000000000000000001000000"}
        async def main():
            bench = await started()
            found = list(listeners())
            assert len(found) >= 4, found
            outside = [entry for entry in found if entry[1] not in LOOPBACK]
            answered = []
            for _, _, port in found:
                for path in ("/api/jobs/", "/get_runtime_envs_info"):
                    try:
                        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=3) as r:
                            body = r.read()
                            if b"# HELP" not in body[:200]:  # counters may be read
                                answered.append((port, path, body[:80]))
                    except urllib.error.HTTPError as error:
                        assert error.code in (401, 404, 405), error
                    except Exception:
                        pass  # not HTTP
            import ray
            address = ray.get_runtime_context().gcs_address
            token = pathlib.Path(ray._private.worker._global_node.get_session_dir_path())
            token = token.parent.parent / "token"
            modes = [oct(stat.S_IMODE(p.stat().st_mode)) for p in (token, token.parent)]
            other = "import sys, ray; ray._raylet.GcsClient(address=sys.argv[1])"
            refused = [
                "InvalidAuthToken" in subprocess.run(
                    [sys.executable, "-c", other, address], capture_output=True, text=True,
                    env={**os.environ, **variables}).stderr
                for variables in ({}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64})
            ]
            print(json.dumps([outside, answered, modes, refused]))
            await bench.executor.close()
        asyncio.run(main())
        """
    )
    assert done.stdout == '[[], [], ["0o600", "0o700"], [true, true]]\n', done.stderr


def test_a_ray_that_is_there_is_used_and_left_alone() -> None:
    done = live(
        """
        import ray
        # Other tests may have a cluster that is found without an address.
        ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=50)
        async def main():
            bench = await started()
            print((await bench.outcome(call("add", a=1))).value)
            await bench.executor.close()
            print(ray.is_initialized())
        asyncio.run(main())
        ray.shutdown()
        """
    )
    assert done.stdout == "2\nTrue\n", done.stderr


def test_several_nodes_share_the_work_and_relieve_each_other(tmp_path: Path) -> None:
    done = live(
        """
        from ray.cluster_utils import Cluster
        from agentflow.runtime.executors import ray_link
        found = []

        async def near_and_far(*arguments, connect=ray_link.connect):
            found.append(await connect(*arguments) if not found else None)
            return found[-1]

        ray_link.connect = near_and_far  # the second node is as far as another machine

        async def main():
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
            cluster.add_node(num_cpus=1)
            executor = RayExecutor(address=cluster.address)
            bench = Bench(executor)
            await executor.start(bench.take)
            print(executor.parallel)
            gate = os.environ["GATE"]
            fast = [call("add", f"m[{n}]", a=n) for n in range(200)]
            executor.submit([call("held", "slow", path=gate), *fast])
            await bench.until(lambda: len(bench.ended()) == 200)
            print("slow" in bench.ended(), [way is not None for way in found])
            open(gate, "w").close()
            await bench.until(lambda: "slow" in bench.ended())
            await executor.close()
            cluster.shutdown()
        asyncio.run(main())
        """,
        GATE=str(tmp_path / "gate"),
        RAY_AUTH_MODE="disabled",
        PYTHONWARNINGS="ignore",
    )
    assert done.stdout == "2\nFalse [True, False]\n", done.stderr


def test_it_starts_again_after_it_was_closed() -> None:
    done = live(
        """
        async def main():
            for _ in range(2):
                bench = await started()
                print((await bench.outcome(call("add", a=1))).value)
                await bench.executor.close()
        asyncio.run(main())
        """
    )
    assert done.stdout == "2\n2\n", done.stderr


@pytest.mark.parametrize(
    ("options", "prepare", "message"),
    [
        ({"address": "127.0.0.1:1"}, "", "Ray at 127.0.0.1:1 cannot be reached"),
        ({}, "sys.modules['ray'] = None", "Ray is not installed"),
    ],
    ids=["nobody at the address", "not installed"],
)
def test_what_keeps_it_from_starting_is_said(
    options: dict[str, Any], prepare: str, message: str
) -> None:
    done = live(
        f"""
        {prepare}
        async def main():
            try:
                await started(**{options!r})
            except Unavailable as error:
                print(error.message.partition(": ")[0], "|", error.help)
        asyncio.run(main())
        """,
    )
    assert done.stdout.startswith(message), done.stderr
    assert "inline" in done.stdout
