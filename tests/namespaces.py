"""Programs in a namespace of their own, where whoever they are may mount file systems."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

REPOSITORY = Path(__file__).parents[1]
APART = ["unshare", "--user", "--map-root-user", "--mount"]


def _there_are_namespaces() -> bool:
    probe = [*APART, "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


needs_namespaces = pytest.mark.skipif(
    not _there_are_namespaces(), reason="allowed: no user namespaces here"
)


def run_apart(program: str, folder: Path) -> str:
    """What a program prints whose argument is `folder`, on which it may mount."""
    done = subprocess.run(
        [*APART, sys.executable, "-c", dedent(program), folder],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
