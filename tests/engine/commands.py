"""The command line, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import orjson


def agentflow(*arguments: str) -> tuple[int, dict[str, Any], str]:
    """A command of another process: its exit code, its one JSON object, what it said."""
    return shell(sys.executable, "-m", "agentflow", *arguments, "--json")


def shell(*command: str) -> tuple[int, dict[str, Any], str]:
    environment = {**os.environ, "AGENTFLOW_EXECUTOR": "inline"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, orjson.loads(done.stdout), done.stderr
