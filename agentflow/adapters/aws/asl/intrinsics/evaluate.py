"""Evaluate calls of intrinsic functions."""

from __future__ import annotations

from agentflow.adapters.aws.asl import jsonpath
from agentflow.adapters.aws.asl.errors import EvaluationError
from agentflow.adapters.aws.asl.intrinsics import java
from agentflow.adapters.aws.asl.intrinsics.functions import (
    FUNCTIONS,
    ArgumentError,
    Chance,
    format_text,
    math_random,
    random_uuid,
)
from agentflow.adapters.aws.asl.intrinsics.syntax import Argument, Call, Text
from agentflow.adapters.aws.asl.jsonpath import Data, Path
from agentflow.errors import Json


def evaluate(call: Call, data: Data, chance: Chance) -> Json:
    """The value of a call.

    Raises:
        EvaluationError: a path leads nowhere, or an argument does not fit the function; the text
            names the whole call, whichever of those inside it failed.
    """
    try:
        return _result(call, data, chance)
    except ArgumentError as error:
        raise EvaluationError(
            f"The function '{call.text}' had the following error: {error}"
        ) from None


def _result(call: Call, data: Data, chance: Chance) -> Json:
    arguments = [_value(argument, data, chance) for argument in call.arguments]
    try:
        match call.name:
            case "Format":
                return _format(call, arguments)
            case "UUID":
                return random_uuid(chance)
            case "MathRandom":
                return math_random(chance, *arguments)
            case name:
                return FUNCTIONS[name](*arguments)
    except (ArgumentError, OverflowError) as error:
        detail = f": {error}" if isinstance(error, ArgumentError) and str(error) else ""
        raise ArgumentError(f"Invalid arguments in States.{call.name}{detail}") from None
    except RecursionError:
        raise ArgumentError(
            f"Invalid arguments in States.{call.name}: the data is nested too deeply"
        ) from None


def _format(call: Call, arguments: list[Json]) -> str:
    template, *values = call.arguments
    written = [
        # Parsed JSON stays JSON within text; everything else is written as Java does.
        java.json_text(value) if _is_parsed(argument) else java.written(value)
        for argument, value in zip(values, arguments[1:], strict=True)
    ]
    return format_text(template.raw if isinstance(template, Text) else arguments[0], written)


def _is_parsed(argument: Argument) -> bool:
    return isinstance(argument, Call) and argument.name == "StringToJson"


def _value(argument: Argument, data: Data, chance: Chance) -> Json:
    if isinstance(argument, Call):
        return _result(argument, data, chance)
    if not isinstance(argument, Path):
        return argument.value
    try:
        return jsonpath.find(argument, data)
    except jsonpath.InapplicableError:
        raise ArgumentError(
            f"The JsonPath argument for the field '{argument.text}' could not be found in the "
            f"input '{data.quoted(argument.root)}'"
        ) from None
