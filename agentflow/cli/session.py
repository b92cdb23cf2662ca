"""A command that carries an execution: the engine, the view, Ctrl-C, the report at the end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow.cli import exits, failure, outcome, stores, terminal
from agentflow.cli.lines import Lines, Silence
from agentflow.cli.watch import Watch
from agentflow.errors import (
    AgentFlowError,
    Conflict,
    ExecutionCancelled,
    ExecutionFailed,
    NotFound,
    Unavailable,
)
from agentflow.runtime.journal.protocol import ENDED
from agentflow.runtime.patience import GLANCE
from agentflow.runtime.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from agentflow.cli.options import ExecutorName
    from agentflow.cli.progress import Progress
    from agentflow.cli.watch import View
    from agentflow.runtime.engine import Engine
    from agentflow.runtime.execution import Execution
    from agentflow.runtime.journal import Journal
    from agentflow.runtime.journal.protocol import Status, StoredExecution

GRACE = 3.0
"""Seconds in which a second Ctrl-C is waited for."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the user wants it done and told."""

    executor: ExecutorName | None = None
    """`None`: what the settings say."""
    as_json: bool = False
    verbose: bool = False
    quiet: bool = False
    ray: str | None = None
    """The address of the cluster to join; `None`: what the environment says."""


def executor_of(manner: Manner) -> ExecutorName:
    """What carries out calls: the options, else the settings."""
    return "ray" if manner.ray is not None else manner.executor or load_settings().executor


def carry(
    root: Path,
    manner: Manner,
    about: str | Progress | None,
    begin: Callable[[Engine], Execution],
    *,
    is_new: bool = False,
    wanted: Status = "succeeded",
) -> int:
    """Carry an execution to its end and report it; the exit code.

    `about` is what it is called, if it has a name yet, or where it stands, if that is known;
    `begin` sets it going. Ray starts at once for one that `is_new`: the others may be refused.
    `wanted` is the end that counts as success.
    """
    executor = executor_of(manner)
    watch = Watch(_view(manner))
    reference = about if about is None or isinstance(about, str) else about.execution
    engine = _engine(root, manner, watch, is_sure=is_new)
    try:
        if about is not None and not isinstance(about, str):
            watch.follow(about)
        execution = begin(engine)
        reference = execution.id
        watch.introduce(
            execution.id,
            f"{execution.workflow} {execution.version}  execution {execution.id} · {executor}",
        )
        _await(execution)
        record = execution.record()
        watch.conclude(record)
        code = report(engine.journal, record, manner, wanted)
    except KeyboardInterrupt:

        def close() -> None:
            watch.close()
            engine.close()

        return _interrupted(root, reference, manner, close)
    else:
        _leave_on_interrupt(code)
        return code
    finally:
        watch.close()
        engine.close()


def _await(execution: Execution) -> None:
    """Wait until an execution ends, however it does.

    Raises:
        Unavailable: it was given up; the help says how to go on.
    """
    try:
        with suppress(ExecutionFailed, ExecutionCancelled):
            execution.result()
    except Unavailable as error:
        error.help = f"{error.help}; then go on with `agentflow resume {execution.id}`"
        raise


def _engine(root: Path, manner: Manner, watch: Watch, *, is_sure: bool) -> Engine:
    """An engine; if it `is_sure` to be needed, Ray starts while the engine is still imported."""
    if executor_of(manner) != "ray":
        from agentflow.runtime.engine import Engine

        return Engine(executor=executor_of(manner), root=root, watch=watch)
    from agentflow.runtime.executors.ray import RayExecutor

    executor = RayExecutor(address=manner.ray, root=root)
    if is_sure:
        executor.begin()
    try:
        from agentflow.runtime.engine import Engine

        return Engine(executor=executor, root=root, watch=watch)
    except AgentFlowError:
        executor.abandon()
        raise


def _view(manner: Manner) -> View:
    if manner.quiet:
        return Silence()
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from agentflow.cli.live import LiveTable

        return LiveTable()
    return Lines(verbose=manner.verbose)


def report(journal: Journal, record: StoredExecution, manner: Manner, wanted: Status) -> int:
    """Tell how an execution ended; the exit code."""
    account = outcome.Account(journal, record)
    if record.status == "failed":
        terminal.note("\n" + account.failure())
    if record.status != "succeeded" or not manner.quiet:
        terminal.note("\n" + outcome.standing(account))
    if manner.as_json:
        terminal.result_json(stores.as_json(record))
    elif record.status == "succeeded":
        terminal.output(record.output)
    return exits.OK if record.status in {wanted, "succeeded"} else exits.FAILED


def _leave_on_interrupt(code: int) -> None:
    """From now on Ctrl-C does not wait for anything to be closed; the journal does not need it."""

    def leave(_signal: int, _frame: FrameType | None) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h\n")  # the live table had hidden the cursor
            sys.stderr.flush()
        os._exit(code)

    signal.signal(signal.SIGINT, leave)


def _interrupted(
    root: Path, reference: str | None, manner: Manner, close: Callable[[], None]
) -> int:
    """Leave the execution as it is and say how to go on; cancel it after another Ctrl-C."""
    closing = threading.Thread(target=close, daemon=True)
    record: StoredExecution | None = None
    try:
        closing.start()
        while closing.is_alive():
            closing.join(GLANCE)
        record = _left(root, reference)
        if record is not None and record.status not in ENDED and sys.stderr.isatty():
            terminal.note(f"Ctrl-C again within {GRACE:.0f} s cancels it.")
            time.sleep(GRACE)
    except KeyboardInterrupt:
        _leave_on_interrupt(exits.INTERRUPTED)
        closing.join()
        if reference is not None:
            with suppress(NotFound):
                _cancel(root, reference, manner)
                return exits.INTERRUPTED
    if manner.as_json:
        error = {"error": exits.error_json("AF130", "interrupted")}
        terminal.result_json(error if record is None else stores.as_json(record))
    return exits.INTERRUPTED


def _left(root: Path, reference: str | None) -> StoredExecution | None:
    """Say how the execution was left, and how to go on; gives it as it is recorded."""
    with stores.open_journal(root) as journal, suppress(NotFound):
        if reference is not None:
            record = journal.execution(journal.resolve(reference))
            account = outcome.Account(journal, record)
            state, *commands = outcome.standing(account).splitlines()
            kept = failure.kept_words(failure.results(account.history))
            terminal.note("\n".join(["", state, kept, *commands]))
            return record
    terminal.note("\nInterrupted before anything was started.")
    return None


def _cancel(root: Path, reference: str, manner: Manner) -> None:
    """Cancel an execution as `agentflow cancel` does."""
    terminal.note(f"\nCancelling {reference}; Ctrl-C leaves at once.")
    try:
        carry(
            root,
            manner,
            reference,
            lambda engine: engine.cancel(reference, "Ctrl-C"),
            wanted="cancelled",
        )
    except Conflict as error:  # it has ended just now
        terminal.note(error.message)
