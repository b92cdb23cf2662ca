"""From the start of a process to its first result: `agentflow run`, beside Ray by itself.

A result counts when it is on standard output; what a process takes to end is not in the figures.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.figures import Figures, medians, scaled
from benchmarks.processes import installed

RAY_ALONE = (sys.executable, str(Path(__file__).parent / "peers" / "ray_start.py"))
ROUNDS = 5

HELLO = "workflow: hello\ndo:\n  - {id: a, call: os.path.basename, with: {p: /a/hello}}\n"


def run(scale: float = 1.0) -> Figures:
    """Medians, and what our own way on Ray takes beyond Ray's."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        spec = Path(folder, "hello.yaml")
        spec.write_text(HELLO)
        environment = installed(DATABASE_URL=f"sqlite:///{folder}/journal.db")
        command = (sys.executable, "-m", "agentflow", "run", str(spec), "--executor")
        found = medians(
            {
                "inline, s": partial(first_line, (*command, "inline"), environment),
                "on Ray, s": partial(first_line, (*command, "ray"), environment),
                "Ray alone, s": partial(first_line, RAY_ALONE, environment),
                "python -c, s": partial(first_line, (sys.executable, "-c", "print()"), environment),
            },
            scaled(ROUNDS, scale),
        )
    return {
        **found,
        "on Ray, beyond Ray's own start, s": found["on Ray, s"] - found["Ray alone, s"],
    }


def first_line(command: tuple[str, ...], environment: dict[str, str]) -> float:
    """Seconds until a command's first line of output; it is waited for until it ends."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        process.stdout.read()
    assert line, command
    assert process.returncode == 0, command
    return seconds
