"""Checking this machine: `doctor` says what is there, what is not, and what would mend it."""

from __future__ import annotations

import os
import shlex
import sys
import time
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from agentflow.cli import exits, terminal, text, verbs
from agentflow.cli.options import AsJson
from agentflow.errors import AgentFlowError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow.runtime.journal import Journal

State = Literal["ok", "warn", "fail"]

EXTRAS: dict[str, tuple[str, ...]] = {
    "journal": ("sqlalchemy", "alembic"),
    "ray": ("ray",),
}
"""What each extra brings; without the first, nothing can be run, without the second, on Ray."""

ORPHANS = 100
"""Executions that nobody runs and that are looked at."""

MARKERS = ("agentflow.toml", "pyproject.toml", ".git")
"""What makes a folder the root of a project."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    message: str
    fix: str = ""
    """What to type or do if it is not `ok`."""


def doctor(
    *,
    ray: Annotated[
        bool,
        Parameter(
            name="--ray",
            negative="",
            show_default=False,
            help="Also start Ray, which takes a while.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Check this machine and say what to fix.

    Nothing is created or changed.
    """
    checks = [*_checks(), *(_start_ray() if ray else ())]
    is_well = all(check.state != "fail" for check in checks)
    if as_json:
        listed = [
            {"name": c.name, "status": c.state, "message": c.message, "fix": c.fix} for c in checks
        ]
        terminal.result_json({"ok": is_well, "checks": listed})
    else:
        terminal.result(_table(checks))
    return exits.OK if is_well else exits.UNREACHABLE


def _table(checks: list[Check]) -> str:
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.state:<4}  {check.name:<{width}}  {check.message}")
        if check.fix:
            lines.append(f"{'':<4}  {'':<{width}}  fix: {check.fix}")
    return "\n".join(lines)


def _checks() -> Iterator[Check]:
    yield _python()
    yield Check("agentflow", "ok", verbs.version())
    yield from map(_extra, EXTRAS)
    root = _root()
    yield _project(root)
    yield _functions(root)
    yield _settings()
    if util.find_spec("sqlalchemy") is not None:
        yield from _store(root)
    yield from _leftovers()


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", "ok", f"{version} ({sys.executable})")


def _extra(extra: str) -> Check:
    missing = [name for name in EXTRAS[extra] if util.find_spec(name) is None]
    if missing:
        needs = f"{', '.join(missing)} not installed"
        state: State = "fail" if extra == "journal" else "warn"
        return Check(extra, state, needs, f"pip install 'inferloop-agentflow[{extra}]'")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in EXTRAS[extra])
    return Check(extra, "ok", versions)


def _root() -> Path:
    from agentflow.spec.signatures import find_root

    return find_root(Path.cwd())


def _project(root: Path) -> Check:
    marker = next((name for name in MARKERS if (root / name).exists()), None)
    if marker is None:
        return Check(
            "project", "warn", f"{root} has none of {', '.join(MARKERS)}", "touch agentflow.toml"
        )
    return Check("project", "ok", f"{root} (has {marker})")


def _functions(root: Path) -> Check:
    folder = root / "functions"
    if not folder.is_dir():
        return Check("functions", "warn", f"there is no {folder}", f"mkdir {folder}")
    modules = text.counted(len(list(folder.glob("*.py"))), "module")
    return Check("functions", "ok", f"{modules} in {folder}")


def _settings() -> Check:
    from agentflow.runtime.settings import load_settings

    try:
        settings = load_settings()
    except AgentFlowError as error:
        return Check("settings", "fail", error.message, error.help or "correct the variable")
    return Check("settings", "ok", f"executor {settings.executor}")


def _store(root: Path) -> Iterator[Check]:
    from agentflow.runtime.journal import Journal
    from agentflow.runtime.settings import load_settings

    try:
        url = load_settings().database_url
        path = root / ".agentflow" / "journal.db"
        if url is None and not path.exists():
            yield _new_store(path)
            return
        journal = Journal.open(url, root)
        try:
            journal.executions(limit=1)
            yield _whole(journal, "DATABASE_URL" if url is not None else str(path))
            yield from _nobodys(journal)
        finally:
            journal.close()
    except AgentFlowError as error:
        yield Check("store", "fail", error.message, error.help)


def _whole(journal: Journal, place: str) -> Check:
    """Whether a journal still has everything that was acknowledged."""
    if not journal.behind:
        return Check("store", "ok", place)
    lost, _, remedy = journal.behind.partition("; ")
    return Check("store", "warn", lost, remedy)


def _nobodys(journal: Journal) -> Iterator[Check]:
    """Open executions that nobody runs; with those whose history is damaged nobody can go on."""
    found = journal.orphans(ORPHANS)
    whole = 0
    for execution in found:
        try:
            journal.history(execution)
            whole += 1
        except AgentFlowError as error:
            yield Check("execution", "warn", error.message, error.help)
    if whole:
        more = " or more" if len(found) == ORPHANS else ""
        waiting = f"nobody runs {text.counted(whole, 'open execution')}{more}"
        yield Check("executions", "ok", f"{waiting}; `agentflow resume ID` goes on with one")


def _new_store(path: Path) -> Check:
    """A journal that is not there yet: whether it could be made."""
    folder = next(parent for parent in path.parents if parent.exists())
    if not os.access(folder, os.W_OK):
        return Check("store", "fail", f"{folder} cannot be written", f"chmod u+w {folder}")
    return Check("store", "ok", f"{path} will be made by the first run")


def _leftovers() -> Iterator[Check]:
    """Folders that nobody will remove before something of their kind runs here again."""
    from agentflow.runtime.executors.leftovers import left_behind

    if found := left_behind():
        folders = text.counted(len(found), "folder")
        remedy = f"rm -r {shlex.join(map(str, found))}"
        yield Check("leftovers", "warn", f"killed processes left {folders} behind", remedy)


def _start_ray() -> Iterator[Check]:
    import asyncio

    since = time.monotonic()
    try:
        cpus = asyncio.run(_ray_parallel())
    except AgentFlowError as error:
        yield Check("ray start", "fail", error.message, error.help)
    else:
        took = text.duration(time.monotonic() - since)
        yield Check("ray start", "ok", f"started in {took}, {cpus} calls at once")


async def _ray_parallel() -> int:
    from agentflow.runtime.executors.ray import RayExecutor

    executor = RayExecutor(parallel=None)
    await executor.start(lambda reports: None)
    parallel = executor.parallel
    await executor.close()
    return parallel
