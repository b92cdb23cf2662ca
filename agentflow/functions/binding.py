"""From a JSON object of arguments to the parameters of a function, checked and converted."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agentflow.errors import Fault, Json
from agentflow.functions.context import Context
from agentflow.functions.conversion import Converter, Problems, converter, is_record
from agentflow.functions.suggestions import did_you_mean

_SHOWN = 3
"""Problems written out in the message; all of them are in the data."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How arguments reach a function; made once for each."""

    name: str
    parameters: Mapping[str, Converter | None]
    required: tuple[str, ...]
    positional: tuple[str, ...]
    """Names of positional-only parameters, in order."""
    context: str | None
    """The parameter that receives the context."""
    record: str | None
    """The only parameter, if it may take the arguments as its fields."""
    open: bool
    """Whether there is a `**` parameter."""

    def bind(self, arguments: Json, context: Context) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The positional and keyword arguments to call the function with.

        Raises:
            Fault: `InvalidInput`; its data lists `{path, problem}` of all that is wrong.
        """
        if not isinstance(arguments, dict):
            raise _invalid(self.name, [{"path": "", "problem": "the arguments are not an object"}])
        if self.record is not None and self._is_fields(arguments):
            arguments = {self.record: arguments}
        problems: Problems = []
        self._compare_names(arguments, problems)
        values = {}
        for name, value in arguments.items():
            convert = self.parameters.get(name)
            values[name] = value if convert is None else convert(value, name, problems)
        if problems:
            raise _invalid(self.name, problems)
        if self.context is not None:
            values[self.context] = context
        if not self.positional:
            return (), values
        return tuple(values.pop(n) for n in self.positional if n in values), values

    def _is_fields(self, arguments: dict[str, Json]) -> bool:
        if self.record in arguments:
            return False
        return bool(arguments) or self.record in self.required

    def _compare_names(self, arguments: dict[str, Json], problems: Problems) -> None:
        if not self.open and not arguments.keys() <= self.parameters.keys():
            for name in arguments:
                if name not in self.parameters:
                    near = did_you_mean(name, self.parameters)
                    problems.append({"path": name, "problem": f"unknown argument{near}"})
        for name in self.required:
            if name not in arguments:
                problems.append({"path": name, "problem": "missing argument"})


def plan(function: Callable[..., Any]) -> Plan:
    """Read a function's signature and annotations.

    Raises:
        Fault: `InvalidInput`, if Python cannot tell its parameters.
    """
    name = getattr(function, "__qualname__", type(function).__name__)
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        if isinstance(function, type) or inspect.isbuiltin(function):
            return Plan(name, {}, (), (), None, None, open=True)
        raise _invalid(name, [{"path": "", "problem": "its parameters cannot be read"}]) from None
    hints = _hints(function)
    parameters: dict[str, Converter | None] = {}
    required: list[str] = []
    positional: list[str] = []
    context: str | None = None
    is_open = False
    for parameter in signature.parameters.values():
        hint = hints.get(parameter.name, parameter.annotation)
        if parameter.kind is parameter.VAR_KEYWORD:
            is_open = True
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            if parameter.kind is parameter.POSITIONAL_ONLY:
                positional.append(parameter.name)
            if _takes_context(parameter, hint):
                context = parameter.name
                continue
            unchecked = hint is parameter.empty
            parameters[parameter.name] = None if unchecked else converter(hint)
            if parameter.default is parameter.empty:
                required.append(parameter.name)
    only = next(iter(parameters)) if len(parameters) == 1 and not is_open else None
    if only is not None and not is_record(hints.get(only)):
        only = None
    return Plan(name, parameters, tuple(required), tuple(positional), context, only, is_open)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations as objects; one that names what exists for type checkers only is left out."""
    target = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004  # its annotations, not whether it is there
    target = inspect.unwrap(target)
    try:
        return typing.get_type_hints(target, include_extras=True)
    except Exception:  # noqa: BLE001  # evaluating annotations runs the user's code
        annotations = getattr(target, "__annotations__", {})
        return {name: hint for name, hint in annotations.items() if not isinstance(hint, str)}


def _takes_context(parameter: inspect.Parameter, hint: Any) -> bool:
    if hint is Context or Context in typing.get_args(hint):
        return True
    if isinstance(hint, str):
        return hint.rpartition(".")[2] == "Context"
    return parameter.name == "context" and hint is parameter.empty


def _invalid(name: str, problems: Problems) -> Fault:
    said = "; ".join(
        f"{p['path']}: {p['problem']}" if p["path"] else p["problem"] for p in problems[:_SHOWN]
    )
    more = f" (and {len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
    return Fault("InvalidInput", f"{name}() cannot take its arguments: {said}{more}", data=problems)
