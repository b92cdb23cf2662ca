from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import agentflow
from agentflow.runtime.batch.session import close_session
from agentflow.runtime.journal.store import Journal

ROOT = Path(__file__).resolve().parent.parent.parent

Map = Callable[..., agentflow.BatchRun]
Ledger = Callable[[], list[int]]


@pytest.fixture(scope="package", autouse=True)
def _session() -> Iterator[None]:
    yield
    close_session()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
def inline(tmp_path: Path, url: str) -> Map:
    """`agentflow.map` in this process, with a journal of the test's own."""

    def call(items: Any, function: Any, **options: Any) -> agentflow.BatchRun:
        place = {"executor": "inline", "root": tmp_path, "store": url}
        return agentflow.map(items, function, **(place | options))

    return call


@pytest.fixture
def on_ray(tmp_path: Path, url: str) -> Map:
    """`agentflow.map` on a Ray that all tests share, with a journal of the test's own."""

    def call(items: Any, function: Any, **options: Any) -> agentflow.BatchRun:
        return agentflow.map(items, function, **({"root": tmp_path, "store": url} | options))

    return call


@pytest.fixture
def journal(tmp_path: Path, url: str) -> Iterator[Journal]:
    with_journal = Journal.open(url, tmp_path)
    yield with_journal
    with_journal.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """The marks that functions left in `tmp_path/ledger`."""

    def read() -> list[int]:
        file = tmp_path / "ledger"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    return read


def noted(tmp_path: Path, numbers: Iterable[int]) -> list[list[Any]]:
    """Items of functions that leave marks, which `ledger` reads."""
    return [[str(tmp_path / "ledger"), x] for x in numbers]


def broken_off(*items: Any) -> Iterator[Any]:
    """A source of items that breaks after these."""
    yield from items
    raise OSError("no more for now")


def kept(journal: Journal, id: str) -> list[tuple[str, str | None]]:
    """Type and step of each event of a run."""
    return [(record.type, record.step) for record in journal.history(id)]


def recorded_items(journal: Journal, id: str) -> set[int]:
    """Indexes of the items whose chunks are in the journal."""
    steps = [step for _, step in kept(journal, id) if step and step.startswith("items")]
    return {x for step in steps for x in range(*map(int, step[6:-1].split(":")))}
