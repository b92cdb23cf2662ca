"""Workflows by digest: as the journal keeps their text, and as the machine runs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentflow.errors import Conflict, Json
from agentflow.runtime.journal.protocol import BATCH, StoredExecution, StoredSpec
from agentflow.runtime.machine import Program, compile_workflow
from agentflow.spec.load import Loaded, loads

if TYPE_CHECKING:
    from agentflow.runtime.journal.store import Journal


class Catalog:
    """The workflows of one engine. Executions run the version they were started with."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[str, tuple[Loaded, Program]] = {}

    def program(self, loaded: Loaded) -> Program:
        """A workflow as the machine runs it; compiled once."""
        digest = loaded.workflow.digest
        known = self._known.get(digest)
        if known is None:
            known = self._known[digest] = (loaded, compile_workflow(loaded.workflow))
        return known[1]

    def register(self, loaded: Loaded) -> None:
        """Keep the text of a workflow and of its children in the journal."""
        for child in loaded.children.values():
            self.register(child)
        workflow = loaded.workflow
        children = {name: child.workflow.digest for name, child in loaded.children.items()}
        self._journal.register(
            StoredSpec(
                workflow.digest,
                workflow.name,
                workflow.version,
                loaded.text,
                str(loaded.path),
                children,
            )
        )

    def started_with(self, stored: StoredExecution) -> Loaded:
        """The workflow an execution was started with, whatever its file says by now."""
        known = self._known.get(stored.digest)
        if known is not None:
            return known[0]
        return restored(self._journal, stored.digest, Path(stored.root))


def restored(journal: Journal, digest: str, root: Path) -> Loaded:
    """A workflow as the journal keeps it, whatever its file says by now.

    Raises:
        SpecError: this version of AgentFlow reads it differently.
        Conflict: it is no workflow but a batch run.
    """
    require_workflow(digest)
    spec = journal.spec(digest)
    children = {name: restored(journal, child, root) for name, child in spec.children.items()}
    return loads(spec.text, path=spec.path, root=root, children=children)


def require_workflow(digest: str) -> None:
    """Refuse to look for the steps of a batch run.

    Raises:
        Conflict: it is one.
    """
    if digest.startswith(BATCH):
        raise Conflict(
            "this is a batch run, which has no steps",
            help="make the same call of agentflow.map or agentflow.map_reduce with its id again",
        )


def start_row(loaded: Loaded, input: Json, id: str, at: float) -> StoredExecution:
    """The row of a new execution that nobody owns yet."""
    workflow = loaded.workflow
    return StoredExecution(
        id=id,
        workflow=workflow.name,
        version=workflow.version,
        digest=workflow.digest,
        root=str(loaded.root),
        status="running",
        input=input,
        started_at=at,
        epoch=1,
        labels=workflow.labels,
    )
