"""What can go wrong with a journal that a caller tells apart.

Everything else is an `Unavailable`: the store cannot be reached or written, and the message says
what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentflow.errors import AgentFlowError, Conflict


class Fenced(Conflict):
    """A commit was refused whole: executions in it belong to somebody else by now, or have ended.

    `reasons` says for each of them why. What is left of the commit may be tried again.
    """

    code = "AF010"

    def __init__(self, reasons: Mapping[str, str]) -> None:
        first = next(f"{execution} {reason}" for execution, reason in reasons.items())
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        super().__init__(f"nothing was written: execution {first}{more}")
        self.reasons = dict(reasons)

    @property
    def executions(self) -> tuple[str, ...]:
        """The executions that may no longer be written to."""
        return tuple(self.reasons)


class AlreadyRecorded(Conflict):
    """A commit was refused whole: a result in it, or the use of a message, is recorded already."""

    code = "AF011"

    def __init__(self, execution: str, key: str, what: str) -> None:
        super().__init__(f"nothing was written: {what} of '{key}' in execution {execution}")
        self.execution = execution
        self.key = key


class Corrupt(AgentFlowError):
    """A stored history is not what was written; the execution must not continue from it.

    `seq` is the first event that is wrong, `None` where the store as a whole is damaged.
    """

    code = "AF012"
    exit_code = 7

    def __init__(self, message: str, *, seq: int | None = None, help: str = "") -> None:
        super().__init__(
            message, help=help or "restore the store from a backup, or start the workflow anew"
        )
        self.seq = seq


class HistoryFull(AgentFlowError):
    """A commit was refused whole: histories in it would become longer than they may.

    Only the event that ends an execution may still be written to it.
    """

    code = "AF013"
    exit_code = 1

    def __init__(self, executions: Sequence[str], what: str) -> None:
        more = f" (and {len(executions) - 1} more)" if len(executions) > 1 else ""
        super().__init__(
            f"nothing was written: the history of execution {executions[0]}{more} may not hold "
            f"more than {what}",
            help="run parts of the workflow as children (`run`), or allow more with "
            "AGENTFLOW_HISTORY_EVENTS and AGENTFLOW_HISTORY_BYTES",
        )
        self.executions = tuple(executions)
