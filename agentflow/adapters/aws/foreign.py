"""What an imported state machine says that our expressions do not: evaluated as the service does.

Imported workflows call these functions by their import path, so they run wherever functions run.
Compiling for AWS passes them through: `NATIVE` tells what each becomes there.

    - id: chosen
      call: agentflow.adapters.aws.foreign.jsonata
      with:
        template: "{% $sum($states.input.prices) %}"
        states: {input: "${ data }"}
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from agentflow.adapters.aws import reading
from agentflow.adapters.aws.asl import choice, timestamps
from agentflow.adapters.aws.asl import jsonpath as paths
from agentflow.adapters.aws.asl import template as templates
from agentflow.adapters.aws.asl.errors import (
    ITEM_READER,
    QUERY,
    RUNTIME,
    EvaluationError,
    StateError,
)
from agentflow.adapters.aws.asl.jsonata import Scope
from agentflow.adapters.aws.asl.jsonpath import Data
from agentflow.adapters.aws.asl.values import kind, text
from agentflow.errors import Fault, Json
from agentflow.functions.context import Context

MODULE: Final = __name__
NATIVE: Final[Mapping[str, str]] = {
    f"{MODULE}.jsonata": "a Pass with `template` as Output; `states` and `variables` as they are",
    f"{MODULE}.jsonpath": "a Pass with `template` as Parameters; `data` is its input",
    f"{MODULE}.put": "a Pass with `path` as ResultPath",
    f"{MODULE}.choose": "a Choice with these rules",
    f"{MODULE}.seconds": "JSONata that checks the Seconds of a Wait",
    f"{MODULE}.moment": "JSONata that checks the Timestamp of a Wait",
    f"{MODULE}.whole": "JSONata that checks a whole number",
    f"{MODULE}.percentage": "JSONata that checks a percentage",
    f"{MODULE}.task": "a Task with this Resource and these Arguments",
    f"{MODULE}.activity": "a Task with this Resource, together with the `listen` after it",
    f"{MODULE}.items": "the ItemReader of the map after it",
    f"{MODULE}.map_run": "the fields of the distributed Map after it",
    f"{MODULE}.map_result": "the result of the distributed Map before it",
    f"{MODULE}.evaluate": "an invocation of the bundle's helper",
}
"""For the compiler: each function of this module, and what it means on the service."""

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
EVALUATING = threading.Lock()
"""The JSONata evaluator keeps its state in the process."""


def jsonata(
    template: Json, states: dict[str, Any], context: Context, variables: Json = None
) -> Json:
    """The value of a template with `{% … %}`; `states` is `$states`.

    Raises:
        Fault: `States.QueryEvaluationError`.
    """
    names = {**(variables or {}), "states": states}
    try:
        with EVALUATING:
            return templates.resolve(
                template, Scope(names, time.time(), _chance(context)), "Output"
            )
    except EvaluationError as error:
        raise Fault(error.name, error.detail) from None


def jsonpath(
    template: Json,
    data: Json,
    context: Context,
    around: Json = None,
    variables: Json = None,
) -> Json:
    """The value of a payload template; `around` is the context object.

    Raises:
        Fault: `States.Runtime`.
    """
    try:
        return templates.payload(
            template, Data(data, around or {}, variables or {}), _chance(context)
        )
    except EvaluationError as error:
        raise Fault(error.name, error.detail) from None


def put(path: str, value: Json, data: Json) -> Json:
    """`data` with a value at a reference path.

    Raises:
        Fault: `States.ReferencePathConflict`.
    """
    try:
        return paths.put(path, value, data)
    except StateError as error:
        raise Fault(error.name or RUNTIME, error.cause or "") from None


def choose(
    rules: list[Json], data: Json, context: Context, around: Json = None, variables: Json = None
) -> int | None:
    """The number of the first rule that applies, from 0; rules are those of a Choice state.

    A rule with a `Condition` is JSONata, any other JSONPath.

    Raises:
        Fault: a path leads nowhere, or a condition is no boolean.
    """
    for index, rule in enumerate(rules):
        if "Condition" in rule:
            states = {"input": data, "context": around or {}}
            held = jsonata(rule["Condition"], states, context, variables)
            if not isinstance(held, bool):
                raise Fault(QUERY, f"rule {index} gave {kind(held)}: {text(held)}")
        else:
            try:
                held = choice.holds(rule, Data(data, around or {}, variables or {}))
            except EvaluationError as error:
                raise Fault(error.name, error.detail) from None
        if held:
            return index
    return None


def seconds(value: Json, language: str = "JSONPath") -> int:
    """The seconds of a Wait state, which are whole and not negative.

    Raises:
        Fault: they are not.
    """
    return _whole(value, language, "the seconds to wait")


def whole(value: Json, language: str = "JSONPath") -> int:
    """The value of a field that is a whole number from 0 on.

    Raises:
        Fault: it is none.
    """
    return _whole(value, language, "the value")


def _whole(value: Json, language: str, what: str) -> int:
    number = _number(value, language)
    if number is None or not number.is_integer():
        raise Fault(_wrong(language), f"{what} cannot be read as a whole number: {text(value)}")
    if number < 0:
        raise Fault(_wrong(language), f"{what} is negative: {text(value)}")
    return int(number)


def percentage(value: Json, language: str = "JSONPath") -> float:
    """The value of a field that is a number from 0 to 100.

    Raises:
        Fault: it is none.
    """
    number = _number(value, language)
    if number is None or not 0 <= number <= 100:
        raise Fault(_wrong(language), f"the value is no percentage: {text(value)}")
    return number


def _number(value: Json, language: str) -> float | None:
    """A number; of a path it may be written as a text."""
    if isinstance(value, str):
        return float(value) if language == "JSONPath" and _NUMBER.fullmatch(value) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None


def _wrong(language: str) -> str:
    return RUNTIME if language == "JSONPath" else QUERY


def moment(value: Json, language: str = "JSONPath") -> str:
    """The time that a Wait state waits for, in UTC.

    Raises:
        Fault: it is none.
    """
    found = timestamps.parse(value)
    if found is None:
        raise Fault(
            _wrong(language), f"this is no time with a date, a `T` and a zone: {text(value)}"
        )
    return timestamps.render(found)


def task(
    resource: str,
    arguments: Json = None,
    heartbeat: Json = None,  # noqa: ARG001 -- only the service hears them
    missed: Json = None,  # noqa: ARG001 -- as `heartbeat`
    credentials: Json = None,  # noqa: ARG001 -- only the service has roles
) -> Json:
    """Work that only AWS does; here it fails, whatever the arguments.

    With `heartbeat`, the service ends it where nobody says for so many seconds that it goes on;
    `missed` is the name of that error, where it is not that of other timeouts. `credentials` has
    the role that the work is done with.

    Raises:
        Fault: `NotMapped`, always.
    """
    raise Fault(
        "NotMapped",
        f"{resource} runs on AWS only: call a function of yours in this step, or import the state "
        "machine with --functions MODULE that has one of this name",
        data={"resource": resource, "arguments": arguments},
    )


def activity(
    resource: str, arguments: Json = None, heartbeat: Json = None, missed: Json = None
) -> None:
    """Work that waits for whoever polls it on AWS; here there is nothing but the answer."""


def items(
    resource: str, arguments: Json = None, config: Json = None, most: int | None = None
) -> list[Json]:
    """The items that an ItemReader names, read from S3; `config` is its ReaderConfig.

    `most` is how many of them are wanted; 0 is all.

    Raises:
        Fault: `States.ItemReaderFailed`.
    """
    if most is not None and most < 0:
        raise Fault(ITEM_READER, "field MaxItems must be positive")
    try:
        found = reading.read(resource, arguments or {}, config or {})
    except StateError as error:
        raise Fault(error.name or ITEM_READER, error.cause or "") from None
    except EvaluationError as error:
        raise Fault(error.name, error.detail) from None
    return found[:most] if most else found


def map_run(
    state: dict[str, Json],
    data: Json,
    context: Context,
    *,
    around: Json = None,
    variables: Json = None,
    language: str = "JSONPath",
) -> dict[str, Json]:
    """The `inputs` of a distributed map's children, and what `map_result` needs `after` them.

    `state` has the fields of the Map: `ItemReader`, `ItemSelector`, `ItemBatcher`, `ResultWriter`
    and what it tolerates.

    Raises:
        Fault: `States.ItemReaderFailed`, or a field has no value that it can have.
    """
    from agentflow.adapters.aws import runs  # heavier than what most functions here need

    seen = runs.Sight(
        language, data, around or {}, variables or {}, now=time.time(), chance=_chance(context)
    )
    try:
        return runs.begun(state, seen)
    except StateError as error:
        raise Fault(error.name or ITEM_READER, error.cause or "") from None
    except EvaluationError as error:
        raise Fault(error.name, error.detail) from None


def map_result(
    after: dict[str, Json], children: list[Json], context: Context, inputs: Json = None
) -> Json:
    """The result of a distributed map: the outputs of its children, or where they are written.

    A child gives `{output}`, or `{failed: {Status, Error, Cause}}`.

    Raises:
        Fault: `States.ExceedToleratedFailureThreshold` or `States.ResultWriterFailed`.
    """
    from agentflow.adapters.aws import runs  # heavier than what most functions here need

    try:
        return runs.ended(after, children, inputs or [], context)
    except StateError as error:
        raise Fault(error.name or RUNTIME, error.cause or "") from None


def evaluate(templates: dict[str, Json], names: dict[str, Json], context: Context) -> Json:
    """Values of templates in our own language, which JSONata could not compute.

    Raises:
        Fault: as the expressions in them do.
    """
    from agentflow.adapters.bundle.helper import Helper

    return Helper().answer({"evaluate": templates, "names": names}, context)


def _chance(context: Context) -> random.Random:
    """Random numbers that are the same when a call is made again."""
    return random.Random(context.idempotency_key)  # noqa: S311 -- repeatable, no secret
