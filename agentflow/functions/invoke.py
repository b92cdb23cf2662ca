"""One call of a function, from JSON arguments to a JSON result or an error's value.

Whatever the function does, the outcome is a value: exceptions of every kind, `sys.exit`,
results that are not JSON. Only the death of the process is left to whoever watches it.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from agentflow.errors import Fault, Json
from agentflow.functions.binding import Plan, plan
from agentflow.functions.capture import captured
from agentflow.functions.context import Context, entered
from agentflow.functions.encoding import encode
from agentflow.functions.failures import Stopped, error_value, user_frames
from agentflow.functions.resolve import resolve

if TYPE_CHECKING:
    import asyncio


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: `value`, JSON bytes, or else `error` and the user's frames in `trace`."""

    value: bytes | None = None
    error: dict[str, Json] | None = None
    trace: list[dict[str, Json]] | None = None
    elapsed: float = 0.0
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A function that is imported, with the plan of its arguments."""

    function: Callable[..., Any]
    plan: Plan
    is_async: bool
    """Whether it is a coroutine function, which may run beside others in one event loop."""


def _ignore(line: str) -> None:
    del line


@lru_cache(maxsize=4096)
def prepare(function: str, root: str) -> Prepared:
    """Import a function and read its signature, once.

    Raises:
        Fault: `FunctionNotFound`.
    """
    target = resolve(function, root)
    unwrapped = inspect.unwrap(target)
    is_async = inspect.iscoroutinefunction(unwrapped) or inspect.iscoroutinefunction(
        getattr(unwrapped, "__call__", None)  # noqa: B004  # an instance with an async __call__
    )
    return Prepared(target, plan(target), is_async)


def is_async(function: str, root: str) -> bool:
    """Whether a call is to be awaited; false for one that cannot be imported and will say so."""
    try:
        return prepare(function, root).is_async
    except Fault:
        return False


def invoke(
    function: str,
    root: str,
    arguments: Json,
    context: Context,
    *,
    printed: Callable[[str], None] = _ignore,
) -> Outcome:
    """Call a function and wait for it; a coroutine runs in an event loop of its own.

    `printed` receives each line that the function prints or logs.

    Raises:
        Stopped: the call was interrupted from outside; nothing else is ever raised.
    """
    return call_prepared(lambda: prepare(function, root), root, arguments, context, printed=printed)


def call_prepared(
    find: Callable[[], Prepared],
    root: str,
    arguments: Json,
    context: Context,
    *,
    printed: Callable[[str], None],
) -> Outcome:
    """Like `invoke`, for whatever `find` gives; what it raises is the call's failure."""
    began = time.perf_counter()
    try:
        with entered(context), captured(printed):
            prepared = find()
            positional, named = prepared.plan.bind(arguments, context)
            result = prepared.function(*positional, **named)
            if inspect.isawaitable(result):
                import asyncio  # a cloud's host starts faster without it, and few functions await

                result = asyncio.run(_completed(result))
            value = encode(result)
    except Stopped:
        raise
    except BaseException as error:  # noqa: BLE001  # the function may raise anything at all
        return _failed(error, root, began)
    return Outcome(value, elapsed=time.perf_counter() - began)


async def invoke_async(
    function: str,
    root: str,
    arguments: Json,
    context: Context,
    *,
    printed: Callable[[str], None] = _ignore,
) -> Outcome:
    """Like `invoke`, for a coroutine function, in the running event loop.

    Raises:
        asyncio.CancelledError: the task was cancelled from outside.
    """
    return await call_prepared_async(
        lambda: prepare(function, root), root, arguments, context, printed=printed
    )


async def call_prepared_async(
    find: Callable[[], Prepared],
    root: str,
    arguments: Json,
    context: Context,
    *,
    printed: Callable[[str], None],
) -> Outcome:
    """Like `invoke_async`, for whatever `find` gives; what it raises is the call's failure."""
    import asyncio  # it is there: a loop is running

    began = time.perf_counter()
    try:
        with entered(context), captured(printed):
            prepared = find()
            positional, named = prepared.plan.bind(arguments, context)
            value = encode(await prepared.function(*positional, **named))
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return _failed(error, root, began)  # the function raised it by itself
    except BaseException as error:  # noqa: BLE001  # the function may raise anything at all
        return _failed(error, root, began)
    return Outcome(value, elapsed=time.perf_counter() - began)


async def _completed(result: Awaitable[Any]) -> Any:
    return await result


def _failed(error: BaseException, root: str, began: float) -> Outcome:
    return Outcome(
        error=error_value(error),
        trace=user_frames(error, root),
        elapsed=time.perf_counter() - began,
    )


class Stream:
    """A call whose function gives its values one by one: a generator, or a list.

    `next()` gives the next value as an outcome; `None` is the end. An outcome with an error is
    the last. Values that the journal already has are skipped.
    """

    def __init__(
        self,
        function: str,
        root: str,
        arguments: Json,
        context: Context,
        *,
        skip: int = 0,
        printed: Callable[[str], None] = _ignore,
    ) -> None:
        self._root = root
        self._context = context
        self._printed = printed
        self._skip = skip
        self._values: Iterator[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._call = (function, arguments)
        self._index = 0

    def next(self) -> Outcome | None:
        """Run the function up to its next value.

        Raises:
            Stopped: the call was interrupted from outside.
        """
        began = time.perf_counter()
        try:
            with entered(self._context), captured(self._printed):
                if self._values is None:
                    self._values = self._open()
                for value in self._values:
                    self._index += 1
                    if self._index > self._skip:
                        encoded = encode(value, path=f"value {self._index - 1}")
                        return Outcome(encoded, elapsed=time.perf_counter() - began)
                return None
        except Stopped:
            raise
        except BaseException as error:  # noqa: BLE001  # the function may raise anything at all
            return _failed(error, self._root, began)

    def close(self) -> None:
        """Let go of the generator; its `finally` blocks run."""
        with entered(self._context), captured(self._printed):
            try:
                if isinstance(self._values, Iterator) and hasattr(self._values, "close"):
                    self._values.close()
                if self._loop is not None:
                    self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            except Stopped:
                raise
            except BaseException:  # noqa: BLE001, S110  # nobody waits for the function any more
                pass
            finally:
                if self._loop is not None:
                    self._loop.close()

    def _open(self) -> Iterator[Any]:
        function, arguments = self._call
        prepared = prepare(function, self._root)
        positional, named = prepared.plan.bind(arguments, self._context)
        result = prepared.function(*positional, **named)
        if inspect.isawaitable(result):
            result = self._run(_completed(result))
        if isinstance(result, AsyncIterator):
            return self._pull(result)
        if isinstance(result, (list, tuple, Iterator)):
            return iter(result)
        raise Fault(
            "InvalidOutput",
            f"result is of type {type(result).__name__}, a stream needs values one by one; "
            "make the function a generator (`yield`) or return a list",
        )

    def _pull(self, source: AsyncIterator[Any]) -> Iterator[Any]:
        while True:
            try:
                value = self._run(_completed(anext(source)))
            except StopAsyncIteration:
                return
            yield value

    def _run(self, work: Any) -> Any:
        if self._loop is None:
            import asyncio  # see `call_prepared`

            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(work)
