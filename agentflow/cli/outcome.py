"""How an execution stands or ended, in words: for `show`, and at the end of `run`."""

from __future__ import annotations

import shlex
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow.cli import failure, in_job, replaying, rows, terminal, text
from agentflow.errors import AgentFlowError, Conflict
from agentflow.runtime.catalog import restored
from agentflow.runtime.journal import owner
from agentflow.runtime.journal.protocol import ENDED
from agentflow.runtime.live import REFUSED
from agentflow.runtime.recovery import retry_point
from agentflow.spec.signatures import find_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow.cli.progress import Progress, StepProgress
    from agentflow.cli.replaying import Replayed
    from agentflow.runtime.journal import Journal
    from agentflow.runtime.journal.protocol import Record, StoredExecution
    from agentflow.runtime.machine.protocol import AwaitMessage

MAX_REPLAY = 100_000
"""Events that are read to tell more; a longer history is told by its record alone."""

_FORKED_FROM = "forked_from"
"""The label that the engine gives a fork: `ID@STEP`."""


class Account:
    """An execution and what its history says, read when it is asked for."""

    def __init__(self, journal: Journal, record: StoredExecution) -> None:
        self.record = record
        self._journal = journal

    @cached_property
    def history(self) -> Sequence[Record]:
        """All events; none if there are too many to read while somebody waits."""
        if self.record.head > MAX_REPLAY:
            return ()
        return self._journal.history(self.record.id)

    @cached_property
    def replayed(self) -> Replayed | None:
        """What the history leads to; `None` if this version of AgentFlow cannot tell."""
        if not self.history:
            return None
        try:
            root = Path(self.record.root)
            workflow = restored(self._journal, self.record.digest, root).workflow
        except AgentFlowError:
            return None
        return replaying.replay(workflow, self.record.id, self.history, self.record.origin)

    @property
    def refused(self) -> int:
        """How many results came too late or twice, and were not taken."""
        return sum(record.type == REFUSED for record in self.history)

    @property
    def awaited(self) -> Sequence[AwaitMessage]:
        """The messages it waits for."""
        return self.replayed.awaited if self.replayed is not None else ()

    @cached_property
    def can_retry(self) -> bool:
        """Whether `retry` has something to do: a mistake in the workflow would come again."""
        if self.record.status not in {"failed", "cancelled"} or self.record.is_batch:
            return False
        try:
            retry_point(self.record, self.history)
        except Conflict:
            return not self.history
        return True

    def failure(self) -> str:
        """The cause of a failure, with everything that helps to mend it."""
        why = failure.explain(
            self.record,
            self.history,
            self.replayed.progress.workflow if self.replayed is not None else None,
            self._journal.spec(self.record.digest).text,
            self.replayed.arguments if self.replayed is not None else None,
            kept=failure.results(self.history) if self.can_retry else 0,
        )
        return failure.render(why, self.record.root)


def described(account: Account) -> str:
    """Everything worth knowing about an execution, on one page."""
    record = account.record
    parts = [_header(record)]
    if account.replayed is not None:
        parts.append(_steps(account.replayed.progress))
    if account.refused:
        parts.append(f"refused  {refused_words(account.refused)}")
    if record.status == "failed":
        parts.append(account.failure())
    elif record.status == "succeeded":
        parts.append(f"output   {text.shortened(record.output, 2000)}")
    return "\n\n".join([*parts, standing(account)])


def refused_words(number: int) -> str:
    """What refused results are."""
    return f"{text.counted(number, 'result')} that came twice, or from an attempt given up before"


def standing(account: Account) -> str:
    """The last lines about an execution, with the commands to type next."""
    record = account.record
    took = text.duration((record.ended_at or record.started_at) - record.started_at)
    following: list[tuple[str, str]] = []
    match record.status:
        case "succeeded":
            return f"{terminal.paint('Succeeded', 'green')} in {took} · {record.id}"
        case "cancelled":
            state = f"{terminal.paint('Cancelled', 'yellow')} after {took} · {record.id}"
            following = [("show", "its steps")]
        case "failed":
            state = f"{terminal.paint('Failed', 'red')} in {took} · {record.id}"
            following = [("show", "its steps, input and error"), ("history", "every event")]
        case _:
            state = _unfinished(record)
            if not is_alive(record):
                following = [("resume", "go on where it stopped")]
    if record.is_batch:
        return "\n".join([state, *_called_again(record)])
    if account.can_retry:
        following.insert(0, ("retry", "run again what did not succeed, then go on"))
    lines = [(command(verb, record), purpose) for verb, purpose in following]
    lines += [(command(*_answer(message, record)), "answer it") for message in account.awaited]
    return "\n".join([state, *commands(lines)])


