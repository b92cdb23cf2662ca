"""What is asked before an execution starts, and when its id is taken."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from agentflow.errors import AgentFlowError, Conflict, NotFound
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.protocol import StoredExecution
from agentflow.runtime.journal.reading import exists, unknown
from agentflow.runtime.journal.tables import EXECUTIONS, SPECS
from agentflow.runtime.journal.values import same


def refusal(connection: Connection, execution: StoredExecution) -> AgentFlowError:
    """Which of the tables' rules a new execution broke."""
    if not exists(connection, SPECS.c.digest == execution.digest):
        return NotFound(f"the journal holds no workflow with the digest {execution.digest}")
    if execution.parent and not exists(connection, EXECUTIONS.c.id == execution.parent):
        return unknown(execution.parent)
    return Corrupt(f"the store holds events of execution {execution.id}, but not its record")


def is_own(found: Row[Any], new: StoredExecution) -> bool:
    """Whether a row is the one that this process has written: owners and times are unique."""
    written = (found.owner, found.epoch, found.started_at, found.workflow, found.digest)
    return written == (new.owner, new.epoch, new.started_at, new.workflow, new.digest)


def require_same(stored: StoredExecution, asked: StoredExecution) -> None:
    """Refuse an id that is taken by something else.

    Raises:
        Conflict: it is.
    """
    if stored.workflow != asked.workflow:
        what = f"of workflow {stored.workflow}, not {asked.workflow}"
    elif stored.digest != asked.digest:
        what = f"of another version of the text of workflow {stored.workflow}"
    elif not same(stored.input, asked.input):
        what = f"of workflow {stored.workflow} with another input"
    else:
        return
    raise Conflict(
        f"the id {stored.id} is taken by an execution {what}",
        help=f"choose another id; `agentflow show {stored.id}` shows the one that has it",
    )
