"""The command line: arguments in, a result on stdout, everything else on stderr.

`verbs` is the table of what there is; each verb's function lives in the module the table names
and is imported when the verb is used. Rules that hold for every verb:

- stdout carries the result and nothing else; with `--json`, exactly one JSON object.
- The exit code follows the outcome; the table of codes is in `exits`.
- A user's mistake gives one clear error, never a traceback.
"""

from __future__ import annotations

import codecs
import io
import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line on `sys.argv` and leave with its exit code.

    Help and version are answered from the table of verbs alone: reading arguments costs an import
    of a tenth of a second, which the two most typed commands need not pay.
    """
    from agentflow.cli import verbs

    if isinstance(sys.stdout, io.TextIOWrapper):  # what it cannot write is no reason to fail
        codecs.register_error("agentflow-escape", _escaped)
        sys.stdout.reconfigure(errors="agentflow-escape")
    arguments = sys.argv[1:]
    match arguments:
        case [] | ["--help" | "-h" | "help"]:
            sys.stdout.write(verbs.overview())
        case ["--version" | "-V"]:
            sys.stdout.write(f"agentflow {verbs.version()}\n")
        case ["--help" | "-h" | "help", verb]:
            sys.exit(_dispatched([verb, "--help"]))
        case _:
            sys.exit(_dispatched(arguments))
    sys.exit(0)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Characters that an output does not take, as JSON writes them: a result stays JSON."""
    from json import dumps

    assert isinstance(error, UnicodeEncodeError)
    return dumps(error.object[error.start : error.end])[1:-1], error.end


def _dispatched(arguments: list[str]) -> int:
    try:
        from agentflow.runtime.garbage import Relaxed

        Relaxed.begin()  # imports make some hundred thousand objects and drop next to none
        from agentflow.cli.dispatch import dispatch
    except KeyboardInterrupt:
        return 130
    return dispatch(arguments)
