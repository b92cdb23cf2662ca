"""Put values into templates: payload templates (JSONPath) and values with `{% %}` (JSONata)."""

from __future__ import annotations

from agentflow.adapters.aws.asl import intrinsics, jsonata, jsonpath
from agentflow.adapters.aws.asl.errors import QUERY, EvaluationError, MalformedError
from agentflow.adapters.aws.asl.intrinsics import Chance
from agentflow.adapters.aws.asl.jsonata import Scope
from agentflow.adapters.aws.asl.jsonpath import Data
from agentflow.adapters.aws.asl.values import Absent
from agentflow.errors import Json


def payload(template: Json, data: Data, chance: Chance) -> Json:
    """A payload template with the values of its `.$` fields.

    Raises:
        EvaluationError: a path leads nowhere, or an intrinsic function fails.
    """
    if isinstance(template, list):
        return [payload(item, data, chance) for item in template]
    if not isinstance(template, dict):
        return template
    return {
        key.removesuffix(".$"): payload(value, data, chance)
        if not key.endswith(".$")
        else value_of(key, value, data, chance)
        for key, value in template.items()
    }


def value_of(field: str, expression: str, data: Data, chance: Chance) -> Json:
    """What a path or a call in a field gives.

    Raises:
        EvaluationError: it leads nowhere, or fails; the text names the field.
    """
    if expression.startswith("States."):
        return call(expression, data, chance)
    try:
        path = jsonpath.parse(expression)
        if path.root == "$" and data.input is None:
            raise EvaluationError("Unable to apply Path transformation to null or empty input.")
        return jsonpath.find(path, data)
    except MalformedError as error:
        raise _malformed(expression, error) from None
    except jsonpath.BeyondError:
        return None
    except jsonpath.InapplicableError:
        root = "$$" if expression.startswith("$$") else "$"
        raise EvaluationError(
            f"The JSONPath '{expression}' specified for the field '{field}' could not be found in "
            f"the input '{data.quoted(root)}'"
        ) from None


def call(expression: str, data: Data, chance: Chance) -> Json:
    """The value of a call of an intrinsic function.

    Raises:
        EvaluationError: it is not well formed, or fails.
    """
    try:
        return intrinsics.evaluate(intrinsics.parse(expression), data, chance)
    except MalformedError as error:
        raise _malformed(expression, error) from None


def look(path: str, data: Data, chance: Chance) -> Json:
    """What the path of a field such as `InputPath` or `SecondsPath` names.

    Raises:
        EvaluationError: it leads nowhere.
    """
    if path.startswith("States."):
        return call(path, data, chance)
    try:
        return jsonpath.find(path, data)
    except MalformedError as error:
        raise _malformed(path, error) from None
    except jsonpath.BeyondError:
        return None
    except jsonpath.InapplicableError as error:
        raise EvaluationError(f"Invalid path '{path}' : {error}") from None


def refer(path: str, data: Data, chance: Chance) -> Json:
    """What a reference path names: that of `ItemsPath`.

    Raises:
        StateError: there is no such place in the input.
        EvaluationError: a path that is none leads nowhere.
    """
    try:
        reference = jsonpath.is_reference(jsonpath.parse(path))
    except MalformedError:
        reference = False
    return jsonpath.follow(path, data.input) if reference else look(path, data, chance)


def _malformed(path: str, error: MalformedError) -> EvaluationError:
    """A path that could not be checked, because it held a symbol of the deployment."""
    return EvaluationError(f"Invalid path '{path}' : {error.message}")


def resolve(template: Json, scope: Scope, field: str) -> Json:
    """A value with the results of its expressions; `field` is how errors call it.

    Raises:
        EvaluationError: an expression fails or is undefined.
    """
    if isinstance(template, dict):
        return {key: resolve(item, scope, f"{field}/{key}") for key, item in template.items()}
    if isinstance(template, list):
        return [resolve(item, scope, f"{field}[{n}]") for n, item in enumerate(template)]
    expression = jsonata.expression_in(template)
    if expression is None:
        return template
    value = jsonata.evaluate(expression, field, scope)
    if isinstance(value, Absent):
        raise EvaluationError(
            f"The JSONata expression '{expression}' specified for the field '{field}' returned "
            "nothing (undefined).",
            QUERY,
        )
    return value
