"""The environment of a peer: made on first use below `.tools`, with the version that is pinned."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import NotMeasured
from dev import TOOLS, find_uv

PINS = Path(__file__).parent
_SECONDS = 300
"""How long an installation may take until the registry counts as out of reach."""


def python_of(peer: str) -> Path:
    """The Python that has the peer whose requirements are in `PEER.txt`.

    Raises:
        NotMeasured: it cannot be installed.
    """
    pins = PINS / f"{peer}.txt"
    folder = TOOLS / "peers" / peer
    stamp, python = folder / "pins", folder / "bin" / "python"
    if stamp.exists() and stamp.read_text() == pins.read_text():
        return python
    print(f"installing {pins.read_text().strip()} into {folder} …", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        uv = find_uv()
    except subprocess.CalledProcessError as error:
        raise NotMeasured(
            "there is no uv to install it; `python3 dev.py bench` gets one"
        ) from error
    try:
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(folder))
        _run(uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(pins))
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines() or [f"exit code {error.returncode}"]
        raise NotMeasured(f"{peer} cannot be installed: {said[-1].strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMeasured(f"{peer} cannot be installed: {error}") from error
    stamp.write_text(pins.read_text())
    return python


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
