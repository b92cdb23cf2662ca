"""What an expression comes to as JSONata, evaluated by jsonata-python, and by our evaluator."""

from __future__ import annotations

import json
import re

from sfnx.testing import Failure
from sfnx.testing import evaluate as evaluate_jsonata

from agentflow.adapters.aws import expressions, jsonata
from agentflow.adapters.aws.checks import Reference
from agentflow.adapters.aws.functions import NeedsHelper
from agentflow.errors import Fault, Json
from agentflow.spec.expressions.schema import of_value
from agentflow.spec.expressions.types import ANY
from tests.aws import repairs  # noqa: F401  # of jsonata-python
from tests.expressions.language import evaluate, read


def fault_of(text: str, names: dict[str, Json]) -> str:
    """The name of the fault that the JSONata raises."""
    try:
        value = evaluate_jsonata(jsonata.complete(text), bound(names), {"input": None})
    except Failure as failure:
        if "out of range" in failure.cause and "<<" not in failure.cause:
            return "NumberOutOfRange"
        return re.findall("<<([A-Za-z]+)>>", failure.cause)[-1]
    return f"the value {value!r}"


def values_of(texts: list[str], names: dict[str, Json]) -> list[Json]:
    """The values of many expressions, evaluated in one go: reading JSONata takes the most time."""
    fields = ", ".join(f"'{place}': {text}" for place, text in enumerate(texts))
    values = evaluate_jsonata(jsonata.complete(f"{{{fields}}}"), bound(names), {"input": None})
    return [values[str(place)] for place in range(len(texts))]


def bound(names: dict[str, Json]) -> dict[str, Json]:
    return {jsonata.variable(name): value for name, value in names.items()}


def by_us(source: str, names: dict[str, Json]) -> Json | Fault:
    try:
        return evaluate(source, **names)
    except Fault as fault:
        return fault


def same(a: Json, b: Json) -> bool:
    """Equal as the language sees it: `1` is `1.0`, `true` is not `1`."""
    return bool(evaluate("a == b", a=json.loads(json.dumps(a)), b=b))


def written(source: str, names: dict[str, Json], *, typed: bool) -> str | None:
    """The JSONata; `None` where it goes through the helper."""
    references = {
        name: Reference(f"${jsonata.variable(name)}", of_value(value) if typed else ANY)
        for name, value in names.items()
    }
    try:
        return expressions.write(read(source), references)
    except NeedsHelper:
        return None
