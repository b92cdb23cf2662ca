"""SIGKILL in the middle of a run of 1,000 steps, then `agentflow resume`, to its first call.

Beside it, Ray by itself in a new process, to the first result of a task.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.cold import RAY_ALONE, first_line
from benchmarks.figures import Figures, medians, scaled
from benchmarks.processes import installed

STEPS = 1_000
ROUNDS = 3
PATIENCE = 120
SETTLE = 0.5
"""Seconds in which a worker that outlives its driver for an instant ends its call."""

RUN = """
workflow: long
do:
  - id: rounds
    loop:
      for: ${ range(input.steps) }
      as: n
      max: 1000000
      do:
        - id: tell
          call: benchmarks.calls.tell
          with: {file: "${ input.file }", number: "${ n }", hold: "${ n == input.steps // 2 }"}
"""


def run(scale: float = 1.0) -> Figures:
    """Seconds from the start of the process that resumes to the first call it makes."""
    steps = scaled(STEPS, scale, 10)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        spec = Path(folder, "long.yaml")
        spec.write_text(RUN)
        found = medians(
            {
                "inline, resume to first new step, s": partial(resumed, spec, "inline", steps),
                "on Ray, resume to first new step, s": partial(resumed, spec, "ray", steps),
                "Ray alone, s": partial(first_line, RAY_ALONE, installed()),
            },
            scaled(ROUNDS, scale),
        )
    on_ray, alone = found["on Ray, resume to first new step, s"], found["Ray alone, s"]
    return {**found, "on Ray, beyond Ray's own start, s": on_ray - alone}


def resumed(spec: Path, executor: str, steps: int) -> float:
    """One execution killed when half of its steps are done, and resumed."""
    with tempfile.TemporaryDirectory(dir=spec.parent) as folder:
        calls = Path(folder, "calls")
        input = f'{{"file": "{calls}", "steps": {steps}}}'
        environment = installed(DATABASE_URL=f"sqlite:///{folder}/journal.db")
        how = ("--executor", executor)
        with _agentflow("run", str(spec), "--input", input, *how, env=environment) as process:
            _wait_for(calls, steps // 2 + 1, process)  # the last of these does not end
            process.kill()
        time.sleep(SETTLE)
        Path(f"{calls}.go").touch()
        before = len(_made(calls))
        began = time.monotonic()
        with _agentflow("resume", "@last", *how, env=environment) as process:
            _wait_for(calls, before + 1, process)
            process.wait(PATIENCE)
        _, at = _made(calls)[before]
    assert process.returncode == 0, executor
    return at - began


def _agentflow(*arguments: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (sys.executable, "-m", "agentflow", *arguments),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env,
    )


def _wait_for(calls: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + PATIENCE
    while len(_made(calls)) < count:
        assert process.poll() is None, process.args
        assert time.monotonic() < limit, process.args
        time.sleep(0.005)


def _made(calls: Path) -> list[tuple[int, float]]:
    """The calls so far: their numbers, and when they were made."""
    if not calls.exists():
        return []
    lines = (line.split() for line in calls.read_text().splitlines())
    return [(int(number), float(at)) for number, at in lines]
