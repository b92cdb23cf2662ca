"""What all tests share: the project's root, how two processes share the tests, what may skip."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # it has no types

settings.register_profile(
    "house",
    deadline=None,  # speed is the benchmarks' affair
    suppress_health_check=[HealthCheck.too_slow],  # so is that of the machine
    derandomize=bool(os.environ.get("CI")),  # chance finds mistakes at home, and stops no landing
)
settings.load_profile("house")

ROOT = Path(__file__).resolve().parent.parent

PROCESSES = 2
"""Of the whole suite: most of its time is waiting, for a Ray or a command to start."""

UNITS = (
    "tests/cluster/",
    "tests/house/test_docs.py",
    "tests/executors/",
    "tests/batch/",
    "tests/conformance/test_conformance.py",
    "tests/agents/",
    "tests/chaos/",
    "tests/house/",
)
"""What takes longest and so begins first; each is the work of one process.

Tests of a folder share a Ray. Every file that is not in here is a unit of its own.
"""

MEMORY = Path("/dev/shm")
"""Where tests keep their files if there is room: most of what they wait for elsewhere is the disk.

Killing a process loses nothing there; no test can cut the power of the machine.
"""

ALLOWED = "allowed:"
"""A reason that starts like this may skip in CI too: the test cannot apply there."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell: what tests start would not hear of Ctrl-C either.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The root is a project: its `functions` are imported from it, as `agentflow` itself does.
sys.path.insert(0, str(ROOT))


if MEMORY.is_dir():
    place = os.statvfs(MEMORY)
    if place.f_bavail * place.f_frsize > 4 * 2**30 and not place.f_flag & os.ST_NOEXEC:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root: the folder of this repository."""
    return ROOT


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of the test's own, in place of the project's; gives its file."""
    file = tmp_path / "journal.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{file}")
    return file


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite runs in processes side by side, what somebody names in this one."""
    return PROCESSES if config.args == config.getini("testpaths") else 0


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Processes take unit by unit."""
    return _ByUnit(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, what takes longest comes first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _unit(item.nodeid)[0])


class _ByUnit(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    def _split_scope(self, nodeid: str) -> str:
        return _unit(nodeid)[1]


def _unit(nodeid: str) -> tuple[int, str]:
    """The rank of a test's unit among all, and its name."""
    file = nodeid.partition("::")[0]
    found = (entry for entry in enumerate(UNITS) if file.startswith(entry[1]))
    return next(found, (len(UNITS), file))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failed one, unless its reason is an allowed one."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips as a whole."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not os.environ.get("CI") or not report.skipped or not isinstance(report.longrepr, tuple):
        return
    reason = report.longrepr[2].removeprefix("Skipped: ")
    if not reason.startswith(ALLOWED):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason}"
