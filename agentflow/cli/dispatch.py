"""From arguments to an exit code: parse, run the verb, report whatever goes wrong."""

from __future__ import annotations

import difflib
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError, MissingArgumentError, UnusedCliTokensError

from agentflow.cli import exits, in_job, terminal, verbs
from agentflow.errors import AgentFlowError, UsageError

if TYPE_CHECKING:
    from cyclopts.help.protocols import HelpFormatter


def application(*, helps: bool = True) -> App:
    """The parser, made from the table of verbs; a verb's module is imported when it is used.

    One that does not help starts sooner: what writes help is an eighth of what cyclopts imports.
    """
    app = App(
        name="agentflow",
        version_flags=[],
        help_format="plaintext",
        help_formatter=_formatter() if helps else None,
        print_error=False,
        exit_on_error=False,
        verbose=False,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for verb in verbs.every():
        usage = f"Usage: agentflow {verb.name} [OPTIONS] {verb.arguments}".rstrip()
        app.command(verb.target, name=verb.name, usage=usage)
    return app


def _formatter() -> HelpFormatter:
    from agentflow.cli.helping import Formatter

    return Formatter()


def dispatch(arguments: list[str]) -> int:
    """Run one command line and give its exit code."""
    wants_json = "--json" in arguments[: [*arguments, "--"].index("--")]
    try:
        in_job.settle(arguments[0])
        _check_verb(arguments[0])
        helps = not {"--help", "-h"}.isdisjoint(arguments)
        code = application(helps=helps)(arguments)
    except CycloptsError as error:
        return _refuse(_usage(error, arguments[0]), wants_json=wants_json)
    except AgentFlowError as error:
        return _refuse(error, wants_json=wants_json)
    except KeyboardInterrupt:
        return _interrupted(wants_json=wants_json)
    except Exception as error:  # noqa: BLE001 - the last resort, so that no traceback escapes
        return _bug(error, arguments, wants_json=wants_json)
    return code if isinstance(code, int) else exits.OK


def _check_verb(word: str) -> None:
    """Refuse an unknown verb here: the parser would import every verb to describe its choices."""
    names = [verb.name for verb in verbs.every()]
    if word not in names:
        near = difflib.get_close_matches(word, names, n=1)
        advice = f"did you mean `agentflow {near[0]}`?" if near else "agentflow --help"
        raise UsageError(f"there is no verb `{word}`", help=advice)


def _usage(error: CycloptsError, verb: str) -> UsageError:
    if isinstance(error, UnusedCliTokensError):
        message = f"too many arguments: {' '.join(error.unused_tokens or ())}"
    elif isinstance(error, MissingArgumentError) and error.argument is not None:
        name = error.argument.name
        is_given = error.keyword is not None
        message = f"{name} needs a value" if is_given else f"`agentflow {verb}` needs {name}"
    else:
        message = str(error).strip()
    return UsageError(message, help=f"agentflow {verb} --help")


def _refuse(error: AgentFlowError, *, wants_json: bool) -> int:
    error = in_job.from_outside(error)
    terminal.note(exits.as_text(error))
    if wants_json:
        terminal.result_json(exits.as_json(error))
    return error.exit_code


def _interrupted(*, wants_json: bool) -> int:
    terminal.note("Interrupted.")
    if wants_json:
        terminal.result_json({"error": exits.error_json("AF130", "interrupted")})
    return exits.INTERRUPTED


def _bug(error: Exception, arguments: list[str], *, wants_json: bool) -> int:
    report = _write_report(error, arguments)
    message = f"AgentFlow met a situation it does not understand: {type(error).__name__}: {error}"
    advice = f"this is a bug; {report} has what is needed to find it"
    terminal.note(f"error[AF000]: {message}\n  help: {advice}")
    if wants_json:
        terminal.result_json({"error": exits.error_json("AF000", message, advice)})
    return exits.BUG


def _write_report(error: Exception, arguments: list[str]) -> Path:
    """Put the traceback where the user can find it: beside the journal, else in a new file."""
    name = f"bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    words = "\n".join(
        [
            f"agentflow {verbs.version()}, Python {sys.version.split()[0]} on {sys.platform}",
            f"arguments: {arguments}",
            "",
            "".join(traceback.format_exception(error)),
        ]
    )
    for folder in (Path(".agentflow"), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(exist_ok=True)
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(words)
        except OSError:
            continue
        return folder / name
    return Path(os.devnull)
