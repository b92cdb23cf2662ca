"""From a workflow to a cloud: `agentflow compile` for AWS, and the start of what it makes.

The bundle's handler is imported as Lambda does it for the first invocation in a new process, from
a folder where Python can keep no compiled modules. It is the largest handler there is: its
workflow needs expressions computed, tokens kept and results read.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import zipfile
from functools import partial
from pathlib import Path

from benchmarks.figures import Figures, medians, scaled
from benchmarks.processes import installed

ROUNDS = 5
WORDCOUNT = Path(__file__).resolve().parent.parent / "specs" / "wordcount.yaml"

IMPORT = """
import time
began = time.perf_counter()
import agentflow_handler
print(time.perf_counter() - began)
"""

EVERYTHING = """
workflow: everything
targets: {aws: {results: a-bucket}}
do:
  - {id: asked, approve: "well?"}
  - {id: third, set: {part: "${ str(asked.x / 3) }"}}
  - id: all
    map: ${ range(100) }
    call: os.path.basename
    with: {p: "${ str(item) }"}
    batch: 10
    reduce: {call: builtins.len, with: {obj: "${ items }"}}
"""


def chain(steps: int) -> str:
    """A workflow of calls, each with the result of the one before."""
    calls = [
        f'  - {{id: s{number}, call: os.path.basename, with: {{p: "${{ s{number - 1} }}"}}}}'
        for number in range(1, steps)
    ]
    first = "  - {id: s0, call: os.path.basename, with: {p: /a}}"
    return "\n".join(["workflow: chain", "do:", first, *calls, ""])


def run(scale: float = 1.0) -> Figures:
    """Medians over rounds in which all take turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "agentflow.toml").touch()  # functions are found from here
        large, all_ = folder / "large.yaml", folder / "everything.yaml"
        large.write_text(chain(scaled(1_000, scale, least=2)))
        all_.write_text(EVERYTHING)
        _compile(all_, folder / "everything")
        unpacked = folder / "unpacked"
        size = _unpack(folder / "everything" / "functions.zip", unpacked)
        found = medians(
            {
                "1,000 steps, s": partial(_compile, large, folder / "large"),
                "wordcount, with its bundle, s": partial(_compile, WORDCOUNT, folder / "words"),
                "import of the handler, ms": partial(_import, unpacked),
            },
            scaled(ROUNDS, scale),
        )
    return {**found, "unpacked bundle without dependencies, MB": size / 1e6}


def _compile(spec: Path, out: Path) -> float:
    """Seconds of the whole command."""
    command = [sys.executable, "-m", "agentflow", "compile", str(spec)]
    began = time.perf_counter()
    subprocess.run(
        [*command, "--target", "aws", "--out", str(out)],
        check=True,
        capture_output=True,
        env=installed(),
    )
    return time.perf_counter() - began


def _unpack(bundle: Path, folder: Path) -> int:
    """Bytes of the files."""
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
        return sum(each.file_size for each in archive.infolist())


def _import(folder: Path) -> float:
    """Milliseconds, as the process itself sees it: with Python's own library and nothing else."""
    done = subprocess.run(
        [sys.executable, "-B", "-S", "-E", "-c", IMPORT],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    return float(done.stdout) * 1000
