"""The journal as the verbs use it: where it is, what it holds, in the words of `--json`."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow.cli import text
from agentflow.runtime.settings import load_settings
from agentflow.spec.signatures import find_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow.errors import Json
    from agentflow.runtime.journal import Journal
    from agentflow.runtime.journal.protocol import StoredExecution


def project_root() -> Path:
    """The root of the project the user stands in."""
    return find_root(Path.cwd())


@contextmanager
def open_journal(root: Path | None = None) -> Iterator[Journal]:
    """The journal of a project, by default of the one the user stands in."""
    from agentflow.runtime.journal import Journal

    journal = Journal.open(load_settings().database_url, root or project_root())
    try:
        yield journal
    finally:
        journal.close()


def as_json(record: StoredExecution) -> dict[str, Json]:
    """An execution as `--json` prints it."""
    return {
        "id": record.id,
        "workflow": record.workflow,
        "version": record.version,
        "status": record.status,
        "output": record.output,
        "error": record.error,
        "started_at": text.stamp(record.started_at),
        "ended_at": text.stamp(record.ended_at),
    }
