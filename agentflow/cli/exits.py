"""Exit codes, and errors as the line of text and the JSON object they become."""

from __future__ import annotations

import sys

from agentflow.cli import terminal
from agentflow.errors import AgentFlowError, Json, SpecError

OK = 0
FAILED = 1
USAGE = 2
INVALID = 3
INEXPRESSIBLE = 4
MISSING = 5
NOT_ALLOWED = 6
UNREACHABLE = 7
BUG = 70
INTERRUPTED = 130

MEANINGS: dict[int, str] = {
    OK: "done: succeeded, valid, or detached",
    FAILED: "the execution failed or was cancelled by someone else",
    USAGE: "wrong usage",
    INVALID: "invalid spec or input, for every verb that reads one",
    INEXPRESSIBLE: "the target cannot express the workflow",
    MISSING: "not found, or conflict (an id already used with other input)",
    NOT_ALLOWED: "not allowed: a cloud's credentials are missing or do not suffice",
    UNREACHABLE: "Ray, the database or a cloud cannot be reached, or a library is missing",
    BUG: "a bug in AgentFlow; the message names a report file",
    INTERRUPTED: "Ctrl-C",
}
"""Every code a verb can end with. An `AgentFlowError` carries its own."""


def error_json(code: str, message: str, advice: str = "") -> dict[str, Json]:
    """An error without a place, in the shape all errors have under `--json`."""
    return {
        "code": code,
        "message": message,
        "file": None,
        "line": None,
        "column": None,
        "help": advice,
    }


def as_json(error: AgentFlowError) -> dict[str, Json]:
    """What `--json` prints for an error: `error` is the first, `errors` has all of a spec's."""
    if isinstance(error, SpecError):
        from agentflow.spec import diagnostics

        every = diagnostics.as_json(error.diagnostics)
        return {"error": every[0], "errors": every}
    return {"error": error_json(error.code, error.message, error.help)}


def as_text(error: AgentFlowError) -> str:
    """What a person reads: all mistakes of a spec with their excerpts, else one message."""
    if isinstance(error, SpecError):
        from agentflow.spec import diagnostics

        color = terminal.coloured(sys.stderr)
        return diagnostics.render(error.diagnostics, error.sources, color=color)
    lines = [f"error[{error.code}]: {error.message}"]
    if error.help:
        lines.append(f"  help: {error.help}")
    return "\n".join(lines)
