"""What a campaign runs: orchestrators that are restarted at once when they die, and a Ray head."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agentflow.errors import Json
from tests.chaos.processes import Seen, descendants

REPOSITORY = Path(__file__).resolve().parents[2]
_PAUSE = 0.5
"""Seconds before an orchestrator that gave up by itself is started again."""
_LEFT = 1.5
"""Seconds after which what is left of a dead Ray is ended."""


@dataclass(frozen=True)
class Site:
    """Where a campaign takes place."""

    folder: Path
    store: str
    executor: str = "ray"
    environment: Mapping[str, str] = field(default_factory=dict)
    parallel: int = 8

    @property
    def root(self) -> Path:
        """The project folder."""
        return self.folder / "project"

    @property
    def ledger(self) -> Path:
        """The file of marks."""
        return self.folder / "ledger"

    @property
    def facts(self) -> Path:
        """The file of the orchestrators' facts."""
        return self.folder / "facts"

    def variables(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of its processes."""
        return {
            **os.environ,
            **self.environment,
            "CHAOS_LEDGER": str(self.ledger),
            "CHAOS_FACTS": str(self.facts),
            "PYTHONPATH": str(REPOSITORY),
            **(more or {}),
        }


class RayHead:
    """One Ray head for all orchestrators."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._process: Process | None = None
        self.address = ""
        self.variables: dict[str, str] = {}
        """What processes need that attach to it."""

    async def start(self) -> None:
        """Start it and wait until it is there."""
        command = (sys.executable, "-m", "tests.chaos.ray_head")
        with (self._site.folder / "ray.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=log, env=self._site.variables()
            )
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"Ray did not start; see {self._site.folder / 'ray.log'}")
        where = json.loads(line)
        self.address = where["address"]
        self.variables = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": where["token"],
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        }

    def parts(self, command: str) -> list[Seen]:
        """Its processes whose command line holds these words."""
        if self._process is None:
            return []
        return [seen for seen in descendants(self._process.pid) if command in seen.command]

    async def end(self) -> None:
        """Kill all of it."""
        if self._process is None:
            return
        every = descendants(self._process.pid)
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await asyncio.sleep(_LEFT)
        for seen in every:
            seen.send(signal.SIGKILL)
        self._process = None


class Orchestrator:
    """A place for one orchestrator process; when it dies, the next takes it."""

    def __init__(
        self,
        site: Site,
        label: str,
        ray: RayHead | None,
        hear: Callable[[Orchestrator, Json], None],
    ) -> None:
        self._site = site
        self._label = label
        self._ray = ray
        self._hear = hear
        self._count = 0
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self.name = ""
        self._ready_at = math.inf

    @property
    def next_name(self) -> str:
        """What the next process will go by."""
        return f"{self._label}{self._count + 1}"

    @property
    def is_ready(self) -> bool:
        """Whether the process that is there has said so."""
        return self.working_seconds > 0

    @property
    def working_seconds(self) -> float:
        """For how long it has been ready."""
        return max(0.0, time.monotonic() - self._ready_at)

    async def start(self) -> None:
        """Start the process; from now on there is always one."""
        await self._spawn()
        self._keeping = asyncio.create_task(self._keep())

    def say(self, words: Json) -> None:
        """Ask it for something; it may die before it hears."""
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(json.dumps(words).encode() + b"\n")

    def send(self, number: signal.Signals) -> bool:
        """Send the process a signal; whether there was one."""
        if self._process is None or self._process.returncode is not None:
            return False
        self._process.send_signal(number)
        return True

    async def end(self) -> None:
        """Kill the process and start no other."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        if self.send(signal.SIGKILL):
            assert self._process is not None
            await self._process.wait()
        self._process = None

    async def _spawn(self) -> None:
        self.name = self.next_name
        self._count += 1
        self._ready_at = math.inf
        site, ray = self._site, self._ray
        command = [sys.executable, "-m", "tests.chaos.orchestrator", "--name", self.name]
        command += ["--root", str(site.root), "--store", site.store, "--executor", site.executor]
        command += ["--parallel", str(site.parallel)]
        if ray is not None:
            command += ["--address", ray.address]
        with (site.folder / f"{self._label}.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                env=site.variables(ray.variables if ray else None),
            )

    async def _keep(self) -> None:
        while True:
            process = self._process
            assert process is not None
            assert process.stdout is not None
            async for line in process.stdout:
                if line.endswith(b"\n"):  # it may be killed within a line
                    words = json.loads(line)
                    if "ready" in words:
                        self._ready_at = time.monotonic()
                    self._hear(self, words)
            self._ready_at = math.inf
            code = await process.wait()
            if code != -signal.SIGKILL:
                await asyncio.sleep(_PAUSE)
            await self._spawn()
