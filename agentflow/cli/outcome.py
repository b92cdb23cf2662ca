"""How an execution stands or ended, in words: for `show`, and at the end of `run`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow.cli import failure, replaying, rows, stores, terminal, text
from agentflow.errors import AgentFlowError, Conflict
from agentflow.runtime.journal import owner
from agentflow.runtime.journal.protocol import ENDED
from agentflow.runtime.recovery import retry_point
from agentflow.spec.signatures import find_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow.cli.progress import Progress, StepProgress
    from agentflow.cli.replaying import Replayed
    from agentflow.runtime.journal import Journal
    from agentflow.runtime.journal.protocol import StoredExecution
    from agentflow.runtime.machine.protocol import AwaitMessage

MAX_REPLAY = 100_000
"""Events that are replayed to tell more; a longer history is shown by its record alone."""


def replayed(journal: Journal, record: StoredExecution) -> Replayed | None:
    """What the history of an execution leads to; `None` where that cannot be told.

    That is a history too long to replay while somebody waits, or a workflow that this version of
    AgentFlow reads differently.
    """
    if record.head > MAX_REPLAY:
        return None
    try:
        workflow = stores.restored(journal, record.digest, Path(record.root)).workflow
    except AgentFlowError:
        return None
    return replaying.replay(workflow, record.id, journal.history(record.id), record.origin)


def described(journal: Journal, record: StoredExecution) -> str:
    """Everything worth knowing about an execution, on one page."""
    known = replayed(journal, record)
    parts = [_header(record)]
    if known is not None:
        parts.append(_steps(known.progress))
    if record.status == "failed":
        parts.append(why_failed(journal, record, known))
    elif record.status == "succeeded":
        parts.append(f"output   {text.shortened(record.output, 2000)}")
    parts += [standing(journal, record, known.awaited if known is not None else ())]
    return "\n\n".join(part for part in parts if part)


def why_failed(journal: Journal, record: StoredExecution, known: Replayed | None) -> str:
    """The cause of a failure, with everything that helps to mend it."""
    history = journal.history(record.id) if record.head <= MAX_REPLAY else []
    return failure.render(
        failure.explain(
            record,
            history,
            known.progress.workflow if known is not None else None,
            journal.spec(record.digest).text,
            known.arguments if known is not None else None,
            kept=failure.results(history) if can_retry(journal, record) else 0,
        ),
        record.root,
    )


def can_retry(journal: Journal, record: StoredExecution) -> bool:
    """Whether `retry` has something to do: a failure of the workflow itself would come again."""
    if record.status not in {"failed", "cancelled"} or record.head > MAX_REPLAY:
        return record.status in {"failed", "cancelled"}
    try:
        retry_point(record, journal.history(record.id))
    except Conflict:
        return False
    return True


def standing(
    journal: Journal, record: StoredExecution, awaited: Sequence[AwaitMessage] = ()
) -> str:
    """The last lines about an execution, with the commands to type next."""
    took = text.duration((record.ended_at or record.started_at) - record.started_at)
    following: list[tuple[str, str]] = []
    match record.status:
        case "succeeded":
            state = f"{terminal.paint('Succeeded', 'green')} in {took} · {record.id}"
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
    if can_retry(journal, record):
        following.insert(0, ("retry", "run again what did not succeed, then go on"))
    lines = [(command(verb, record), purpose) for verb, purpose in following]
    lines += [(command(*_answer(message, record)), "answer it") for message in awaited]
    return "\n".join([state, *commands(lines)])


def commands(lines: Sequence[tuple[str, str]]) -> list[str]:
    """Commands to type next, each with what it is for."""
    width = max((len(words) for words, _ in lines), default=0)
    return [f"  {words:<{width}}   {purpose}" for words, purpose in lines]


def command(verb: str, record: StoredExecution, *arguments: str) -> str:
    """A command about an execution, as it works from where the user stands."""
    root = Path(record.root)
    there = "" if find_root(Path.cwd()) == root else f"cd {shlex.quote(str(root))} && "
    return there + " ".join(["agentflow", verb, record.id, *map(shlex.quote, arguments)])


def _answer(message: AwaitMessage, record: StoredExecution) -> tuple[str, StoredExecution, str]:
    is_approval = message.prompt is not None or message.form is not None
    return "approve" if is_approval else "signal", record, message.name


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
