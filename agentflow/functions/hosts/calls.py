"""One request to a host, from its payload to a value or a named error.

A payload is what compiled workflows send:

    {"function": "functions.text.count", "arguments": {…}, "execution": "…", "step": "counts[3]"}

with `attempt` and `workflow` where the cloud can tell them, and with `key` for an agent's instance.
With `batch` or `reduce` instead of `arguments` it asks for many calls, see `many`. Only functions
that the host was made for are called. Everything else a payload may ask goes to the host's helper,
if it has one.
"""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from agentflow.errors import Fault, Json
from agentflow.functions.agents import PREFIX
from agentflow.functions.capture import Redirection
from agentflow.functions.context import Context
from agentflow.functions.encoding import as_doubles, decode
from agentflow.functions.hosts import many
from agentflow.functions.invoke import Outcome, Stream, invoke, prepare
from agentflow.functions.suggestions import did_you_mean

if TYPE_CHECKING:
    from agentflow.functions.hosts.agents import Agents

WriteLine = Callable[[str], None]
"""Takes one line of the host's log, without its end."""


class Helper(Protocol):
    """What answers requests that are not single calls: what a cloud's language cannot compute."""

    def answer(self, payload: dict[str, Json], context: Context) -> Json:
        """The answer to a payload without `function`.

        Raises:
            Fault: a named error.
        """
        ...

    def fill(self, template: Json, names: dict[str, Json]) -> Json:
        """The value of a template as a spec has it.

        Raises:
            Fault: a named error.
        """
        ...

    def outcomes(self, where: Json) -> Mapping[int, Json]:
        """The outcomes of a map's items, by their indexes, that are stored somewhere.

        Raises:
            Fault: a named error.
        """
        ...


@dataclass(frozen=True, slots=True)
class Setting:
    """What a host knows before there is a request."""

    functions: Collection[str]
    """Import paths that may be called."""
    root: str
    """The folder they are imported from."""
    workflow: str = ""
    secrets: tuple[str, ...] = ()
    """Names that functions may ask their context for."""


class Host:
    """Answers payloads, one at a time or from several threads.

    It writes one JSON object per line for whatever functions print or log, and for failures:
    `{"timestamp", "level", "message", "execution", "step", "attempt", "function", …}`.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        helper: Helper | None = None,
        agents: Agents | None = None,
        write: WriteLine | None = None,
    ) -> None:
        self._setting = setting
        self._helper = helper
        self._agents = agents
        self._write = write or lines_to(sys.stdout)
        Redirection.begin()

    def close(self) -> None:
        """Give the standard streams back."""
        Redirection.end()

    def answer(
        self,
        payload: Json,
        *,
        deadline: float | None = None,
        request: str = "",
        check: Callable[[Json], None] | None = None,
    ) -> Json:
        """The value that a payload asks for.

        `deadline` is in Unix seconds; `request` is the cloud's own id, for the log. `check` may
        refuse the value of an item of a batch, by raising Fault.

        Raises:
            Fault: the call failed, by a named error.
        """
        payload = as_doubles(payload)
        context = self._context(payload, deadline)
        if "function" not in payload:
            return self._helping("names no function").answer(payload, context)
        function = str(payload["function"])

        def call(arguments: Json, context: Context) -> Json:
            return self._value(function, payload.get("key"), arguments, context, request)

        def checked(arguments: Json, context: Context) -> Json:
            value = call(arguments, context)
            if check is not None:
                check(value)
            return value

        match payload:
            case {"batch": dict(asked)}:
                helper = self._helping("asks for a batch")
                return many.batch(asked, context, checked, helper.fill)
            case {"reduce": dict(asked)}:
                helper = self._helping("asks for a reduce")
                found = helper.outcomes(asked["results"])
                # What is combined on the way stays here, however large it is.
                return many.reduced(asked, found, context, call, helper.fill)
        return call(payload.get("arguments"), context)

    def _helping(self, what: str) -> Helper:
        if self._helper is None:
            raise Fault(
                "InvalidInput", f"the payload {what}, and this host makes single calls only"
            )
        return self._helper

    def _value(
        self, function: str, key: Json, arguments: Json, context: Context, request: str
    ) -> Json:
        """The value of one call."""
        outcome = self._call(function, key, arguments, context)
        if outcome.error is not None:
            self._tell_failure(outcome, function, context, request)
            error = outcome.error
            raise Fault(error["name"], error["message"], data=error["data"], cause=error["cause"])
        return decode(outcome.value or b"null")

    def _context(self, payload: Json, deadline: float | None) -> Context:
        if not isinstance(payload, dict):
            raise Fault("InvalidInput", "the payload is not a JSON object")
        attempt = payload.get("attempt", 1)
        return Context(
            execution_id=str(payload.get("execution", "local")),
            workflow=str(payload.get("workflow", self._setting.workflow)),
            step=str(payload.get("step", "")),
            attempt=attempt if isinstance(attempt, int) else 1,
            deadline=deadline,
            secrets=self._setting.secrets,
        )

    def _call(self, function: str, key: Json, arguments: Json, context: Context) -> Outcome:
        if function not in self._setting.functions:
            near = did_you_mean(function, self._setting.functions)
            raise Fault(
                "FunctionNotFound",
                f"`{function}` is not among the functions of this host{near}",
                data={"function": function},
            )
        given = {} if arguments is None else arguments

        def printed(line: str) -> None:
            self._log("INFO", line, function, context)

        if self._agents is not None and function.startswith(PREFIX):
            return self._agents.call(function, key, given, context, printed=printed)
        root = self._setting.root
        if _gives_values(function, root):
            return _all_values(Stream(function, root, given, context, printed=printed))
        return invoke(function, root, given, context, printed=printed)

    def _tell_failure(
        self, outcome: Outcome, function: str, context: Context, request: str
    ) -> None:
        assert outcome.error is not None
        message = f"{outcome.error['name']}: {outcome.error['message']}"
        more = {"error": outcome.error["name"], "trace": outcome.trace or [], "request": request}
        self._log("ERROR", message, function, context, **more)

    def _log(self, level: str, message: str, function: str, context: Context, **more: Json) -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        line = {
            "timestamp": f"{stamp}.{int(now * 1000) % 1000:03d}Z",
            "level": level,
            "message": message,
            "execution": context.execution_id,
            "step": context.step,
            "attempt": context.attempt,
            "function": function,
            **{key: value for key, value in more.items() if value},
        }
        self._write(json.dumps(line, ensure_ascii=False))


def lines_to(stream: TextIO) -> WriteLine:
    """Writes lines to a stream of the process, also while the stream belongs to a call."""
    out = getattr(stream, "original", None) or stream

    def write(line: str) -> None:
        out.write(line + "\n")
        out.flush()

    return write


def _gives_values(function: str, root: str) -> bool:
    """Whether a function gives its values one by one: a pipeline's source."""
    try:
        target = inspect.unwrap(prepare(function, root).function)
    except Fault:
        return False  # the call will say so
    return inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)


def _all_values(stream: Stream) -> Outcome:
    """A stream as the list of its values: where there is no engine, nobody takes them singly."""
    values: list[bytes] = []
    elapsed = 0.0
    try:
        while (outcome := stream.next()) is not None:
            if outcome.error is not None:
                return outcome
            values.append(outcome.value or b"null")
            elapsed += outcome.elapsed
    finally:
        stream.close()
    return Outcome(b"[" + b",".join(values) + b"]", elapsed=elapsed)
