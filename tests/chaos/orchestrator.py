"""One orchestrator of a campaign: an engine that does what lines on its stdin ask for.

A line in is `{"start": id, "shape": name, "n": input}`. Lines out say `{"started": id}` when the
start is in the journal, `{"refused": id, "why"}` when it could not be, and
`{"ended": id, "status", "value"}` when an execution came to its end here. It lives until stdin ends.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn, Self, TextIO

from agentflow import Engine
from agentflow.errors import AgentFlowError, Json
from agentflow.runtime.executors.inline import InlineExecutor
from agentflow.runtime.executors.protocol import Executor
from agentflow.runtime.executors.ray import RayExecutor
from agentflow.runtime.journal.errors import Fenced
from agentflow.runtime.journal.protocol import StoredExecution
from agentflow.runtime.machine.protocol import (
    Command,
    Finish,
    Invoke,
    InvokeBatch,
    OpenStream,
    Resumed,
    Started,
)
from agentflow.runtime.notices import Changed, Notice
from tests.chaos.ledger import Book
from tests.chaos.shapes import BY_NAME, HELLO

LOOK_SECONDS = 0.5
WORKERS = 2


def main() -> None:
    """Serve until stdin ends or the engine cannot go on."""
    arguments = _parser().parse_args()
    book = Book(Path(os.environ["CHAOS_FACTS"]), arguments.name)
    book.note("born")
    out = take_stdout()
    executor: Executor
    if arguments.executor == "ray":
        executor = RayExecutor(parallel=WORKERS, address=arguments.address)
    else:
        executor = InlineExecutor(parallel=arguments.parallel)
    with Serving(executor, arguments.root, arguments.store, book, out) as serving:
        serving.requests(sys.stdin)


class Serving:
    """An engine and the conversation with the supervisor."""

    def __init__(self, executor: Executor, root: Path, store: str, book: Book, out: TextIO) -> None:
        self._book = book
        self._out = out
        self._root = root
        self._saying = threading.Lock()
        self._loaded = {name: shape.load(root) for name, shape in BY_NAME.items()}
        self._engine = Engine(
            executor=executor, root=root, store=store, adopt=True, watch=self._watch
        )
        self._is_on_ray = isinstance(executor, RayExecutor)
        _note_refusals(self._engine, book)

    def __enter__(self) -> Self:
        threading.Thread(target=self._attend, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def requests(self, lines: Any) -> None:
        """Do what is asked, several things at a time."""
        with ThreadPoolExecutor(8) as threads:
            for line in lines:
                threads.submit(self._start, **json.loads(line))

    def _start(self, start: str, shape: str, n: int) -> None:
        try:
            self._engine.start(self._loaded[shape], {"n": n}, id=start)
        except AgentFlowError as error:
            self._say({"refused": start, "why": str(error)})
        else:
            self._say({"started": start})

    def _attend(self) -> None:
        """Get ready; then see whether the engine still works."""
        try:
            self._engine.start(self._loaded[HELLO.name], {"n": 0}, id=f"hello-{self._book.who}")
        except AgentFlowError as error:
            _give_up(error)
        self._book.note("ready")
        self._say({"ready": self._book.who})
        while self._engine._error is None:
            self._book.note("hosts", _hosts() if self._is_on_ray else [os.getpid()])
            time.sleep(LOOK_SECONDS)
        _give_up(self._engine._error)

    # --- what the engine tells, in its thread -------------------------------------------------

    def _watch(self, notice: Notice) -> None:
        if not isinstance(notice, Changed):
            return
        for event in notice.events:
            if isinstance(event, Started | Resumed):
                self._book.note("served", [notice.execution, event.at])
        calls = [_call(command) for command in notice.commands if _is_call(command)]
        if calls:
            self._book.note("dispatch", [notice.execution, calls])
        for command in notice.commands:
            if isinstance(command, Finish):
                self._tell_end(notice.execution, command)

    def _tell_end(self, execution: str, end: Finish) -> None:
        self._say({"ended": execution, "status": end.status, "value": value_of(end)})

    def _say(self, words: Mapping[str, Json]) -> None:
        with self._saying:
            print(json.dumps(words), file=self._out, flush=True)


def _give_up(error: Exception) -> NoReturn:
    """Leave it to the next process."""
    print(f"the engine gave up: {error}", file=sys.stderr, flush=True)
    os._exit(7)


def take_stdout() -> TextIO:
    """What stdout is, for ourselves; Ray, which likes to print, gets stderr."""
    kept = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return kept


def value_of(end: Finish | StoredExecution) -> Json:
    """The output of an execution, or else the name of its error."""
    if end.status == "succeeded":
        return end.output
    return end.error["name"] if end.status == "failed" else None


def _note_refusals(engine: Engine, book: Book) -> None:
    """Have the book say when the store refuses a commit of an engine that lost executions."""
    append = engine.journal.append

    def noting(*arguments: Any) -> None:
        try:
            append(*arguments)
        except Fenced as error:
            book.note("fenced", list(error.executions))
            raise

    engine.journal.append = noting  # type: ignore[method-assign,assignment]  # it only looks on


def _hosts() -> list[int]:
    """The Ray actors of this process, each the parent of workers."""
    import ray
    from ray._private import state

    job = ray.get_runtime_context().get_job_id()
    try:
        actors = state.actors().values()
    except Exception:  # Ray may be gone, and says so in many ways
        return []
    return [actor["Pid"] for actor in actors if actor["JobID"] == job and actor["Pid"]]


def _is_call(command: Command) -> bool:
    return isinstance(command, Invoke | InvokeBatch | OpenStream)


def _call(command: Any) -> tuple[str, int]:
    return command.key, command.attempt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.orchestrator", description=__doc__)
    parser.add_argument("--name", required=True, help="what the facts of this process go by")
    parser.add_argument("--root", type=Path, required=True, help="the project folder")
    parser.add_argument("--store", required=True, help="URL of the journal")
    parser.add_argument("--executor", choices=("ray", "inline"), default="ray")
    parser.add_argument("--address", help="of Ray")
    parser.add_argument("--parallel", type=int, default=8, help="inline calls at once")
    return parser


if __name__ == "__main__":
    main()
