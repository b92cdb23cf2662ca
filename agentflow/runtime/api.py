"""One call that does it all; for more than one execution, use an `Engine`."""

from __future__ import annotations

from agentflow.errors import Json
from agentflow.runtime.engine import Engine
from agentflow.runtime.executors.protocol import Executor
from agentflow.spec.load import Loaded, Source, load


def run(
    workflow: Loaded | Source,
    input: Json = None,
    *,
    executor: str | Executor = "ray",
    id: str | None = None,
    store: str | None = None,
) -> Json:
    """Run a workflow to its end and give its output.

    Args:
        workflow: A spec's path, a function with `@workflow`, or what `load` gave.
        input: A JSON value that matches the workflow's `input` schema.
        executor: `"ray"`, or `"inline"` for this process.
        id: Makes the start idempotent: the same id and input give the same execution.
        store: URL of the journal; `DATABASE_URL` or `.agentflow/` in the project when not given.

    Raises:
        ExecutionFailed: it ended with an error.
        ExecutionCancelled: somebody cancelled it.
        SpecError: the workflow has mistakes.
        InputError: the input does not match its schema.
        Conflict: the id is taken.
        Unavailable: Ray or the journal cannot be reached.
    """
    loaded = workflow if isinstance(workflow, Loaded) else load(workflow)
    with Engine(executor=executor, root=loaded.root, store=store) as engine:
        return engine.start(loaded, input, id=id).result()


async def run_async(
    workflow: Loaded | Source,
    input: Json = None,
    *,
    executor: str | Executor = "ray",
    id: str | None = None,
    store: str | None = None,
) -> Json:
    """`run` for coroutines: the event loop goes on while the workflow runs."""
    loaded = workflow if isinstance(workflow, Loaded) else load(workflow)
    async with Engine(executor=executor, root=loaded.root, store=store) as engine:
        return await engine.start(loaded, input, id=id)
