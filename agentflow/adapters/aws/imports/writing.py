"""Writes the steps of one state: binds values, and has evaluated what is not surely ours."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from agentflow.adapters.aws import foreign
from agentflow.adapters.aws.asl.jsonata import expression_in
from agentflow.adapters.aws.asl.model import Map, Parallel, Reference, Setting, State, Task
from agentflow.adapters.aws.asl.values import Absent, text
from agentflow.adapters.aws.imports import expressions
from agentflow.adapters.aws.imports.expressions import Sight
from agentflow.adapters.aws.imports.lowered import Steps
from agentflow.adapters.aws.imports.naming import Namer
from agentflow.adapters.aws.imports.terms import expression, is_name, source_of
from agentflow.errors import Diagnostic, Json, Span
from agentflow.spec.expressions.limits import MAX_SOURCE
from agentflow.spec.expressions.template import Expression, Template
from agentflow.spec.model import Action, Call, Set, Step

Refused: TypeAlias = "list[Diagnostic]"
_CODE: Final = "AF611"
_LONGEST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Scope:
    """The names of a machine: what its states hand on, its variables, the map around it."""

    data: str
    variables: str | None = None
    item: tuple[str, str] | None = None
    reports: bool = False
    """Whether a machine around reads the cause of what fails in here."""
    given: str = "input"
    """The input of the execution: of the workflow, or of a distributed map's child."""
    execution: str = "execution.id"
    """Its name."""


@dataclass(slots=True)
class Book:
    """What an import keeps for the whole workflow."""

    namer: Namer = field(default_factory=Namer)
    refused: Refused = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    distributes: bool = False
    """Whether maps that are not bounded are compiled as distributed ones."""

    def refuse(self, what: str, span: Span, why: str, remedy: str) -> None:
        """Something cannot be imported."""
        self.refused.append(Diagnostic(_CODE, what, span, why, remedy))


def _number(sight: Sight) -> Template:
    """How often the state was retried."""
    return 0 if sight.retries in (None, "0") else expression(str(sight.retries), sight.span)


def _key(written: str, sight: Sight) -> dict[str, Template]:
    """The key of an iteration over an object; one over a list has none."""
    if sight.key is None or "Map.Item.Key" not in written:
        return {}
    return {"Key": expression(sight.key, sight.span)}


def _has_symbol_as_key(template: Template) -> bool:
    """Whether a deployment puts a key in, wherever it is in a template."""
    if isinstance(template, dict):
        return any("${" in key or _has_symbol_as_key(each) for key, each in template.items())
    return isinstance(template, list) and any(map(_has_symbol_as_key, template))


