"""A project's own functions in the place of Lambda functions and service actions."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from uuid import uuid4

from agentflow.adapters.aws.asl.simulate.handlers import TaskCall, TaskError, received
from agentflow.adapters.aws.asl.values import text
from agentflow.adapters.aws.tasks import Work
from agentflow.adapters.aws.tasks.words import meant
from agentflow.errors import Fault, Json, UsageError
from agentflow.functions.binding import Plan
from agentflow.functions.context import Context
from agentflow.functions.invoke import Prepared, call_prepared, prepare
from agentflow.spec.signatures import find_root

Printed = Callable[[str, str], None]
"""Gets the name of a state, and a line that its function printed."""


class Parameters(NamedTuple):
    """What a function takes."""

    names: tuple[str, ...]
    required: tuple[str, ...]
    is_record: bool
    """Whether its only parameter may be given by its fields."""


class Functions:
    """The public functions of a module, or of a package's modules, by their names."""

    def __init__(self, root: Path, paths: Mapping[str, str], printed: Printed) -> None:
        self._root = str(root)
        self._paths = paths
        """Import paths by name."""
        self._printed = printed

    @classmethod
    def of(cls, module: str, near: Path, printed: Printed = lambda *_: None) -> Functions:
        """The functions of a module: an import path in the project of the file `near`, or a file.

        Raises:
            UsageError: it cannot be imported.
        """
        root, name = _located(module, near)
        loaded = _load(name, root)
        return cls(root, dict(_public(loaded, root)), printed)

    @property
    def paths(self) -> Mapping[str, str]:
        """Import paths by name."""
        return self._paths

    def path_for(self, name: str) -> str | None:
        """The import path of the function that a Lambda function or an action means."""
        found = meant(name, self._paths)
        return None if found is None else self._paths[found]

    def parameters_of(self, path: str) -> Parameters:
        """The parameters of a function.

        Raises:
            UsageError: it cannot be imported, or read.
        """
        try:
            plan = prepare(path, self._root).plan
        except Fault as fault:
            raise UsageError(f"--functions: {fault.message}") from None
        return Parameters(tuple(plan.parameters), plan.required, plan.record is not None)

    def find(self, call: TaskCall) -> Work | None:
        """What does the work of a call: the function its resource means."""
        resource = call.resource
        name = call.function or f"{resource.name} {resource.action}"
        path = self.path_for(name)
        return None if path is None else lambda: self._answer(path, call)

    def _answer(self, path: str, call: TaskCall) -> Json:
        value = self.call(path, call.arguments, execution=call.execution, state=call.state)
        if call.callback is not None:
            call.callback.succeed(value)
        return value

    def call(self, path: str, event: Json, *, execution: str, state: str) -> Json:
        """Call a function with an event, whole or as keyword arguments.

        Raises:
            TaskError: the function failed; the cause is what Lambda reports.
        """
        try:
            arguments = _arguments(prepare(path, self._root).plan, event)
        except Fault as fault:
            raise _failed(fault.value(), []) from None
        lines: list[str] = []  # told when the call is over: until then its output is captured
        outcome = call_prepared(
            lambda: _as_lambda(prepare(path, self._root)),
            self._root,
            arguments,
            Context(execution, step=state),
            printed=lines.append,
        )
        for line in lines:
            self._printed(state, line)
        if outcome.error is not None:
            raise _failed(outcome.error, outcome.trace or [])
        return json.loads(outcome.value or b"null")


def _as_lambda(prepared: Prepared) -> Prepared:
    """The function with results like those of a Lambda function: bytes are sent as they are."""

    def call(*positional: Any, **named: Any) -> Any:
        result = prepared.function(*positional, **named)
        return _awaited(result) if inspect.isawaitable(result) else _sent(result)

    return replace(prepared, function=call)


async def _awaited(result: Awaitable[Any]) -> Any:
    return _sent(await result)


def _sent(result: Any) -> Any:
    return received(result) if isinstance(result, bytes) else result


def _arguments(plan: Plan, event: Json) -> dict[str, Json]:
    """The event as keyword arguments; whole for a function with one parameter that is no key."""
    names = list(plan.parameters)
    whole = len(names) == 1 and (not isinstance(event, dict) or names[0] not in event)
    if plan.record is not None and isinstance(event, dict):
        whole = False  # its fields are the event's
    if whole or names == ["event"]:
        return {names[0]: event}
    return event if isinstance(event, dict) else {"event": event}


def _failed(error: Json, trace: list[dict[str, Json]]) -> TaskError:
    report = {
        "errorMessage": error["message"],
        "errorType": error["name"],
        "requestId": str(uuid4()),
        "stackTrace": [f"{at['file']}:{at['line']} in {at['function']}" for at in trace],
    }
    return TaskError(error["name"], text(report))


def _located(module: str, near: Path) -> tuple[Path, str]:
    """The root to import from, and the import path."""
    file = Path(module)
    if not module.endswith(".py") and "/" not in module:
        return find_root(near), module
    if not file.exists():
        raise UsageError(
            f"--functions: there is no file {module}",
            help="name a Python file, or a module by its import path: functions.orders",
        )
    root = find_root(file).resolve()
    whole = file.resolve().with_suffix("")
    parts = whole.relative_to(root).parts if whole.is_relative_to(root) else ()
    if not parts or not all(part.isidentifier() for part in parts):
        return whole.parent, whole.name
    return root, ".".join(parts)


def _load(name: str, root: Path) -> ModuleType:
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(
                f"--functions: there is no module {name} in {root}",
                help="name a Python file, or a module by its import path: functions.orders",
            ) from None
        raise _broken(name, error) from error
    except BaseException as error:  # a module may do anything while it is imported, sys.exit too
        if isinstance(error, KeyboardInterrupt):
            raise
        raise _broken(name, error) from error


def _broken(name: str, error: BaseException) -> UsageError:
    return UsageError(
        f"--functions: module {name} cannot be imported: {type(error).__name__}: {error}",
        help=f"python -c 'import {name}' shows where",
    )


def _public(module: ModuleType, root: Path) -> Iterator[tuple[str, str]]:
    """Names and import paths of the functions that a module defines; of all in a package."""
    for each in pkgutil.iter_modules(getattr(module, "__path__", ())):
        yield from _public(_load(f"{module.__name__}.{each.name}", root), root)
    for name, value in vars(module).items():
        if name.startswith("_") or isinstance(value, type) or not callable(value):
            continue
        if getattr(value, "__module__", None) == module.__name__:
            yield name, f"{module.__name__}.{name}"
