"""Looking after the journal: `prune` and `backup`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from agentflow.cli import exits, stores, terminal, text
from agentflow.cli.options import AsJson
from agentflow.errors import UsageError
from agentflow.functions.durations import parse_duration
from agentflow.runtime.journal.protocol import ENDED

if TYPE_CHECKING:
    from agentflow.runtime.journal.protocol import Pruned

EndName = Literal["succeeded", "failed", "cancelled"]


def prune(
    *,
    older_than: Annotated[
        str, Parameter(metavar="DURATION", help="How long ago they ended at least: `30d`, `12h`.")
    ],
    status: Annotated[
        list[EndName] | None,
        Parameter(
            negative="",
            metavar="STATUS",
            help="Only executions that ended so; may be given several times.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Count what would go, and remove nothing."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Remove executions that ended long ago, and what only they used.

    That is their events, messages and children, versions of workflows that nothing uses, and large
    values that nothing refers to. Others may work with the journal meanwhile.
    """
    seconds = parse_duration(older_than)
    if seconds is None:
        raise UsageError(
            f"--older-than {older_than} is not a duration", help="write 30d, 12h or 1h30m"
        )
    with stores.open_journal() as journal:
        pruned = journal.prune(seconds, statuses=frozenset(status or ENDED), dry_run=dry_run)
    if as_json:
        counts = {
            "executions": pruned.executions,
            "events": pruned.events,
            "blobs": pruned.blobs,
            "bytes": pruned.bytes,
        }
        terminal.result_json({"dry_run": dry_run, **counts})
    else:
        terminal.result(f"{'Would remove' if dry_run else 'Removed'} {_counts(pruned)}.")
    return exits.OK


def _counts(pruned: Pruned) -> str:
    what = [
        text.counted(pruned.executions, "execution"),
        text.counted(pruned.events, "event"),
        text.counted(pruned.blobs, "blob"),
    ]
    return f"{', '.join(what)}: {text.size(pruned.bytes)}"


def backup(
    folder: Annotated[Path, Parameter(name="DIR", help="The folder to make.")],
    /,
    *,
    as_json: AsJson = False,
) -> int:
    """Copy the journal and its large values to a new folder, while they are in use.

    To restore it, put the folder in the place of `.agentflow/`. A journal in PostgreSQL is backed
    up with `pg_dump`.
    """
    with stores.open_journal() as journal:
        journal.backup(folder)
    if as_json:
        terminal.result_json({"folder": str(folder)})
    else:
        terminal.result(f"Copied the journal to {folder}.")
    return exits.OK
