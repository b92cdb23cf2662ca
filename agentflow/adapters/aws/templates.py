"""Templates as values of Step Functions: JSON whose texts may be `{% JSONata %}`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agentflow.adapters.aws import expressions, jsonata
from agentflow.adapters.aws.checks import References
from agentflow.adapters.aws.functions import NeedsHelper
from agentflow.errors import Json
from agentflow.spec.expressions.template import (
    Expression,
    Interpolation,
    Template,
    walk_names,
)


def query(text: str) -> str:
    """A JSONata text as a value, with the lambdas it needs."""
    return f"{{% {jsonata.complete(text)} %}}"


def can_fail(value: Json) -> bool:
    """Whether a value may raise a fault when it is evaluated."""
    match value:
        case str():
            return value.startswith("{%") and "$fail := " in value
        case dict():
            return any(map(can_fail, value.values()))
        case list():
            return any(map(can_fail, value))
        case _:
            return False


@dataclass(slots=True)
class Hop:
    """What the helper function is asked for before a state: templates, and the names they read."""

    draw: Callable[[], str]
    """Gives the variable in which the results will be."""
    variable: str = ""
    templates: dict[str, Json] = field(default_factory=dict)
    """Texts of templates as a spec has them, by a short key."""
    names: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    def ask(self, source: Json, names: Iterable[str], scope: References, reason: str) -> str:
        """The JSONata that reads what a template will have given."""
        self.variable = self.variable or self.draw()
        key = f"v{len(self.templates) + 1}"
        self.templates[key] = source
        for name in names:
            self.names[name] = query(scope[name].text)
        if reason not in self.reasons:
            self.reasons.append(reason)
        return f"${self.variable}.{key}"


def source(template: Template) -> Json:
    """A template as a spec has it, as a value that the service leaves as it is."""
    match template:
        case Expression():
            return f"${{{template.source}}}"
        case Interpolation():
            return _verbatim(_source(template))
        case str():
            return _verbatim(template.replace("${", "$${"))
        case dict():
            return {key: source(each) for key, each in template.items()}
        case list() | tuple():
            return [source(each) for each in template]
        case _:
            return template


def _verbatim(text: str) -> str:
    return query(jsonata.quote(text)) if text.startswith("{%") else text


class Templates:
    """Writes the templates of one state; what needs the helper is collected in `hop`."""

    def __init__(self, names: References, hop: Hop) -> None:
        self.names = names
        self.hop = hop

    def value(self, template: Template) -> Json:
        """A template as a value."""
        match template:
            case Expression() | Interpolation():
                return query(self.text(template))
            case dict():
                return {key: self.value(each) for key, each in template.items()}
            case list() | tuple():
                return [self.value(each) for each in template]
            case str():
                return _verbatim(template)
            case _:
                return template

    def text(self, template: Template) -> str:
        """A template as JSONata, to be part of an expression."""
        match template:
            case Expression():
                return self._expression(template)
            case Interpolation():
                return self._interpolation(template)
            case dict():
                pairs = (f"{jsonata.quote(k)}: {self.text(v)}" for k, v in template.items())
                return "{" + ", ".join(pairs) + "}"
            case list() | tuple():
                # `[[x]]` keeps a list that is an item; a scalar needs one pair of brackets only.
                boxes = [f"$box({self.text(each)})" for each in template]
                text = "[]"
                for box in boxes:
                    text = box if text == "[]" else f"$append({text}, {box})"
                return text
            case _:
                return jsonata.literal(template)

    def condition(self, expression: Expression) -> str:
        """An expression where only a boolean can stand, as JSONata."""
        try:
            return expressions.write_condition(expression, self.names)
        except NeedsHelper as need:
            return f"$flag({self._ask(expression, need)})"

    def _expression(self, expression: Expression) -> str:
        try:
            return expressions.write(expression, self.names)
        except NeedsHelper as need:
            return self._ask(expression, need)

    def _interpolation(self, interpolation: Interpolation) -> str:
        pieces: list[str] = []
        for part in interpolation.parts:
            try:
                pieces.append(
                    jsonata.quote(part)
                    if isinstance(part, str)
                    else f"({expressions.write_text(part, self.names)})"
                )
            except NeedsHelper as need:
                return self._ask(interpolation, need)
        return " & ".join(
            piece.removeprefix("(").removesuffix(")") if _simple(piece) else piece
            for piece in pieces
        )

    def _ask(self, template: Template, need: NeedsHelper) -> str:
        names = dict.fromkeys(name for name, _ in walk_names(template))
        return self.hop.ask(source(template), names, self.names, need.reason)


def _simple(piece: str) -> bool:
    return piece.startswith("(") and not any(sign in piece for sign in "?&=<>+*/ ")


def _source(interpolation: Interpolation) -> str:
    """The text an interpolation was read from, or one that means the same."""
    return "".join(
        part.replace("${", "$${") if isinstance(part, str) else f"${{{part.source}}}"
        for part in interpolation.parts
    )