def _called_again(record: StoredExecution) -> list[str]:
    """How a batch run goes on: by the call that started it."""
    call = f"  the same call with id={record.id!r}"
    if record.status in ENDED:
        return [f"{call} and only_failed=True tries again what has no result"]
    return [] if is_alive(record) else [f"{call} goes on"]


def commands(lines: Sequence[tuple[str, str]]) -> list[str]:
    """Commands to type next, each with what it is for."""
    width = max((len(words) for words, _ in lines), default=0)
    return [f"  {words:<{width}}   {purpose}" for words, purpose in lines]


def command(verb: str, record: StoredExecution, *arguments: str) -> str:
    """A command about an execution, as it works from where the user stands."""
    words = " ".join(["agentflow", verb, record.id, *map(shlex.quote, arguments)])
    root = Path(record.root)
    if in_job.is_copy(root) or not root.is_dir():  # nobody can go there
        return words + in_job.suffix()
    return words if find_root(Path.cwd()) == root else f"cd {shlex.quote(str(root))} && {words}"


def _answer(message: AwaitMessage, record: StoredExecution) -> tuple[str, StoredExecution, str]:
    return "approve" if is_approval(message) else "signal", record, message.name


def is_approval(message: AwaitMessage) -> bool:
    """Whether an answer to it is given by `approve`."""
    return message.prompt is not None or message.form is not None


def is_alive(record: StoredExecution) -> bool:
    """Whether a process runs the execution; one on another machine counts as alive."""
    return record.owner is not None and owner.is_alive(record.owner)


def _unfinished(record: StoredExecution) -> str:
    """How an execution that has not ended stands: with its process, or without one."""
    if record.owner is None:
        return f"{terminal.paint('Interrupted', 'yellow')}: no process runs it · {record.id}"
    process = owner.Owner.parse(record.owner)
    who = f"process {process.pid} on {process.host}"
    if is_alive(record):
        since = text.day(record.started_at)
        return (
            f"{record.status.capitalize()} since {since} · {record.id}\n"
            f"{who[0].upper()}{who[1:]} runs it."
        )
    return f"{terminal.paint('Interrupted', 'yellow')}: {who} is gone · {record.id}"


def _header(record: StoredExecution) -> str:
    lines = [
        f"{record.workflow} {record.version} · {record.id} · {record.status}",
        f"started  {text.day(record.started_at)}",
    ]
    if record.ended_at is not None:
        took = text.duration(record.ended_at - record.started_at)
        lines.append(f"ended    {text.day(record.ended_at)} (took {took})")
    lines.append(f"input    {text.shortened(record.input, 200)}")
    if record.parent is not None:
        lines.append(f"parent   {record.parent} ({record.parent_key})")
    if _FORKED_FROM in record.labels:
        lines.append(f"fork of  {' at '.join(record.labels[_FORKED_FROM].split('@', 1))}")
    return "\n".join(lines)


def _steps(progress: Progress) -> str:
    over = progress.status in ENDED
    return text.columns(
        [
            ("", "STEP", "STATE", "TRIES", "TOOK", ""),
            *(_step(step, over=over) for step in progress.steps),
        ]
    )


def _step(step: StepProgress, *, over: bool) -> tuple[str, ...]:
    took = ""
    if step.started is not None and step.ended is not None:
        took = text.duration(step.ended - step.started)
    state = "not started" if step.state == "pending" and over else step.state
    tries = str(step.retries + 1) if step.items is None and step.started is not None else ""
    return rows.MARKS[step.state], step.id, state, tries, took, " · ".join(rows.details(step))
