"""Every error AgentFlow raises on purpose, and the places they point at.

    AgentFlowError              one clear message, a code, an exit code
    ├── UsageError              the command or call was wrong                      exit 2
    ├── SpecError               a spec has mistakes; carries all of them           exit 3
    ├── InputError              an input does not match the workflow's schema      exit 3
    ├── NotFound                no such execution, workflow or step                exit 5
    ├── Conflict                an id or an execution is taken                     exit 5
    ├── NotAllowed              a cloud does not let us: credentials, permissions  exit 6
    ├── Unavailable             Ray, a database or a library cannot be reached     exit 7
    ├── ExecutionFailed         an execution ended with an error                   exit 1
    └── ExecutionCancelled      an execution was cancelled                         exit 1
    Fault                       a named error *inside* an execution; workflows can catch it

This module imports only the standard library: it ships with the functions to every cloud.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""A JSON value: null, bool, int within ±(2^53-1), finite float, str, list, dict with str keys."""

MAX_INTEGER = 2**53 - 1
"""The largest integer every engine represents exactly (I-JSON, RFC 7493)."""


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a spec file: lines and columns count from 1, the end column is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake in a spec: what, where, why, and what to do about it."""

    code: str
    """Stable code such as `AF101`; `docs/reference/diagnostics.md` has an entry for each."""
    message: str
    span: Span
    label: str = ""
    """A few words printed after the caret: the reason, at the place."""
    help: str = ""
    """What to do, for instance ``did you mean `load`?``."""


class AgentFlowError(Exception):
    """An error with one clear message for the person who can fix it."""

    code = "AF000"
    exit_code = 70
    _help = ""

    def __init__(self, message: str, *, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help

    @property
    def help(self) -> str:
        """What to do about it; a traceback ends with it."""
        return self._help

    @help.setter  # noqa: A003  # nobody wants that builtin here
    def help(self, words: str) -> None:
        others = [note for note in getattr(self, "__notes__", ()) if note != self._note]
        self._help = words
        self.__notes__ = [self._note, *others] if words else others

    @property
    def _note(self) -> str:
        return f"help: {self._help}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(kind: type[AgentFlowError], args: tuple[Any, ...], state: dict[str, Any]) -> Any:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(AgentFlowError):
    """The command or the call was used wrongly."""

    code = "AF002"
    exit_code = 2


class SpecError(AgentFlowError):
    """A spec has mistakes; `diagnostics` holds all of them, in the order of the file."""

    code = "AF003"
    exit_code = 3

    def __init__(
        self,
        diagnostics: list[Diagnostic],
        *,
        source: str = "",
        sources: dict[str, str] | None = None,
    ) -> None:
        first = diagnostics[0]
        more = f" (and {len(diagnostics) - 1} more)" if len(diagnostics) > 1 else ""
        super().__init__(f"{first.span}: {first.message}{more}", help=first.help)
        self.diagnostics = diagnostics
        self.source = source
        self.sources = sources or {first.span.file: source}
        """The text of each file that diagnostics point into."""


class InputError(AgentFlowError):
    """The input of an execution does not match the workflow's input schema."""

    code = "AF004"
    exit_code = 3


class NotFound(AgentFlowError):
    """There is no such execution, workflow or step."""

    code = "AF005"
    exit_code = 5


class Conflict(AgentFlowError):
    """An id is taken with another input, or an execution is owned by a live process."""

    code = "AF006"
    exit_code = 5


class NotAllowed(AgentFlowError):
    """There are no credentials, or they do not allow what was asked."""

    code = "AF014"
    exit_code = 6


class Unavailable(AgentFlowError):
    """Ray, a database, or an optional library cannot be reached."""

    code = "AF007"
    exit_code = 7


class ExecutionFailed(AgentFlowError):
    """An execution ended with an error; `error` is its value, `id` the execution."""

    code = "AF008"
    exit_code = 1

    def __init__(self, id: str, error: Json) -> None:
        super().__init__(f"{error['name']}: {error['message']}")
        self.id = id
        self.error = error


class ExecutionCancelled(AgentFlowError):
    """An execution was cancelled before it ended; `id` is the execution."""

    code = "AF009"
    exit_code = 1

    def __init__(self, id: str, reason: str = "") -> None:
        super().__init__(f"execution {id} was cancelled" + (f": {reason}" if reason else ""))
        self.id = id
        self.reason = reason


class Fault(Exception):
    """A named error inside an execution, as workflows see it: `{name, message, data, cause}`."""

    def __init__(
        self, name: str, message: str, *, data: Json = None, cause: Json | None = None
    ) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message
        self.data = data
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"

    def value(self) -> dict[str, Json]:
        """The error as the JSON value that `catch … as` binds."""
        return {
            "name": self.name,
            "message": self.message,
            "data": self.data,
            "cause": self.cause,
        }


def fault_value(name: str, message: str, data: Json = None, cause: Json = None) -> dict[str, Json]:
    """The JSON value of an error, without raising it."""
    return {"name": name, "message": message, "data": data, "cause": cause}
