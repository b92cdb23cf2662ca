"""Paths, intrinsic functions, rules and JSONata as expressions of ours, where the meaning is sure.

Each public function gives None for what is not surely the same; it is then evaluated by the
functions of `foreign`. Names and indexes in paths are the same but for one thing: an index into a
text fails on the service, and gives a character here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Final

from agentflow.adapters.aws.asl import intrinsics, jsonpath
from agentflow.adapters.aws.asl.choice import COMPARISONS
from agentflow.adapters.aws.asl.errors import MalformedError
from agentflow.adapters.aws.asl.intrinsics.syntax import Argument, Call, Literal, Text
from agentflow.adapters.aws.asl.jsonata import expression_in
from agentflow.adapters.aws.asl.jsonpath import Path
from agentflow.adapters.aws.asl.jsonpath.syntax import Indexes, Names
from agentflow.adapters.aws.imports.terms import expression, member, quoted, source_of
from agentflow.errors import MAX_INTEGER, Json, Span
from agentflow.spec.expressions.template import Template


class _Unsure(Exception):
    """The meaning is not surely the same."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What expressions of a state see, as sources."""

    span: Span
    data: str
    """`$`, or `$states.input`."""
    state: str
    """The name of the state."""
    variables: str | None = None
    """An object of the variables."""
    item: tuple[str, str] | None = None
    """The index and the value of the iteration of the map around."""
    token: str | None = None
    members: dict[str, str] = field(default_factory=dict)
    """Sources of members of the result that are known apart from it."""
    result: str | None = None
    """`$states.result`."""
    error: str | None = None
    """`$states.errorOutput`."""
    given: str = "input"
    """The input of the execution."""
    execution: str = "execution.id"
    """Its name."""
    retries: str | None = None
    """How often the state was retried."""
    entered: str | None = None
    """When the state was entered, where that is read."""
    key: str | None = None
    """The key of the iteration, where it is over an object."""


def path(text: str, sight: Sight) -> str | None:
    """The source of a path."""
    try:
        return _path(jsonpath.parse(text), sight)
    except (_Unsure, MalformedError):
        return None


def value(text: str, sight: Sight) -> str | None:
    """The source of what stands under a key that ends in `.$`: a path, or an intrinsic function."""
    try:
        return _value(text, sight)
    except (_Unsure, MalformedError):
        return None


def payload(template: Json, sight: Sight) -> tuple[Template] | None:
    """A payload template as one of ours."""
    try:
        return (_payload(template, sight),)
    except (_Unsure, MalformedError):
        return None


def resolved(template: Json, sight: Sight) -> tuple[Template] | None:
    """A template with JSONata as one of ours."""
    try:
        return (_resolved(template, sight),)
    except _Unsure:
        return None


def condition(rule: Json, sight: Sight) -> str | None:
    """A rule of a Choice state, written with JSONPath, as a source."""
    try:
        return _rule(rule, sight)
    except (_Unsure, MalformedError):
        return None


def presence(text: str, sight: Sight) -> str | None:
    """The source of whether there is a value at a path."""
    try:
        return _present(jsonpath.parse(text), sight)
    except (_Unsure, MalformedError):
        return None


def reference(text: str) -> list[str] | None:
    """The keys of a reference path; None if it goes into a list."""
    keys = [step.names[0] for step in jsonpath.parse(text).steps if isinstance(step, Names)]
    return keys if len(keys) == len(jsonpath.parse(text).steps) else None


# --- paths -------------------------------------------------------------------------------------


def _value(text: str, sight: Sight) -> str:
    if text.startswith("States."):
        return _call(intrinsics.parse(text), sight)
    return _path(jsonpath.parse(text), sight)


def _path(found: Path, sight: Sight) -> str:
    if found.root == "$$":
        return _context([_step(step) for step in found.steps], sight)
    source, steps = sight.data, [_step(step) for step in found.steps]
    if found.root != "$":
        if sight.variables is None:
            raise _Unsure
        source = member(sight.variables, found.root[1:])
    elif steps and steps[0] in sight.members:
        source, steps = sight.members[str(steps[0])], steps[1:]
    return _along(source, steps)


def _along(source: str, steps: list[str | int]) -> str:
    for step in steps:
        source = f"{source}[{step}]" if isinstance(step, int) else member(source, step)
    return source


def _step(step: object) -> str | int:
    if isinstance(step, Names) and step.definite:
        return step.names[0]
    if isinstance(step, Indexes) and step.definite and step.indexes[0] >= 0:
        return step.indexes[0]
    raise _Unsure