class Writing:
    """The steps of one state, as they come."""

    def __init__(self, book: Book, scope: Scope, state: State) -> None:
        self.book = book
        self.scope = scope
        self.state = state
        self.steps: Steps = []
        self.token: str | None = None
        """The source of the task's token."""
        self.retries = "0" if isinstance(state, Task | Map | Parallel) else None
        """The source of how often the state was retried."""
        self.entered: str | None = None
        """The name of the time at which the state was entered, where that is read."""

    @property
    def span(self) -> Span:
        return self.state.span

    def beside(self, scope: Scope | None = None) -> Writing:
        """Writes other steps of the same state, which has been entered and retried as here."""
        own = Writing(self.book, scope or self.scope, self.state)
        own.retries, own.entered = self.retries, self.entered
        return own

    # --- steps -----------------------------------------------------------------------------

    def step(self, wanted: str, action: Action) -> Step:
        """A step with an id of its own, which is not added."""
        return Step(self.book.namer.fresh(wanted), action, self.span)

    def add(self, wanted: str, action: Action) -> str:
        """Add a step; its id."""
        step = self.step(wanted, action)
        self.steps.append(step)
        return step.id

    def expression(self, source: str) -> Expression:
        """An expression of this state."""
        return expression(source, self.span)

    def bind(self, wanted: str, value: Template) -> str:
        """A name for a value: its own, or one that is set."""
        if is_name(value):
            return str(value.source)
        name = self.book.namer.fresh(f"{self.state.name} {wanted}")
        self.add(f"{self.state.name} set {wanted}", Set({name: value}))
        return name

    def call(self, wanted: str, function: str, arguments: dict[str, Template]) -> Expression:
        """The result of a function of `foreign`."""
        given = {key: each for key, each in arguments.items() if each is not None}
        for key, each in given.items():
            if _has_symbol_as_key(each):  # which a template cannot have, but an expression
                given[key] = self._display(each)
        call = Call(f"{foreign.MODULE}.{function}", given, self.span)
        return self.expression(self.add(f"{self.state.name} {wanted}", call))

    def _display(self, template: Template) -> Template:
        source = source_of(template)
        if len(source) <= MAX_SOURCE:
            return self.expression(source)
        self.book.refuse(
            f"`{self.state.name}` has a key with a symbol in much that only AWS evaluates",
            self.span,
            f"a deployment puts the name in, and an expression has at most {MAX_SOURCE} characters",
            "give the name: --symbol NAME=VALUE",
        )
        return None

    # --- values ----------------------------------------------------------------------------

    def sight(self, data: str, **known: object) -> Sight:
        """What expressions see when `$` is a source."""
        seen = Sight(
            self.span,
            data,
            self.state.name,
            self.scope.variables,
            self.scope.item,
            self.token,
            given=self.scope.given,
            execution=self.scope.execution,
            retries=self.retries,
            entered=self.entered,
        )
        return replace(seen, **known)  # type: ignore[arg-type]  # as Sight has them

    def payload(self, template: Json, sight: Sight, wanted: str) -> Template:
        """The value of a payload template."""
        own = expressions.payload(template, sight)
        if own is not None:
            return own[0]
        return self._evaluated(template, sight, wanted)

    def path(self, path: str, sight: Sight, wanted: str) -> Template:
        """The value at a path, or of an intrinsic function."""
        own = expressions.value(path, sight)
        if own is not None:
            return self.expression(own)
        found = self._evaluated({"value.$": path}, sight, wanted)
        return self.expression(f"{found.source}.value")

    def _evaluated(self, template: Json, sight: Sight, wanted: str) -> Expression:
        written = text(template)
        return self.call(
            wanted,
            "jsonpath",
            {
                "template": template,
                "data": self.expression(sight.data),
                "around": self.around(written, "$$", sight),
                "variables": self._variables(written),
            },
        )

    def resolved(self, template: Json, sight: Sight, wanted: str) -> Template:
        """The value of a template with JSONata."""
        own = expressions.resolved(template, sight)
        if own is not None:
            return own[0]
        written = text(template)
        states = {
            "input": self.expression(sight.data),
            "result": None if sight.result is None else self.expression(sight.result),
            "errorOutput": None if sight.error is None else self.expression(sight.error),
            "context": self.around(written, "context", sight),
        }
        return self.call(
            wanted,
            "jsonata",
            {
                "template": template,
                "states": {
                    key: each
                    for key, each in states.items()
                    if each is not None and (key in written or "$states" not in written)
                },
                "variables": self._variables(written),
            },
        )

    def around(self, written: str, mark: str, sight: Sight) -> Template | None:
        """The context object, where a template reads it."""
        if mark not in written:
            return None
        item = sight.item
        return {
            "Execution": {
                "Id": self.expression(sight.execution),
                "Input": self.expression(sight.given),
                "Name": self.expression(sight.execution),
                "RoleArn": "",
                "StartTime": self.expression("execution.started_at"),
                "RedriveCount": 0,
            },
            "StateMachine": {
                "Id": self.expression("execution.workflow"),
                "Name": self.expression("execution.workflow"),
            },
            "State": {
                "Name": self.state.name,
                "EnteredTime": self.expression(sight.entered or "now()"),
                **({} if sight.retries is None else {"RetryCount": _number(sight)}),
            },
            **(
                {}
                if item is None
                else {
                    "Map": {
                        "Item": {
                            "Index": self.expression(item[0]),
                            "Value": self.expression(item[1]),
                            **_key(written, sight),
                        }
                    }
                }
            ),
            **({} if sight.token is None else {"Task": {"Token": self.expression(sight.token)}}),
        }

    def _variables(self, written: str) -> Template | None:
        if self.scope.variables is None or "$" not in written:
            return None
        return self.expression(self.scope.variables)

    def setting(self, value: Json, sight: Sight, wanted: str) -> Template:
        """A field that is a literal or an expression of JSONata."""
        return value if expression_in(value) is None else self.resolved(value, sight, wanted)

    def checked(self, value: Setting, sight: Sight, check: str, wanted: str) -> Expression:
        """A field with a number that a function of `foreign` checks."""
        found: Template = value
        if isinstance(value, Reference):
            found = self.path(value.path, sight, wanted)
        elif expression_in(value) is not None:
            found = self.resolved(value, sight, wanted)
        language = "JSONata" if self.state.query_language == "JSONata" else None
        return self.call(f"check {wanted}", check, {"value": found, "language": language})

    # --- handing on ------------------------------------------------------------------------

    def hand_on(self, output: Template, assigned: Json | Absent | Template) -> None:
        """Bind what the next state gets, and the variables; all values are those before."""
        names: dict[str, Template] = {}
        if not (isinstance(output, Expression) and output.source == self.scope.data):
            names[self.scope.data] = output
        if not isinstance(assigned, Absent) and self.scope.variables is not None and assigned != {}:
            variables, source = self.scope.variables, source_of(assigned)
            if len(source) > _LONGEST:  # an expression is bounded, a template is not
                source = self.bind("assigned", assigned)
            names[variables] = self.expression(f"merge({variables}, {source})")
        if names:
            self.add(f"{self.state.name} output", Set(names))
