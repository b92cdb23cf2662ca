"""The input: kept in a variable, and checked against the workflow's schema before anything runs.

What inference knows of the input's types rests on this check. Schemas of plain keywords are checked
in JSONata; others go to the helper function, which has a JSON Schema library.
"""

from __future__ import annotations

from collections.abc import Iterator

from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.jsonata import literal, quote
from agentflow.adapters.aws.templates import query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import LAMBDA, Writer, transient
from agentflow.errors import Json
from agentflow.spec.expressions.schema import from_schema
from agentflow.spec.expressions.types import ANY
from agentflow.spec.model import Workflow

_TYPES = {
    "null": "$type({0}) = 'null'",
    "boolean": "$type({0}) = 'boolean'",
    "integer": "($type({0}) = 'number' ? $floor({0}) = {0} : false)",
    "number": "$type({0}) = 'number'",
    "string": "$type({0}) = 'string'",
    "array": "$type({0}) = 'array'",
    "object": "$type({0}) = 'object'",
}
_COMPARED = {
    "minimum": ("number", "{0} >= {1}"),
    "maximum": ("number", "{0} <= {1}"),
    "exclusiveMinimum": ("number", "{0} > {1}"),
    "exclusiveMaximum": ("number", "{0} < {1}"),
    "minLength": ("string", "$length({0}) >= {1}"),
    "maxLength": ("string", "$length({0}) <= {1}"),
    "minItems": ("array", "$count({0}) >= {1}"),
    "maxItems": ("array", "$count({0}) <= {1}"),
}
_KINDS = {**{kind: kind for kind in _TYPES}, "integer": "number"}
_SAID = frozenset(
    {"type", "required", "title", "description", "default", "examples", "$comment", "format"}
)
"""Keywords that check nothing."""


class _TooRich(Exception):
    """The schema uses more than can be checked in JSONata."""


def write_input(w: Writer, workflow: Workflow, names: Names) -> None:
    """The first state: `input`, checked."""
    schema = workflow.input
    if schema is None and "input" not in w.read:
        return
    variable = w.variables.take("input", w.depth)
    names.bind("input", variable, ANY if schema is None else from_schema(schema))
    begin = Label()
    try:
        test = " and ".join(f"({each})" for each in _tests(schema, "$states.input", 0))
    except _TooRich:
        _by_helper(w, schema, variable, begin)
    else:
        value = "{% $states.input %}"
        if test:
            refused = "$fail('InvalidInput', 'the input does not match what the workflow takes')"
            value = query(f"({test}) ? $states.input : {refused}")
            w.renames = True
        name = w.names.take("input")
        w.add(name, {"Type": "Pass", "Assign": {variable: value}, "Next": begin})
    w.scope.place(begin)


def _by_helper(w: Writer, schema: Json, variable: str, begin: Label) -> None:
    w.needs_helper = w.renames = True
    w.report.add("input", "helper hop", "its schema needs a JSON Schema library", w.workflow.span)
    payload: State = {"check": "{% $states.input %}", "schema": schema}
    w.add(
        w.names.take("input"),
        {
            "Type": "Task",
            "Resource": LAMBDA,
            "Arguments": {"FunctionName": w.settings.handler, "Payload": payload},
            "Retry": [transient()],
            "Assign": {variable: "{% $states.result.Payload %}"},
            "Next": begin,
        },
    )
    w.use("function", w.settings.handler, "lambda:InvokeFunction")


def _tests(schema: Json, text: str, depth: int) -> Iterator[str]:
    """JSONata that holds for the values a schema accepts; each test can be evaluated alone."""
    if schema is None or schema is True:
        return
    if not isinstance(schema, dict):
        raise _TooRich
    kind = schema.get("type")
    if not isinstance(kind, str):
        if kind is not None:
            yield " or ".join(_TYPES[each].format(text) for each in kind)
        yield from _keywords(schema, text, depth, None)
        return
    test = _TYPES[kind].format(text)
    inside = [f"({each})" for each in _keywords(schema, text, depth, _KINDS[kind])]
    yield f"{test} ? {' and '.join(inside)} : false" if inside else test


def _keywords(schema: dict[str, Json], text: str, depth: int, sure: str | None) -> Iterator[str]:
    """The tests of all keywords but `type`; `sure` is the type that the value has by then."""

    def only(kind: str, test: str) -> str:
        return test if kind == sure else f"$type({text}) = '{kind}' ? ({test}) : true"

    for keyword, value in schema.items():
        if keyword in _COMPARED:
            kind, comparison = _COMPARED[keyword]
            yield only(kind, comparison.format(text, value))
        elif keyword in ("enum", "const"):
            yield _listed(value if keyword == "enum" else [value], text)
        elif keyword == "properties" or (keyword == "required" and "properties" not in schema):
            yield from (only("object", each) for each in _properties(schema, text, depth))
        elif keyword == "additionalProperties" and value is False:
            known = literal([*schema.get("properties", {})])
            others = f"function($k) {{ ($k in {known}) = false }}"
            yield only("object", f"$count($filter($append([], $keys({text})), {others})) = 0")
        elif keyword == "items":
            yield from (only("array", each) for each in _items(value, text, depth))
        elif keyword not in _SAID and (keyword, value) != ("additionalProperties", True):
            raise _TooRich


def _listed(values: list[Json], text: str) -> str:
    if not all(value is None or isinstance(value, str | int | float) for value in values):
        raise _TooRich
    return " or ".join(f"{text} = {literal(value)}" for value in values)


def _properties(schema: dict[str, Json], text: str, depth: int) -> Iterator[str]:
    required = schema.get("required", [])
    properties = {**dict.fromkeys(required), **schema.get("properties", {})}
    part = f"$p{depth}_"
    for name, inner in properties.items():
        found = f"$lookup({text}, {quote(name)})"
        tests = " and ".join(f"({each})" for each in _tests(inner, part, depth + 1))
        missing = "false" if name in required else "true"
        if tests:
            yield f"$exists({found}) ? ({part} := {found}; {tests}) : {missing}"
        elif name in required:
            yield f"$exists({found})"


def _items(schema: Json, text: str, depth: int) -> Iterator[str]:
    item = f"$p{depth}_"
    tests = " and ".join(f"({each})" for each in _tests(schema, item, depth + 1))
    if tests:
        yield f"$reduce({text}, function($ok, {item}) {{ $ok ? ({tests}) : false }}, true)"
