"""The calls that start batch runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from agentflow.errors import Fault, InputError, Json, UsageError
from agentflow.functions.parcels import pack
from agentflow.functions.resolve import is_importing
from agentflow.runtime.batch.attempt import Plan
from agentflow.runtime.batch.datasets import Blocks, is_dataset
from agentflow.runtime.batch.files import Split, files_source
from agentflow.runtime.batch.importing import reference
from agentflow.runtime.batch.options import options_of
from agentflow.runtime.batch.progress import is_watched
from agentflow.runtime.batch.run import BatchRun
from agentflow.runtime.batch.sources import InMemory, Range, Source, Stream
from agentflow.runtime.executors.protocol import Executor
from agentflow.runtime.ids import checked_id, new_id
from agentflow.runtime.settings import load_settings
from agentflow.spec.signatures import Folder, root_of

Function = Callable[..., Any] | str
"""A function at the top level of a module, or its import path."""


class _Unset:
    """Stands for an argument that was not given, where `None` is a value."""


UNSET = _Unset()


def map(
    items: Any,
    function: Function,
    *,
    reduce: Function | None = None,
    initial: Json | _Unset = UNSET,
    split: Split = None,
    chunk: int | Literal["auto"] = "auto",
    concurrency: int | None = None,
    resources: Mapping[str, Any] | None = None,
    retry: int | Mapping[str, Any] | None = None,
    timeout: float | str | timedelta | None = None,
    tolerate: float | str = 0,
    arity: int = 16,
    id: str | None = None,
    only_failed: bool = False,
    executor: str | Executor | None = None,
    root: Folder | None = None,
    store: str | None = None,
    progress: bool | None = None,
) -> BatchRun:
    """Call a function for each item, durably, in many processes.

        for text in agentflow.map(paths, functions.text.read):
            print(text)

    Items go to workers in chunks, and what became of a chunk is in the journal before anybody
    sees it. A run that was killed goes on when the same call is made with its id: only chunks
    that are not recorded are carried out.

    Args:
        items: A list, a range, an array, any other iterable, a Ray Dataset (each block is an item),
            or files: a path, a glob or an fsspec URL. Items are JSON, NumPy arrays or Arrow tables.
        function: Takes one item. It stands at the top level of a module that workers can import.
        reduce: Takes a list of results and gives what they come to. It must be associative; it is
            given its own results too.
        initial: What comes before all results in the reduce, and the result of no items.
        split: How files become items: not at all (an item is a file's content as bytes), by
            `"lines"` (text), or into pieces of about so many bytes that end where a line does.
        chunk: Items of a chunk (with `split="lines"` bytes); by default what measured time says.
        concurrency: How many items are worked on at once; by default as many as there are CPUs.
        resources: What each chunk asks of Ray: `num_cpus`, `num_gpus`, `memory`, `runtime_env`.
        retry: Attempts for each item, or a mapping like a spec's `retry`.
        timeout: How long an item may take.
        tolerate: How many items may fail, as a count, `"5%"` or `0.05`.
        arity: How many results are combined at once, above the chunks.
        id: Names the run; the same call with the same id goes on with it, or gives its results.
        only_failed: Try what failed in the run `id` again, and what it did not get to.
        executor: `"ray"`, `"inline"` for threads of this process, or an executor of your own; by
            default what `AGENTFLOW_EXECUTOR` says, else Ray.
        root: The project root, where the journal is; found from the working folder if not given.
        store: URL of the journal; `DATABASE_URL` or `.agentflow/` in the root when not given.
        progress: Whether to draw a progress bar; by default where somebody sees it.

    Raises:
        UsageError: an argument is wrong, or workers could not import a function.
        InputError: there are no such files, or what `initial` is cannot be sent.
    """
    if is_importing():
        raise UsageError(
            "a batch run was started while a worker imported the module that starts it",
            help='put the call below `if __name__ == "__main__":`',
        )
    options = options_of(
        chunk=chunk,
        concurrency=concurrency,
        retry=retry,
        timeout=timeout,
        tolerate=tolerate,
        arity=arity,
        resources=resources,
    )
    if id is not None and not isinstance(id, str):
        raise UsageError(f"id={id!r} is no text")
    if only_failed and id is None:
        raise UsageError("only_failed needs the id of the run whose items failed")
    place = root_of(root, Path.cwd())
    return BatchRun(
        Plan(
            new_id() if id is None else checked_id(id),
            _source(items, split),
            reference(function, "the function", place),
            None if reduce is None else reference(reduce, "the reduce", place),
            _initial(initial, reduce),
            options,
            place,
            executor or load_settings().executor,
            store,
            only_failed,
            is_watched() if progress is None else progress,
        )
    )


def map_reduce(items: Any, *, map: Function, reduce: Function, **options: Any) -> Any:
    """Call a function for each item and combine the results; gives what they come to.

        total = agentflow.map_reduce(range(1_000_000), map=square, reduce=sum)

    It takes the options of `map`, and is the same as `map(items, function, reduce=…).result()`.

    Raises:
        ExecutionFailed: more items failed than are tolerated, or the reduce did.
        ExecutionCancelled: somebody cancelled it.
        UsageError: an argument is wrong, or workers could not import a function.
        Unavailable: Ray or the journal cannot be reached; what is recorded stays.
    """
    return _start(items, map, reduce=reduce, **options).result()


def map_async(items: Any, function: Function, **options: Any) -> BatchRun:
    """`map` for coroutines: `async for` gives results as they come, `await` all of them."""
    return _start(items, function, **options)


async def map_reduce_async(items: Any, *, map: Function, reduce: Function, **options: Any) -> Any:
    """`map_reduce` for coroutines: the event loop goes on meanwhile."""
    return await _start(items, map, reduce=reduce, **options)


_start = map


def _source(items: Any, split: Split) -> Source:
    if isinstance(items, (str, Path)):
        return files_source(str(items), split)
    if split is not None:
        raise UsageError("split says how files become items; these items are no files")
    if isinstance(items, range):
        return Range(items)
    if is_dataset(items):
        return Blocks(items)
    is_array = type(items).__module__ == "numpy" and getattr(items, "ndim", 0) > 0
    if isinstance(items, (list, tuple)) or is_array:
        return InMemory(items)
    if isinstance(items, Iterable) and not isinstance(items, (bytes, bytearray)):
        return Stream(items)
    raise UsageError(
        f"items are of type {type(items).__name__}",
        help="give a list, a range, a generator, a Ray Dataset, or a path or URL of files",
    )


def _initial(given: Json | _Unset, reduce: Function | None) -> dict[str, Json] | None:
    if isinstance(given, _Unset):
        return None
    if reduce is None:
        raise UsageError("initial is for a reduce, and there is none")
    try:
        return pack(given, path="initial")
    except Fault as fault:
        raise InputError(fault.message) from fault
