"""The project's dependencies as wheels for the platform of the cloud, installed by uv and kept."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from agentflow.adapters.bundle.mistakes import CannotBundle
from agentflow.adapters.bundle.platforms import Platform
from agentflow.adapters.bundle.requirements import LEFT_OUT, Requirements
from agentflow.errors import Unavailable

_FORM = "1"
"""Changes when what is kept is made in another way."""
_UNWANTED = re.compile(
    r"(^|/)(__pycache__|[^/]+\.pyc|\.lock|RECORD|INSTALLER|REQUESTED|direct_url\.json"
    r"|uv_cache\.json)(/|$)|^bin/"
)
"""Files that say how, where or when something was installed, and programs."""
_NO_WHEEL = re.compile(r"(?i)no wheels? |no usable wheels|has no .*wheel|source distribution")
_NO_NETWORK = re.compile(r"(?i)dns error|connect|timed out|network|offline")


def install(requirements: Requirements, platform: Platform, cache: Path) -> Path | None:
    """The folder with the installed dependencies; `None` if there are none.

    It is made once for the same requirements and platform.

    Raises:
        CannotBundle: there is no solution, or a dependency has no wheel for the platform.
        Unavailable: there is no uv, or it cannot reach a registry.
    """
    if not requirements:
        return None
    key = f"{_FORM}\n{platform}\n{requirements.digest()}"
    kept = cache / hashlib.sha256(key.encode()).hexdigest()[:24]
    if kept.is_dir():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="making-") as scratch:
        made = Path(scratch, "installed")
        made.mkdir()
        _run(requirements, platform, Path(scratch), made)
        try:
            made.rename(kept)
        except OSError:
            if not kept.is_dir():  # another process made it meanwhile
                raise
    return kept


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The installed files that belong into a bundle, by their names there."""
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and not _UNWANTED.search(name):
            yield name, file


def packages(folder: Path | None) -> set[str]:
    """The names that can be imported from the folder."""
    if folder is None:
        return set()
    return {entry.name.partition(".")[0] for entry in folder.iterdir()}


def _run(requirements: Requirements, platform: Platform, scratch: Path, into: Path) -> None:
    given = scratch / "requirements.in"
    given.write_text("\n".join(requirements.lines) + "\n", encoding="utf-8")
    never = scratch / "overrides.txt"
    never.write_text("".join(f"{name}; python_version < '0'\n" for name in LEFT_OUT))
    sources = ["-r", str(given)]
    if requirements.file is not None:
        sources += ["-r", str(requirements.file)]
    command = [
        *find_uv(), "pip", "install", "--quiet", "--no-progress", "--no-compile-bytecode",
        "--python", sys.executable, "--target", str(into), "--link-mode", "copy",
        "--python-platform", platform.tag, "--python-version", platform.python,
        "--only-binary", ":all:", "--override", str(never), *sources,
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(  # noqa: S603  # uv, with arguments of our own
        command, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise _failure(done.stderr, requirements, platform)


def find_uv() -> list[str]:
    """The words that run uv.

    Raises:
        Unavailable: it is not installed.
    """
    if on_path := shutil.which("uv"):
        return [on_path]
    if find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    raise Unavailable(
        "bundling the dependencies of a project needs uv, which is not installed",
        help="pip install uv",
    )


def _failure(said: str, requirements: Requirements, platform: Platform) -> Exception:
    lines = (re.sub(r"^\W+", "", line) for line in said.splitlines())  # uv draws a tree
    words = " ".join(line for line in lines if line)[:1500]
    if _NO_WHEEL.search(words):
        return CannotBundle(
            f"a dependency has no wheel for {platform}: {words}",
            help=f"choose a version that has one in {requirements.origin}, or another "
            "`architecture` or `python`",
        )
    if _NO_NETWORK.search(words):
        return Unavailable(
            f"uv cannot reach the package registry: {words}",
            help="what was installed once is kept; the first time needs the network",
        )
    return CannotBundle(
        f"the dependencies in {requirements.origin} cannot be installed: {words}",
        help=f"`uv pip compile {requirements.origin}` shows the same",
    )
