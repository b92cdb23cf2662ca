"""One agent's object in this process: made by its first call, called, and its state taken.

Whoever holds an instance bounds how many calls run in it; calls come from any thread.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agentflow.errors import Fault, Json
from agentflow.functions.agents import HOOKS, is_call
from agentflow.functions.binding import plan
from agentflow.functions.capture import captured
from agentflow.functions.context import Context
from agentflow.functions.encoding import decode, encode
from agentflow.functions.failures import Stopped, error_value
from agentflow.functions.invoke import Outcome, Prepared, call_prepared, call_prepared_async
from agentflow.functions.resolve import resolve
from agentflow.functions.suggestions import did_you_mean


@dataclass(frozen=True, slots=True)
class AgentState:
    """What `snapshot()` gave, as JSON, and after how many calls in all."""

    version: int
    value: bytes


class Instance:
    """The object of an agent: `reference` is the import path of its class.

    Each call is made by `run` or `run_async`, and then `ended`, which takes the state.
    """

    def __init__(self, agent: str, reference: str, root: str) -> None:
        self._agent = agent
        self._reference = reference
        self._root = root
        self._lock = threading.RLock()
        self._object: Any = None
        self._is_made = False
        self._methods: dict[str, Prepared] = {}
        self._version = 0
        self._running = 0

    def is_async(self, method: str) -> bool:
        """Whether a method is to be awaited; false for one that is not there and will say so."""
        try:
            found = getattr(resolve(self._reference, self._root), method, None)
        except Fault:
            return False
        return inspect.iscoroutinefunction(inspect.unwrap(found)) if callable(found) else False

    def run(
        self,
        method: str,
        arguments: Json,
        context: Context,
        known: AgentState | None,
        *,
        printed: Callable[[str], None],
    ) -> Outcome:
        """Call a method and wait for it; `known` is the last state that is recorded.

        Raises:
            Stopped: the call was interrupted from outside.
        """
        find = self._begin(method, known)
        return call_prepared(find, self._root, arguments, context, printed=printed)

    async def run_async(
        self,
        method: str,
        arguments: Json,
        context: Context,
        known: AgentState | None,
        *,
        printed: Callable[[str], None],
    ) -> Outcome:
        """Like `run`, for a coroutine method, in the running event loop.

        Raises:
            asyncio.CancelledError: the task was cancelled from outside.
        """
        find = self._begin(method, known)
        return await call_prepared_async(find, self._root, arguments, context, printed=printed)

    def ended(
        self, outcome: Outcome, *, printed: Callable[[str], None]
    ) -> tuple[Outcome, AgentState | None]:
        """How a call ended, and the state after it, if the agent keeps one.

        A state that cannot be recorded is a failure of the call.
        """
        with self._lock:
            self._running -= 1
            if not self._is_made:
                return outcome, None
            self._version += 1
            if not hasattr(self._object, HOOKS[0]):
                return outcome, None
            try:
                with captured(printed):
                    value = encode(self._object.snapshot(), path="the state")
            except Stopped:
                raise
            except BaseException as error:  # noqa: BLE001  # the user's code runs in there
                return Outcome(error=self._no_state(error), trace=[], elapsed=outcome.elapsed), None
            return outcome, AgentState(self._version, value)

    def _begin(self, method: str, known: AgentState | None) -> Callable[[], Prepared]:
        with self._lock:
            is_alone = self._running == 0
            self._running += 1
        return lambda: self._prepared(method, known, is_alone=is_alone)

    def _prepared(self, method: str, known: AgentState | None, *, is_alone: bool) -> Prepared:
        """The method, on an object that is made and no older than what is recorded.

        It is older when another instance of the same key served calls meanwhile, elsewhere. While
        other calls run in it, nothing is put under them.
        """
        with self._lock:
            if not self._is_made:
                self._make(known)
            elif known is not None and known.version > self._version and is_alone:
                self._restore(self._object, known)
            if method not in self._methods:
                self._methods[method] = self._find(method)
            return self._methods[method]

    def _make(self, known: AgentState | None) -> None:
        target = resolve(self._reference, self._root)
        try:
            made = target()
        except Stopped:
            raise
        except BaseException as error:
            raise self._not_started(error) from error
        if known is not None:
            self._restore(made, known)
        self._object, self._is_made = made, True

    def _restore(self, target: Any, known: AgentState) -> None:
        try:
            target.restore(decode(known.value))
        except Stopped:
            raise
        except BaseException as error:
            raise self._not_started(error, " from its recorded state") from error
        self._version = known.version

    def _find(self, method: str) -> Prepared:
        found = getattr(self._object, method, None)
        if not callable(found) or not is_call(method):
            near = did_you_mean(method, filter(is_call, dir(self._object)))
            raise Fault("FunctionNotFound", f"agent {self._agent} has no method {method!r}{near}")
        return Prepared(found, plan(found), inspect.iscoroutinefunction(inspect.unwrap(found)))

    def _not_started(self, error: BaseException, where: str = "") -> Fault:
        cause = error_value(error)
        return Fault(
            "AgentNotStarted",
            f"agent {self._agent} cannot start{where}: {cause['name']}: {cause['message']}",
            cause=cause,
        )

    def _no_state(self, error: BaseException) -> dict[str, Json]:
        cause = error_value(error)
        said = cause["message"] if isinstance(error, Fault) else f"{cause['name']}: {error}"
        name = error.name if isinstance(error, Fault) else "InvalidOutput"
        message = f"agent {self._agent} cannot give its state after the call: {said}"
        return Fault(name, message, cause=cause).value()
