"""What `foreign` computes, as JSONata that Step Functions evaluates in a state."""

from __future__ import annotations

import re
from typing import Any, Final

from agentflow.adapters.aws import jsonata
from agentflow.adapters.aws.asl.errors import RUNTIME
from agentflow.adapters.aws.asl.jsonata import expression_in
from agentflow.adapters.aws.asl.jsonata.names import STATES, named
from agentflow.adapters.aws.templates import query
from agentflow.errors import Json

_ROOT: Final = re.compile(r"\$(\w+)")


def template(given: Json, states: str, variables: str | None) -> Json:
    """A template with `{% … %}` whose `$states` and variables are those of the workflow."""
    if isinstance(given, dict):
        return {key: template(each, states, variables) for key, each in given.items()}
    if isinstance(given, list):
        return [template(each, states, variables) for each in given]
    expression = expression_in(given)
    return given if expression is None else query(_seeing(expression, states, variables))


def _seeing(expression: str, states: str, variables: str | None) -> str:
    """An expression in which `$states` and the variables are given values.

    `$states` is the service's own name, so that another one stands for it.
    """
    found = named(expression)
    begin: list[str] = []
    text = expression
    if found.states:
        own = f"{STATES}_"
        while f"${own}" in expression:
            own += "_"
        for place in reversed(found.states):
            text = f"{text[:place]}${own}{text[place + len(STATES) + 1 :]}"
        begin.append(f"${own} := {states}")
    if variables is not None:
        outer = _ROOT.match(variables)
        names = [name for name in found.read if name not in jsonata.BUILT_IN]
        # The one that hides the variables themselves comes last.
        names.sort(key=lambda name: outer is not None and outer[1] == name)
        begin += [f"${name} := $lookup({variables}, {jsonata.quote(name)})" for name in names]
    return f"({'; '.join([*begin, text])})" if begin else text


def chosen(rules: list[dict[str, Any]], states: str, variables: str | None) -> str:
    """The number of the first rule whose `Condition` holds; null if none does."""
    text = "null"
    for number, rule in reversed(list(enumerate(rules))):
        condition = expression_in(rule["Condition"])
        test = (
            jsonata.literal(rule["Condition"])
            if condition is None
            else _seeing(condition, states, variables)
        )
        text = f"$holds_({test}, {number}) ? {number} : {text}"
    refused = "$error('rule ' & $string($n) & ' gave no boolean')"
    holds = f"function($v, $n) {{ $type($v) = 'boolean' ? $v : {refused} }}"
    return f"($holds_ := {holds}; {text})"


_NUMBER: Final = r"/^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/"


def whole(value: str, language: str) -> str:
    """A whole number from 0 on."""
    return _number(value, language, "$floor($n_) = $n_ and $n_ >= 0", "no whole number from 0 on")


def percentage(value: str, language: str) -> str:
    """A number from 0 to 100."""
    return _number(value, language, "$n_ >= 0 and $n_ <= 100", "no percentage")


def _number(value: str, language: str, test: str, what: str) -> str:
    """A number that passes a test; of a path it may be written as a text."""
    fault = _fault(language, f"the value is {what}")
    known = "$type($v_) = 'number'"
    if language == "JSONPath":
        known += f" or ($type($v_) = 'string' ? $contains($v_, {_NUMBER}) : false)"
    return f"($v_ := {value}; {known} ? ($n_ := $number($v_); {test} ? $n_ : {fault}) : {fault})"


_TIME: Final = (
    r"/^([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))T(([01][0-9]|2[0-3]):[0-5][0-9])"
    r"(:[0-5][0-9])?(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$/"
)


def moment(value: str, language: str) -> str:
    """A time in UTC with milliseconds, from one with a date, a `T` and a zone."""
    fault = _fault(language, "this is no time with a date, a `T` and a zone")
    part = "function($s, $d) { $type($s) = 'string' and $s != '' ? $s : $d }"
    plain = "function($digits) { $number('1' & $digits) - $power(10, $length($digits)) }"
    whole = (
        "$g_[0] & 'T' & $g_[3] & $part_($g_[5], ':00') & "
        "$substring($part_($g_[6], '.') & '000', 0, 4) & $g_[7]"
    )
    last = (
        "$month_ in [4, 6, 9, 11] ? 30 : $month_ != 2 ? 31 : $year_ % 4 = 0 and "
        "($year_ % 100 != 0 or $year_ % 400 = 0) ? 29 : 28"
    )
    return (
        f"($v_ := {value}; $part_ := {part}; $plain_ := {plain}; "
        f"$m_ := $type($v_) = 'string' ? $match($v_, {_TIME}) : null; $g_ := $m_.groups; "
        "$exists($g_) ? ($year_ := $plain_($substring($g_[0], 0, 4)); $month_ := $plain_($g_[1]); "
        f"$plain_($g_[2]) <= ({last}) ? $fromMillis($toMillis({whole})) : {fault}) : {fault})"
    )


def _fault(language: str, told: str) -> str:
    if language == "JSONPath":
        return f"$fail({jsonata.quote(RUNTIME)}, {jsonata.quote(told)})"
    return f"$error({jsonata.quote(told)})"
