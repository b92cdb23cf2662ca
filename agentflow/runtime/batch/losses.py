"""What is done again of a chunk that failed as a whole: its worker was lost, or took too long."""

from __future__ import annotations

from agentflow.errors import Json
from agentflow.runtime.batch.options import Options
from agentflow.runtime.batch.work import Work

SPLIT = frozenset({"WorkerLost", "Timeout", "PayloadTooLarge"})
"""Failures of a chunk that may be those of one of its items."""
PARTS = 8
"""Into how many pieces such a chunk is split."""
_ALONE = 2
"""Workers that an item is given when it is alone, whatever the retry says."""


def done_again(work: Work, error: dict[str, Json], options: Options) -> list[Work]:
    """What other workers are given of it; nothing, if the failure is that of the item in it."""
    if work.size > 1:
        return work.split(-(-work.size // PARTS))
    if not _is_worth_it(work.attempt, error["name"], options):
        return []
    work.attempt += 1
    return [work]


def _is_worth_it(attempt: int, name: str, options: Options) -> bool:
    """Whether an item that is alone is given to another worker."""
    if name == "PayloadTooLarge":
        return False
    retry = options.retry
    wanted = retry is not None and ("*" in retry.on or name in retry.on)
    attempts = retry.max_attempts if retry is not None and wanted else 1
    if name == "WorkerLost":  # it may have been the machine, or who killed it
        attempts = max(attempts, _ALONE)
    return attempt < attempts
