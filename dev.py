#!/usr/bin/env python3
"""Everything a developer does with this repository, from a bare machine with python3 and pip.

    python3 dev.py demo     set up, then count the words of Python's own standard library on Ray
    python3 dev.py test     set up, then run the tests (more arguments go to pytest; --fast)
    python3 dev.py lint     style, types, import direction, generated pages
    python3 dev.py docs     write the generated pages and schemas again
    python3 dev.py bench    measure (more arguments go to the benchmark)
    python3 dev.py setup    only make the environment, .venv
    python3 dev.py lock     resolve the requirements again and pin them by hash

Standard library only. A second run skips what is current.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
REQUIREMENTS = ROOT / "requirements"
STAMP = VENV / "agentflow-dev-stamp"
OLDEST_PYTHON = (3, 11)

SYSTEM_PACKAGES = {
    "/usr/lib/postgresql/*/bin/initdb": "postgresql",
    "/usr/bin/redis-server": "redis-server",
}
"""Program → Debian package, for the servers that tests start on ports of their own."""
APT_OPTIONS = ("-qq", "-o", "Acquire::Retries=5", "-o", "DPkg::Lock::Timeout=300")
"""A mirror that is away for a moment, or another installation under way, is waited for."""
SERVICE_POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian asks this program whether an installation may start its service."""


