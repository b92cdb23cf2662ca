"""Cancelling a batch run from outside: by whoever runs it, or in its place if nobody does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agentflow.runtime.ids import new_id
from agentflow.runtime.journal.owner import owner_id
from agentflow.runtime.journal.protocol import (
    CANCEL,
    ENDED,
    Change,
    Message,
    Record,
    StoredExecution,
)
from agentflow.runtime.machine.protocol import CancelRequested, Ended, payload
from agentflow.runtime.recovery import require_open

if TYPE_CHECKING:  # the command line imports this before it knows that it needs a journal
    from agentflow.runtime.journal.store import Journal

_POLL_SECONDS = 0.1


def cancel(journal: Journal, id: str, reason: str = "") -> StoredExecution:
    """Cancel a batch run and wait until that is recorded.

    Raises:
        Conflict: it has ended, or it ends otherwise meanwhile.
    """
    stored = journal.execution(id)
    require_open(stored)
    request = Message(f"{id}/cancel/{new_id()}", CANCEL, None, reason, time.time(), id)
    journal.post(request)
    while stored.status not in ENDED:
        if not journal.is_owned(stored):
            _end(journal, stored, request)
        else:
            time.sleep(_POLL_SECONDS)
        stored = journal.execution(id)
    return stored


def _end(journal: Journal, stored: StoredExecution, request: Message) -> None:
    """End a run that nobody runs."""
    epoch = journal.claim(stored.id, owner_id())
    head = journal.execution(stored.id).head
    end = Ended(time.time(), "cancelled")
    asked = CancelRequested(end.at, request.data, request.id)
    records = [
        Record(stored.id, head + 1, "cancel.requested", end.at, data=payload(asked)),
        Record(stored.id, head + 2, "execution.ended", end.at, data=payload(end)),
    ]
    change = Change(stored.id, end.status, ended_at=end.at)
    journal.append(records, [change], {stored.id: epoch}, [(request.id, stored.id, "")])
