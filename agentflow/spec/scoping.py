"""The rules of names: what can be read, bound and set where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from agentflow.errors import Diagnostic, Span
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.expressions.infer import infer_condition, infer_template
from agentflow.spec.expressions.template import Expression, Template, walk_names
from agentflow.spec.expressions.types import ANY, Type
from agentflow.spec.model import Workflow
from agentflow.spec.names import Binding, Kind, Names
from agentflow.spec.survey import Survey

Places: TypeAlias = Mapping[tuple[Span, str], Span]
"""Where names stand that the model keeps no span of, by the span of their owner and a field:
`as` and `index` of a step or handler, `set.NAME` and `start` of a step, `with.NAME` of a call."""

Ids: TypeAlias = dict[str, Span]
"""The ids in use within a step, a branch or a state."""

_SUGGESTIONS = 100
"""Names that are compared with all others: more are no slips but a name that went missing."""


class Scoping:
    """Checks names one by one; the walk through the workflow is in `check`."""

    def __init__(self, workflow: Workflow, diagnostics: list[Diagnostic], places: Places) -> None:
        self.diagnostics = diagnostics
        self.places = places
        self.survey = Survey(workflow, places)
        self.under_way: list[str] = []
        """Ids of the steps that are being walked through, outermost first."""
        self._suggested = 0

    def error(self, code: str, message: str, span: Span, label: str = "", remedy: str = "") -> None:
        """Note a mistake."""
        self.diagnostics.append(Diagnostic(code, message, span, label, remedy))

    def identify(self, id: str, span: Span, ids: Ids) -> bool:  # the language's word
        """Whether an id is new in its step; one that is in use already is noted."""
        if id and id in ids:
            self.error(
                "AF305",
                f"duplicate id `{id}`",
                span,
                f"first on line {ids[id].line}",
                "ids are unique within a step; rename one of the two",
            )
            return False
        ids[id] = span
        return True

    def bind(self, name: str, binding: Binding, names: Names, span: Span) -> None:
        """Bind a name in a block; a name that can be read already must not be hidden."""
        found = names.find(name)
        if found is not None:
            self.error(
                "AF304",
                f"`{name}` would hide {found[0]}",
                span,
                "the name is taken",
                "choose another name",
            )
        names.own[name] = binding

    def bind_field(
        self, name: str | None, binding: tuple[Kind, Type], place: tuple[Span, str], names: Names
    ) -> None:
        """Bind what a field such as `as` or `index` names; `place` is its owner and the field."""
        if name is not None:
            span = self.places.get(place, place[0])
            self.bind(name, Binding(*binding, span), names, span)

    def assign(self, name: str, type: Type, span: Span, names: Names) -> None:
        """What `set` does with one name."""
        found = names.find(name)
        known = type if self.survey.assigned[name] == 1 else ANY
        if found is None:
            names.own[name] = Binding("variable", known, span)
            return
        binding, crossed = found
        if binding.kind != "variable":
            self.error(
                "AF307",
                f"`{name}` cannot be set: it is {binding}",
                span,
                "cannot change",
                "`set` another name",
            )
        elif crossed:
            self.error(
                "AF306",
                f"`{name}` cannot be set from inside a branch or an item",
                span,
                f"bound outside, on line {binding.span.line}" if binding.span else "",
                "branches and items give back results: `return` the value, "
                "or `set` a name of their own",
            )

    def infer(self, template: Template, names: Names) -> Type:
        """The type of a template; names that cannot be read are noted."""
        self.readable(template, names)
        return infer_template(template, names, self.diagnostics)

    def readable(self, template: Template, names: Names) -> None:
        """Note the names of a template that cannot be read here."""
        for name, span in walk_names(template):
            if name not in names:
                self.undefined(name, span, names)

    def condition(self, expression: Expression | None, names: Names) -> None:
        """An expression that must give a boolean."""
        if expression is None:
            return
        self.readable(expression, names)
        infer_condition(expression, names, self.diagnostics)

    def near(self, name: str, names: Names) -> str:
        """The help text of a misspelt name."""
        self._suggested += 1
        return did_you_mean(name, names) if self._suggested <= _SUGGESTIONS else ""

    def undefined(self, name: str, span: Span, names: Names) -> None:
        """Say why a name cannot be read here."""
        bound = self.survey.bound.get(name, [])
        later = next((each for each in bound if names.within(each.block)), None)
        near = self.near(name, names)
        if later is not None and later.step in self.under_way:
            message, label = f"`{name}` has no value yet", f"`{later.step}` is still under way"
            self.error("AF303", message, span, label, "bind it before that step, with `set`")
        elif later is not None:
            message, label = f"`{name}` is not bound yet", f"bound on line {later.span.line}"
            self.error("AF303", message, span, label, "move the step that binds it before this one")
        elif bound:
            message = f"`{name}` cannot be read here: it is {bound[0].what}"
            self.error("AF302", message, span, "out of scope", near or bound[0].remedy)
        else:
            self.error("AF301", f"`{name}` is not defined", span, "no such name", near)