def main() -> int:
    """Run the command named on the command line; its exit code is ours."""
    parser = argparse.ArgumentParser(
        prog="dev.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS, metavar="|".join(COMMANDS))
    arguments, rest = parser.parse_known_args()
    if rest and arguments.command not in TAKES_ARGUMENTS:
        parser.error(f"{arguments.command} takes no arguments, but got {' '.join(rest)}")
    os.chdir(ROOT)
    try:
        return COMMANDS[arguments.command](rest)
    except subprocess.CalledProcessError as error:
        say(f"`{' '.join(error.cmd)}` ended with exit code {error.returncode}")
        return 1
    except KeyboardInterrupt:
        return 130


# --- the commands ----------------------------------------------------------------------------


def setup(_: list[str]) -> int:
    """Make `.venv` what the requirement files say; nothing to do when it already is."""
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return 0
    began = time.monotonic()
    uv = find_uv()
    say("making .venv …")
    run(uv, "venv", "--quiet", "--allow-existing", "--python", find_python(), str(VENV))
    into = ("--quiet", "--python", tool("python"))
    run(uv, "pip", "sync", *into, "--require-hashes", "requirements/dev.txt")
    run(uv, "pip", "install", *into, "--no-deps", "--no-build-isolation", "--editable", ".")
    STAMP.write_text(wanted)
    say(f".venv is ready ({time.monotonic() - began:.0f} s)")
    return 0


def demo(_: list[str]) -> int:
    """Run the main job on the standard library of the environment's own Python."""
    setup([])
    library = sysconfig.get_path("stdlib")
    job = {"folder": library, "pattern": "*.py", "exclude": ["site-packages", "dist-packages"]}
    command = ["run", "specs/wordcount.yaml", "--input", json.dumps(job)]
    say(f"counting the words of {library} on Ray (specs/wordcount.yaml)\n")
    finished = subprocess.run([tool("agentflow"), *command], stdout=subprocess.PIPE, check=False)
    if finished.returncode == 0:
        print(present(json.loads(finished.stdout)))
        print(WHERE_NEXT)
    return finished.returncode


def test(arguments: list[str]) -> int:
    """Run pytest; `--fast` leaves out what starts Ray or takes more than a second."""
    setup([])
    install_system_packages()
    if "--fast" in arguments:
        arguments = [a for a in arguments if a != "--fast"] + ["-m", "not slow"]
    return subprocess.run([tool("python"), "-m", "pytest", *arguments], check=False).returncode


def lint(_: list[str]) -> int:
    """Run every check, also after one failed, and name those that did."""
    setup([])
    failed = [name for name, command in CHECKS.items() if not passes(name, command)]
    say(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def docs(_: list[str]) -> int:
    """Write the pages and schemas that are generated from the code."""
    setup([])
    run(tool("python"), *LANGUAGE_PAGES)
    page = subprocess.run([tool("python"), *COMMAND_LINE_PAGE], stdout=subprocess.PIPE, check=True)
    (ROOT / "docs" / "reference" / "cli.md").write_bytes(page.stdout)
    return 0


def bench(arguments: list[str]) -> int:
    """Run the benchmarks."""
    setup([])
    run(tool("python"), "-m", "benchmarks", *arguments)
    return 0


def lock(_: list[str]) -> int:
    """Resolve the requirements again, without the address of any registry in the result."""
    uv = find_uv()
    options = ["--quiet", "--upgrade", "--universal", "--python-version", "3.11"]
    options += ["--generate-hashes", "--custom-compile-command", "python3 dev.py lock"]
    everything = ["pyproject.toml", "--all-extras", "--group", "dev"]
    run(uv, "pip", "compile", *everything, *options, "-o", "requirements/dev.txt")
    run(uv, "pip", "compile", "requirements/uv.in", *options, "-o", "requirements/uv.txt")
    return 0


# --- how they do it --------------------------------------------------------------------------


def find_uv() -> str:
    """The uv on PATH, else our own, installed by pip on first use.

    Debian's Python refuses `pip install`, but not `--target`, and needs no `python3-venv` then.
    """
    if on_path := shutil.which("uv"):
        return on_path
    own = TOOLS / "uv" / "bin" / "uv"
    if not own.exists():
        say("installing uv into .tools …")
        quiet = ("--quiet", "--disable-pip-version-check", "--root-user-action=ignore")
        options = ("--require-hashes", "--upgrade", "--target", str(TOOLS / "uv"))
        pip = (sys.executable, "-m", "pip", "install")
        run(*pip, *quiet, *options, "-r", "requirements/uv.txt")
    return str(own)


def find_python() -> str:
    """The Python that runs this when it is new enough, else whichever uv finds."""
    if sys.version_info >= OLDEST_PYTHON:
        return sys.executable
    return ">=" + ".".join(map(str, OLDEST_PYTHON))


def fingerprint() -> str:
    """What the environment depends on: the pins, the project's metadata, the Python, the place."""
    digest = hashlib.sha256(f"{sys.version} {ROOT}".encode())
    for file in (REQUIREMENTS / "dev.txt", ROOT / "pyproject.toml"):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def install_system_packages() -> None:
    """Install what the tests start, when it is missing and we may; else say what is missing."""
    root = Path("/")
    missing = [
        package
        for program, package in SYSTEM_PACKAGES.items()
        if not any(root.glob(program.removeprefix("/")))
    ]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        say(f"missing: {' '.join(missing)} (install them; the tests that need them will skip)")
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    say(f"installing {' '.join(missing)} …")
    refuses = not SERVICE_POLICY.exists()
    if refuses:
        SERVICE_POLICY.write_text("#!/bin/sh\nexit 101\n")
        SERVICE_POLICY.chmod(0o755)
    try:
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
            subprocess.run(["apt-get", *APT_OPTIONS, *command], check=True, env=quiet)
    finally:
        if refuses:
            SERVICE_POLICY.unlink()


def present(output: dict[str, Any]) -> str:
    """The result of the main job as a table for people."""
    words = ["most common"] + [f"{w['word']:<16}{w['count']:>10,}" for w in output["top"][:10]]
    files = ["   longest files"] + [f"{f['words']:>10,}  {f['path']}" for f in output["longest"]]
    lines = [f"\n{output['total_words']:,} words in {output['files']:,} files\n"]
    for left, right in zip_longest(words, files, fillvalue=""):
        lines.append(f"  {left:<26} {right}".rstrip())
    return "\n".join(lines)


def passes(name: str, command: tuple[str, ...]) -> bool:
    """Whether a check of `lint` passes; it prints its own findings."""
    say(name)
    return subprocess.run([tool(command[0]), *command[1:]], check=False).returncode == 0


def tool(name: str) -> str:
    """A program of the environment."""
    return str(VENV / "bin" / name)


def run(*command: str) -> None:
    """Run a program that must succeed."""
    subprocess.run(command, check=True)


def say(text: str) -> None:
    """Tell the developer what happens; standard output is for results."""
    print(f"dev.py: {text}", file=sys.stderr, flush=True)


COMMANDS = {
    "setup": setup,
    "demo": demo,
    "test": test,
    "lint": lint,
    "docs": docs,
    "bench": bench,
    "lock": lock,
}

TAKES_ARGUMENTS = {"test", "bench"}

LANGUAGE_PAGES = ("-m", "agentflow.spec.reference")
"""Writes pages and a JSON Schema to docs/reference; `--check` only compares."""

COMMAND_LINE_PAGE = ("-m", "agentflow.cli.reference")
"""Prints docs/reference/cli.md, which a test compares."""

CHECKS = {
    "style": ("ruff", "check"),
    "format": ("ruff", "format", "--check"),
    "types": ("mypy",),
    "types of the rest": ("mypy", "--explicit-package-bases", "dev.py", "functions"),
    "import direction": ("lint-imports", "--no-logo"),
    "generated pages": ("python", *LANGUAGE_PAGES, "--check"),
}

WHERE_NEXT = """
What happened is in the journal, and stays there:

  .venv/bin/agentflow show @last         the steps and the result again
  .venv/bin/agentflow history @last      every event of the execution
  .venv/bin/agentflow graph specs/wordcount.yaml      the workflow as a drawing

Next: specs/ has a workflow for each pattern; docs/tutorial/first-workflow.md writes one."""

if __name__ == "__main__":
    sys.exit(main())