def _context(steps: list[str | int], sight: Sight) -> str:
    """What the context object has that an execution of ours has too."""
    match steps:
        case ["Execution", "Input", *rest]:
            return _along(sight.given, rest)
        case ["Execution", "Name"]:
            return sight.execution
        case ["Execution", "StartTime"]:
            return "execution.started_at"
        case ["State", "Name"]:
            return quoted(sight.state)
        case ["State", "RetryCount"] if sight.retries is not None:
            return sight.retries
        case ["State", "EnteredTime"] if sight.entered is not None:
            return sight.entered
        case ["Map", "Item", "Key"] if sight.key is not None:
            return sight.key
        case ["Map", "Item", "Index"] if sight.item is not None:
            return sight.item[0]
        case ["Map", "Item", "Value", *rest] if sight.item is not None:
            return _along(sight.item[1], rest)
        case ["Task", "Token"] if sight.token is not None:
            return sight.token
        case _:
            raise _Unsure


# --- templates and functions -------------------------------------------------------------------


def _payload(template: Json, sight: Sight) -> Template:
    if isinstance(template, list):
        return [_payload(item, sight) for item in template]
    if not isinstance(template, dict):
        return template
    found: dict[str, Template] = {
        key.removesuffix(".$"): expression(_value(item, sight), sight.span)
        if key.endswith(".$")
        else _payload(item, sight)
        for key, item in template.items()
    }
    return _keyed(found, sight)


def _keyed(found: dict[str, Template], sight: Sight) -> Template:
    """An object; as an expression if a key holds a symbol, where a template's key cannot."""
    if any("${" in key for key in found):
        return expression(source_of(found), sight.span)
    return found


def _call(call: Call, sight: Sight) -> str:
    match call.name:
        case "UUID":
            return "uuid()"
        case "Array":
            return f"[{', '.join(_argument(each, sight) for each in call.arguments)}]"
        case "JsonMerge" if call.arguments[2] == Literal(value=False):
            left, right, _ = call.arguments
            return f"merge({_argument(left, sight)}, {_argument(right, sight)})"
        case _:
            raise _Unsure


def _argument(argument: Argument, sight: Sight) -> str:
    match argument:
        case Call():
            return _call(argument, sight)
        case Path():
            return _path(argument, sight)
        case Text():
            return quoted(argument.value)
        case Literal(found):
            return _constant(found)


# --- JSONata -----------------------------------------------------------------------------------

_TEXT: Final = re.compile(r"'([^'\\]*)'|\"([^\"\\]*)\"")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")
_VARIABLE: Final = re.compile(r"\$(\w+)")
_RESULT: Final = "$states.result"
_CONTEXT: Final = "$states.context."
_WHOLE: Final = frozenset(
    {
        "Execution.Input",
        "Execution.Name",
        "Execution.StartTime",
        "State.Name",
        "State.RetryCount",
        "State.EnteredTime",
        "Map.Item.Index",
        "Map.Item.Key",
        "Map.Item.Value",
        "Task.Token",
    }
)


def _resolved(template: Json, sight: Sight) -> Template:
    if isinstance(template, dict):
        return _keyed({key: _resolved(item, sight) for key, item in template.items()}, sight)
    if isinstance(template, list):
        return [_resolved(item, sight) for item in template]
    found = expression_in(template)
    return template if found is None else expression(_jsonata(found, sight), sight.span)


def _jsonata(text: str, sight: Sight) -> str:
    """A whole value, or a literal.

    JSONata goes through lists wherever it meets one, and takes single ones for their item, so that
    nothing else is surely the same.
    """
    if text == "$states.input":
        return sight.data
    if text == _RESULT and sight.result is not None:
        return sight.result
    if text.startswith(f"{_RESULT}.") and sight.result is not None:
        return _known(text.removeprefix(f"{_RESULT}."), sight)
    if text == "$states.errorOutput" and sight.error is not None:
        return sight.error
    if text.startswith(_CONTEXT):
        if text.removeprefix(_CONTEXT) not in _WHOLE:
            raise _Unsure
        steps: list[str | int] = [*text.removeprefix(_CONTEXT).split(".")]
        return _context(steps, sight)
    if (variable := _VARIABLE.fullmatch(text)) and variable[1] != "states" and sight.variables:
        return member(sight.variables, variable[1])
    if found := _TEXT.fullmatch(text):
        return quoted(found[1] if found[1] is not None else found[2])
    if _NUMBER.fullmatch(text):
        return _constant(json.loads(text))
    if text in ("true", "false", "null"):
        return text
    raise _Unsure


