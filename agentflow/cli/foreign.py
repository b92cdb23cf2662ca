"""Workflows in the language of a cloud: running them here (`run --from`), and `import`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from uuid import uuid4

from cyclopts import Parameter

from agentflow.cli import exits, inputs, terminal, text
from agentflow.cli.options import AsJson, Symbol
from agentflow.errors import SpecError, UsageError

if TYPE_CHECKING:
    from agentflow.adapters.aws.asl.simulate import HistoryEvent, Outcome, TaskHandler
    from agentflow.adapters.aws.imports import Lookup
    from agentflow.errors import Json

LANGUAGES: Final = ("aws",)
"""What `--from` takes."""

_STATUSES: Final = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "failed",
    "ABORTED": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Manner:
    """How a definition is run, and told."""

    functions: str | None = None
    """A module whose functions do the work."""
    stubs: str | None = None
    """A file with answers."""
    symbols: tuple[str, ...] = ()
    """Values for symbols, each as `NAME=VALUE`."""
    real_time: bool = False
    as_json: bool = False
    quiet: bool = False


def check_language(name: str) -> None:
    """Refuse a language that cannot be read.

    Raises:
        UsageError: it is not known.
    """
    if name not in LANGUAGES:
        listed = ", ".join(LANGUAGES)
        raise UsageError(f"--from: `{name}` cannot be read", help=f"what can be read: {listed}")


def run(file: str, language: str, given: str | None, manner: Manner) -> int:
    """Run a definition as its cloud would, and report how it ended."""
    check_language(language)
    from agentflow.adapters.aws.asl.read import load, unfilled
    from agentflow.adapters.aws.asl.simulate import simulate
    from agentflow.adapters.aws.tasks.siblings import Siblings, machine_name
    from agentflow.functions.capture import Redirection
    from agentflow.spec.diagnostics import in_order

    machine = load(file, symbols=_symbols(manner.symbols))
    if needed := [each.diagnostic() for each in unfilled(machine)]:
        raise SpecError(in_order(needed), source=Path(file).read_text(encoding="utf-8"))
    data = {} if given is None else inputs.read(given, of="--input")
    handler = _handler(file, manner)
    name, execution = machine_name(file), str(uuid4())
    watch = None if manner.quiet else _Watch()
    if watch is not None:
        pace = "real time" if manner.real_time else "virtual time"
        terminal.note(f"{name}  simulated as on AWS Step Functions, in {pace}")
    Redirection.begin()  # what functions print is not the result
    try:
        outcome = simulate(
            machine,
            data,
            handler,
            machines=Siblings(file),
            time="real" if manner.real_time else "virtual",
            name=execution,
            machine_name=name,
            watch=watch,
        )
    finally:
        Redirection.end()
    return _report(name, execution, outcome, manner)


def import_(
    file: Annotated[str, Parameter(name="FILE", help="A definition: JSON or YAML.")],
    /,
    *,
    from_: Annotated[
        str, Parameter(name="--from", metavar="aws", help="The cloud whose language it is in.")
    ],
    out: Annotated[
        Path | None,
        Parameter(metavar="SPEC", show_default=False, help="Where to write the workflow."),
    ] = None,
    functions: Annotated[
        str | None,
        Parameter(
            metavar="MODULE",
            show_default=False,
            help="A module or file whose functions are called instead of Lambda functions.",
        ),
    ] = None,
    symbol: Symbol = None,
    as_json: AsJson = False,
) -> int:
    """Read a definition of a cloud as a workflow, and write it as YAML.

    What has no place in a workflow is refused, all of it at once. Expressions that are not surely
    the same in our language stay as they are and are evaluated as the cloud does.
    """
    check_language(from_)
    from agentflow.adapters.aws.asl.read import load
    from agentflow.adapters.aws.imports import import_machine
    from agentflow.adapters.aws.tasks.siblings import machine_name
    from agentflow.spec.load import loads
    from agentflow.spec.write import to_yaml

    machine = load(file, symbols=_symbols(tuple(symbol or ())))
    lookup = _lookup(functions, Path(file))
    source = Path(file).read_text(encoding="utf-8")
    imported = import_machine(machine, machine_name(file), functions=lookup, source=source)
    written = to_yaml(imported.workflow)
    loads(written, path=str(out or f"{imported.workflow.name}.yaml"))  # what can never work
    if out is not None:
        terminal.write(out, written)
    for note in imported.notes:
        terminal.note(f"note: {note}")
    if as_json:
        terminal.result_json(
            {
                "workflow": imported.workflow.name,
                "files": [] if out is None else [str(out)],
                "text": written,
                "notes": list(imported.notes),
            }
        )
    elif out is None:
        terminal.result(written.rstrip("\n"))
    return exits.OK


def _symbols(given: tuple[str, ...]) -> dict[str, str]:
    """Values by the names of their symbols."""
    found: dict[str, str] = {}
    for each in given:
        name, there, value = each.partition("=")
        if not there or not name:
            raise UsageError(
                f"--symbol: `{each}` gives no symbol a value",
                help="write --symbol NAME=VALUE for `${NAME}`",
            )
        found[name] = value
    return found


def _lookup(module: str | None, near: Path) -> Lookup:
    """Finds the functions of a module."""
    from agentflow.adapters.aws.imports import Mapped
    from agentflow.adapters.aws.tasks.functions import Functions

    if module is None:
        return lambda _: None
    functions = Functions.of(module, near)

    def find(name: str) -> Mapped | None:
        path = functions.path_for(name)
        if path is None:
            return None
        found = functions.parameters_of(path)
        return Mapped(path) if found.is_record else Mapped(path, found.names, found.required)

    return find


def _handler(file: str, manner: Manner) -> TaskHandler:
    from agentflow.adapters.aws.tasks import Finder, chain
    from agentflow.adapters.aws.tasks.functions import Functions
    from agentflow.adapters.aws.tasks.stubs import Stubs

    finders: list[Finder] = []
    if manner.stubs is not None:
        finders.append(Stubs.load(manner.stubs).find)
    if manner.functions is not None:
        finders.append(Functions.of(manner.functions, Path(file), _printed).find)
    return chain(*finders, note=lambda said: terminal.note(f"note: {said}"))


def _printed(state: str, line: str) -> None:
    terminal.note(terminal.paint(f"{state} │ {line}", "dim"))


class _Watch:
    """Writes a line for each state that is entered, and for each failed piece of work."""

    def __init__(self) -> None:
        self._began: float | None = None

    def __call__(self, event: HistoryEvent) -> None:
        self._began = event.at if self._began is None else self._began
        words = _told(event)
        if words:
            after = text.duration(event.at - self._began)
            terminal.note(f"{'+' + after:>8} {words}")


_TELLING: Final = ("TaskFailed", "LambdaFunctionFailed", "ActivityFailed", "TaskTimedOut")


def _told(event: HistoryEvent) -> str:
    if event.type.endswith("StateEntered"):
        kind = event.type.removesuffix("StateEntered")
        return f"{event.details['name']}  {terminal.paint(kind, 'dim')}"
    if event.type in _TELLING or event.type.endswith("FunctionTimedOut"):
        told = _reason(event.details.get("cause"))
        return f"  {terminal.paint(str(event.details['error']), 'red')}{told}"
    return ""


def _reason(cause: Json) -> str:
    """A cause for a person; of what Lambda reports, the message and where it came from."""
    if not cause:
        return ""
    try:
        report = json.loads(cause)
        told, trace = str(report["errorMessage"]), report.get("stackTrace") or []
    except (ValueError, TypeError, KeyError):
        told, trace = str(cause), []
    where = f"  ({trace[-1].strip()})" if trace else ""
    return f": {text.printable(told)}{where}"


def _report(name: str, execution: str, outcome: Outcome, manner: Manner) -> int:
    error = _error(outcome)
    status = _STATUSES[outcome.status]
    if error is not None:
        named = error["name"] or "an error without a name"
        terminal.note(f"\nerror[AF008]: {named}{_reason(error['message'])}")
    if error is not None or not manner.quiet:
        color: terminal.Style = "green" if status == "succeeded" else "red"
        took = text.duration(outcome.ended_at - outcome.started_at)
        terminal.note(f"\n{terminal.paint(status.capitalize(), color)} in {took} · {execution}")
    if manner.as_json:
        terminal.result_json(
            {
                "id": execution,
                "workflow": name,
                "version": None,
                "status": status,
                "output": outcome.output,
                "error": error,
                "started_at": text.stamp(outcome.started_at),
                "ended_at": text.stamp(outcome.ended_at),
            }
        )
    elif error is None:
        terminal.output(outcome.output)
    return exits.OK if status == "succeeded" else exits.FAILED


def _error(outcome: Outcome) -> dict[str, Json] | None:
    if outcome.status == "SUCCEEDED":
        return None
    name, message = outcome.error, outcome.cause
    told = {"Status": outcome.status, "Error": name, "Cause": message}  # as the service has them
    if outcome.status == "TIMED_OUT":
        name, message = "States.Timeout", "the execution took longer than its TimeoutSeconds"
    return {"name": name, "message": message or "", "data": told, "cause": None}
