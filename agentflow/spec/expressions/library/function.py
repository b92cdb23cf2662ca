"""What an entry of the library is, and how it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from agentflow.errors import Fault, Json
from agentflow.spec.expressions.limits import Frame, check_items, check_text, measure, weight
from agentflow.spec.expressions.types import (
    ListOf,
    Type,
    accepts,
    count,
    describe,
    kind_of,
    phrase,
)

Cost: TypeAlias = Literal["constant", "items", "parts"]
"""What a call's time grows with: nothing, the arguments' own items, or all of their parts."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; arguments are given by position."""

    name: str
    type: Type
    optional: bool = False
    variadic: bool = False
    """Stands for one argument or more."""

    def __str__(self) -> str:
        shown = f"{self.name}, …" if self.variadic else self.name
        return f"[{shown}]" if self.optional else shown


@dataclass(frozen=True, slots=True)
class Example:
    """An expression without free names, and the JSON text of its value or a fault's name."""

    source: str
    result: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method of the library: its types, its meaning, its implementation."""

    name: str
    parameters: tuple[Parameter, ...]
    result: Type
    apply: Callable[..., Json]
    """Takes the receiver (of a method) and the arguments; pure, but for `recorded` ones."""
    doc: str
    """The meaning, in one line."""
    example: Example
    errors: str = ""
    """When which fault is raised, apart from `TypeMismatch` for arguments of other types."""
    receiver: Type | None = None
    """What a method is called on; `None` for functions."""
    family: str = ""
    """The heading it stands under in the reference."""
    infer: Callable[[Sequence[Type]], Type] | None = None
    """A closer result type from the types of receiver and arguments."""
    cost: Cost = "items"
    recorded: bool = False
    """`apply` takes the scope's `Recorded` first."""

    @property
    def kind(self) -> Literal["function", "method"]:
        """Whether it is called as `name(x)` or as `x.name()`."""
        return "function" if self.receiver is None else "method"

    @property
    def signature(self) -> str:
        """How it is written: `round(number, [digits])`, `string.split([separator])`."""
        inside = ", ".join(map(str, self.parameters))
        before = "" if self.receiver is None else f"{self.receiver}."
        return f"{before}{self.name}({inside})"

    @property
    def fewest(self) -> int:
        """How many arguments it needs."""
        return sum(not parameter.optional for parameter in self.parameters)

    def takes(self, number: int) -> bool:
        """Whether it can be called with so many arguments."""
        variadic = any(parameter.variadic for parameter in self.parameters)
        return self.fewest <= number and (variadic or number <= len(self.parameters))

    def parameter(self, position: int) -> Parameter:
        """The parameter that the argument at a position is for."""
        return self.parameters[min(position, len(self.parameters) - 1)]


Define: TypeAlias = Callable[..., Function]


def family(name: str, receiver: Type | None = None) -> Define:
    """A constructor of functions of one family (or of methods of one receiver)."""
    return partial(Function, family=name, receiver=receiver)


def arguments(number: int) -> str:
    """`no arguments`, `1 argument`, `2 arguments`."""
    return count(number, "argument") if number else "no arguments"


def invoke(function: Function, values: list[Json], frame: Frame) -> Json:
    """Call a function with its receiver and arguments; checks types, counts steps.

    Raises:
        Fault: whatever the function's `errors` say, `TypeMismatch`, `LimitExceeded`.
    """
    _check(function, values)
    frame.spend(1 + _cost(function, values))
    result = _apply(function, values, frame)
    kind = type(result)
    if kind is str:
        check_text(len(result))
    elif kind is list:
        check_items(len(result))
    if function.cost != "constant":
        frame.spend(weight(result) >> 2)
    return result


def _apply(function: Function, values: list[Json], frame: Frame) -> Json:
    if not function.recorded:
        return function.apply(*values)
    recorded = frame.scope.recorded
    if recorded is None:
        raise Fault("InvalidInput", f"`{function.name}` has no value outside an execution")
    return function.apply(recorded, *values)


def _cost(function: Function, values: list[Json]) -> int:
    match function.cost:
        case "constant":
            return 0
        case "items":
            return sum(map(weight, values)) >> 2
        case "parts":
            return sum(map(measure, values))


def _check(function: Function, values: list[Json]) -> None:
    own = function.receiver is not None
    if own and not accepts(_some(function.receiver), values[0]):
        raise Fault("TypeMismatch", _needs(function, "", _some(function.receiver), values[0]))
    for position, value in enumerate(values[own:]):
        parameter = function.parameter(position)
        if not accepts(parameter.type, value):
            message = _needs(function, f" as `{parameter.name}`", parameter.type, value)
            raise Fault("TypeMismatch", message)


def _some(kind: Type | None) -> Type:
    assert kind is not None
    return kind


def _needs(function: Function, where: str, kind: Type, value: Json) -> str:
    return f"`{function.name}` needs {phrase(kind)}{where}, got {_offender(kind, value)}"


def _offender(kind: Type, value: Json) -> str:
    """What is wrong with a value: the first item of a list that has another type, or the value."""
    if isinstance(kind, ListOf) and type(value) is list:
        for index, item in enumerate(value):
            if not accepts(kind.item, item):
                return f"a list with {_offender(kind.item, item)} at index {index}"
    return describe(value)


def method(overloads: Mapping[str, Function], receiver: Json) -> Function:
    """The method of a name for a receiver's type.

    Raises:
        Fault: `TypeMismatch` when values of that type have no such method.
    """
    found = overloads.get(kind_of(receiver))
    if found is not None:
        return found
    name = next(iter(overloads.values())).name
    owners = " and ".join(f"{owner}s" for owner in overloads)
    raise Fault("TypeMismatch", f"`.{name}` is a method of {owners}, got {describe(receiver)}")


def invalid(message: str) -> Fault:
    """The fault of an argument that has the right type and cannot be used."""
    return Fault("InvalidInput", message)