def _known(key: str, sight: Sight) -> str:
    """A member of the result that is known apart from it."""
    if key not in sight.members:
        raise _Unsure
    return sight.members[key]


# --- rules -------------------------------------------------------------------------------------

_TYPES: Final = {"String": "string", "Numeric": "number", "Boolean": "boolean"}
_SIGNS: Final = {
    "Equals": "==",
    "LessThan": "<",
    "LessThanEquals": "<=",
    "GreaterThan": ">",
    "GreaterThanEquals": ">=",
}
_PRESENT: Final = "IsPresent"


def _rule(rule: Json, sight: Sight) -> str:
    for name, word in (("And", "and"), ("Or", "or")):
        if name in rule:
            parts = [_rule(part, sight) for part in rule[name]]
            return f" {word} ".join(map(_bracketed, parts)) if len(parts) > 1 else parts[0]
    if "Not" in rule:
        return f"not {_bracketed(_rule(rule['Not'], sight))}"
    (operator,) = (name for name in rule if name not in ("Variable", "Next", "Comment", "Assign"))
    found = jsonpath.parse(rule["Variable"])
    if operator == _PRESENT:
        test = _present(found, sight)
        return test if rule[operator] else f"not {_bracketed(test)}"
    return _comparison(operator, rule[operator], _path(found, sight), sight)


def _bracketed(source: str) -> str:
    """In brackets where `and`, `or` and `not` would bind otherwise."""
    return f"({source})" if re.search(r"\b(and|or|not)\b", source) else source


def _comparison(operator: str, expected: Json, left: str, sight: Sight) -> str:
    if operator == "IsNull":
        return f"{left} {'==' if expected else '!='} null"
    if operator.startswith("Is") and operator[2:] in _TYPES:
        return f'type({left}) {"==" if expected else "!="} "{_TYPES[operator[2:]]}"'
    if operator == "StringMatches":
        return _matches(left, expected)
    if operator.endswith("Path"):
        kind, comparison = COMPARISONS[operator.removesuffix("Path")]
        return _compared_path(kind, comparison, left, _path(jsonpath.parse(expected), sight))
    if operator not in COMPARISONS or COMPARISONS[operator][0] not in _TYPES:
        raise _Unsure
    kind, comparison = COMPARISONS[operator]
    if kind == "Numeric" and isinstance(expected, str):
        raise _Unsure  # a symbol, which a deployment replaces by a number
    if comparison == "Equals":
        return f"{left} == {_constant(expected)}"
    return f'type({left}) == "{_TYPES[kind]}" and {left} {_SIGNS[comparison]} {_constant(expected)}'


def _compared_path(kind: str, comparison: str, left: str, right: str) -> str:
    if kind not in _TYPES:
        raise _Unsure
    if comparison == "Equals":
        return f'{left} == {right} and type({left}) == "{_TYPES[kind]}"'
    # Both are read before they are compared, as a path that leads nowhere has to fail.
    types = f'["{_TYPES[kind]}", "{_TYPES[kind]}"]'
    sign = _SIGNS[comparison]
    return f"[type({left}), type({right})] == {types} and {left} {sign} {right}"


def _matches(left: str, pattern: str) -> str:
    """Patterns whose `*` stand at the ends only."""
    inner = pattern.strip("*")
    if "*" in inner or "\\" in pattern or not inner or pattern.startswith("**"):
        raise _Unsure
    begins, ends = not pattern.startswith("*"), not pattern.endswith("*")
    text = quoted(inner)
    if begins and ends:
        return f"{left} == {text}"
    test = f"{text} in {left}"
    if begins or ends:
        test = f"{left}.{'startswith' if begins else 'endswith'}({text})"
    return f'type({left}) == "string" and {test}'


def _present(found: Path, sight: Sight) -> str:
    """Whether there is a value: each key on the way is looked for in an object."""
    if found.root != "$" or sight.members or not found.steps:
        raise _Unsure
    tests, source = [], sight.data
    for step in map(_step, found.steps):
        if isinstance(step, int):
            raise _Unsure
        tests.append(f'type({source}) == "object" and {quoted(step)} in {source}')
        source = member(source, step)
    return " and ".join(tests)


def _constant(found: Json) -> str:
    if isinstance(found, int) and abs(found) > MAX_INTEGER:
        raise _Unsure
    return json.dumps(found, ensure_ascii=False)
