"""What a person waits for before anything happens: help, and checking a large spec."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import scaled
from benchmarks.machine import chain
from benchmarks.processes import installed

ROUNDS = 9


def run(scale: float = 1.0) -> dict[str, float]:
    """Medians over rounds in which the commands take turns."""
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder, "large.yaml")
        large.write_text(chain(1_000).replace("f.a", "os.path.basename").replace("x:", "p:"))
        commands = {
            "bare": [sys.executable, "-c", "pass"],
            "help": [sys.executable, "-m", "agentflow", "--help"],
            "validate": [sys.executable, "-m", "agentflow", "validate", str(large)],
        }
        environment = installed()
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(scaled(ROUNDS, scale)):
            for name, command in commands.items():
                begun = time.perf_counter()
                subprocess.run(
                    command, check=name != "validate", capture_output=True, env=environment
                )
                times[name].append(time.perf_counter() - begun)
    bare, helped, validated = (statistics.median(times[name]) for name in commands)
    return {
        "python -c pass, s": bare,
        "agentflow --help / python -c pass": helped / bare,
        "validate 1,000 steps, s": validated,
    }
