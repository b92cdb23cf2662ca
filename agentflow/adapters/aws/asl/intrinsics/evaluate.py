"""Evaluate calls of intrinsic functions."""

from __future__ import annotations

from agentflow.adapters.aws.asl import jsonpath
from agentflow.adapters.aws.asl.errors import EvaluationError
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
from agentflow.adapters.aws.asl.values import spaced
from agentflow.errors import Json


def evaluate(call: Call, data: Data, chance: Chance) -> Json:
    """The value of a call.

    Raises:
        EvaluationError: a path leads nowhere, or an argument does not fit the function.
    """
    arguments = [_value(argument, data, chance) for argument in call.arguments]
    try:
        if call.name == "Format":
            template = call.arguments[0]
            raw = template.raw if isinstance(template, Text) else arguments[0]
            return format_text(raw, arguments[1:])
        if call.name == "UUID":
            return random_uuid(chance)
        if call.name == "MathRandom":
            return math_random(chance, *arguments)
        return FUNCTIONS[call.name](*arguments)
    except ArgumentError as error:
        raise EvaluationError(
            f"The function '{call.text}' had the following error: {error}"
        ) from None


def _value(argument: Argument, data: Data, chance: Chance) -> Json:
    if isinstance(argument, Call):
        return evaluate(argument, data, chance)
    if not isinstance(argument, Path):
        return argument.value
    try:
        return jsonpath.find(argument, data)
    except jsonpath.MissingError:
        source = data.context if argument.root == "$$" else data.input
        raise EvaluationError(
            f"The JsonPath argument for the field '{argument.text}' could not be found in the "
            f"input '{spaced(source)}'"
        ) from None
