"""The rules that need more than one place of a workflow: names, scopes, types, calls.

Walks the workflow as it would run, block by block, with the names that are readable there.
Only sure mistakes are reported: what may be right is left to the run.
"""

from __future__ import annotations

from agentflow.errors import Diagnostic, Span
from agentflow.spec import flow
from agentflow.spec.calls import check_call
from agentflow.spec.expressions.schema import from_schema
from agentflow.spec.expressions.template import (
    Expression,
    Interpolation,
    Template,
)
from agentflow.spec.expressions.types import (
    ANY,
    INTEGER,
    LIST,
    NULL,
    STRING,
    ListOf,
    ObjectOf,
    Type,
    members,
    overlap,
    union,
)
from agentflow.spec.model import (
    Block,
    Call,
    Catch,
    Compensation,
    Emit,
    Fork,
    Listen,
    Loop,
    Map,
    Pipeline,
    Raise,
    Reduce,
    Return,
    Run,
    Saga,
    Set,
    States,
    Step,
    Switch,
    Try,
    Wait,
    Workflow,
)
from agentflow.spec.names import Binding, Names
from agentflow.spec.scoping import Ids, Places, Scoping
from agentflow.spec.signatures import Functions
from agentflow.spec.survey import returns

_ERROR = ObjectOf(
    (("name", STRING), ("message", STRING), ("data", ANY), ("cause", ANY)),
    frozenset({"name", "message", "data", "cause"}),
)
_EXECUTION = ObjectOf(
    (("id", STRING), ("workflow", STRING), ("version", STRING), ("started_at", STRING)),
    frozenset({"id", "workflow", "version", "started_at"}),
)


def check(
    workflow: Workflow,
    diagnostics: list[Diagnostic],
    *,
    places: Places | None = None,
    functions: Functions | None = None,
) -> None:
    """Add what is wrong with a workflow to `diagnostics`; calls only if `functions` are given."""
    walk = _Walk(workflow, diagnostics, places or {}, functions)
    names = Names()
    given = ANY if workflow.input is None else from_schema(workflow.input)
    names.own["input"] = Binding("given", given)
    names.own["execution"] = Binding("given", _EXECUTION)
    walk.infer([workflow.timeout, workflow.call_timeout], names)
    walk.block(workflow.do, names, {})
    walk.infer(workflow.output, names)


class _Walk(Scoping):
    """One walk through a workflow."""

    def __init__(
        self,
        workflow: Workflow,
        diagnostics: list[Diagnostic],
        places: Places,
        functions: Functions | None,
    ) -> None:
        super().__init__(workflow, diagnostics, places)
        self.functions = functions

    def block(self, block: Block, names: Names, ids: Ids) -> Type:
        """Steps in order; the type is that of the last one's result."""
        names.block = block
        flow.unreachable(block, self.diagnostics)
        result: Type = NULL
        for step in block.steps:
            result = self.step(step, names, ids)
        return result

    def step(self, step: Step, names: Names, ids: Ids) -> Type:
        """One step: what it reads, what is in it, and the name it binds."""
        unique = self.identify(step.id, step.span, ids)
        self.condition(step.when, names)
        self.infer(step.timeout, names)
        inner: Ids = {}
        self.under_way.append(step.id)
        result = self.action(step, names, inner)
        for handler in step.catch:
            self.handler(handler, names, inner)
        self.under_way.pop()
        if step.when is not None or step.catch:
            result = ANY
        if step.id and unique:
            self.bind(step.id, Binding("result", result, step.span), names, step.span)
        return result

    def handler(self, handler: Catch, names: Names, ids: Ids) -> Type:
        """One `catch`."""
        inside = names.inner()
        self.bind_field(handler.bind, ("error", _ERROR), (handler.span, "as"), inside)
        return self.block(handler.do, inside, ids)

    def action(self, step: Step, names: Names, ids: Ids) -> Type:
        """What a step does; the type is that of its result."""
        match step.action:
            case Call() as call:
                return self.call(call, names, step)
            case Set() as action:
                return self.set(action, step, names)
            case Switch(cases, otherwise):
                for case in cases:
                    self.condition(case.when, names)
                results = [self.block(case.do, names.inner(), ids) for case in cases]
                results.append(self.block(otherwise, names.inner(), ids) if otherwise else NULL)
                return union(results)
            case Fork() as action:
                return self.fork(action, names)
            case Map() as action:
                return self.map(action, step, names, ids)
            case Loop() as action:
                return self.loop(action, step, names, ids)
            case Try(do, catch, final):
                results = [self.block(do, names.inner(), ids)]
                results.extend(self.handler(handler, names, ids) for handler in catch)
                if final is not None:
                    self.block(final, names.inner(), ids)
                return union(results)
            case Saga(do):
                return self.block(do, names.inner(), ids)
            case Pipeline() as action:
                return self.pipeline(action, step, names, ids)
            case States() as action:
                return self.states(action, step, names)
            case Wait(until):
                self.infer(until, names)
                return NULL
            case Listen(correlation=correlation, prompt=prompt, form=form):
                self.infer([correlation, prompt], names)
                return ANY if form is None else from_schema(form)
            case Emit(type, data, source, subject):
                self.infer([type, data, source, subject], names)
                return NULL
            case Run(input=template) | Raise(error=template) | Return(value=template):
                self.infer(template, names)
                return ANY

    def call(self, call: Call | Reduce | Compensation, names: Names, step: Step) -> Type:
        """A call's arguments, and what undoes it."""
        self.infer(call.arguments, names)
        self.key(call, names)
        if isinstance(call, Call):
            if call.compensate is not None:
                inside = names.inner()
                inside.own[step.id] = Binding("result", ANY, step.span)
                self.call(call.compensate, inside, step)
        else:
            self.infer(call.timeout, names)
        if self.functions is None:
            return ANY
        return check_call(
            call.function,
            call.arguments,
            call.span,
            places=self.places,
            functions=self.functions,
            diagnostics=self.diagnostics,
        )

    def key(self, call: Call | Reduce | Compensation, names: Names) -> None:
        """Which instance of an agent: a text."""
        type = NULL if call.key is None else self.infer(call.key, names)
        if call.key is not None and not overlap(type, STRING):
            place = call.key.span if isinstance(call.key, Expression) else call.span
            remedy = "make it one: `str(…)`"
            self.error("AF122", f"`key` is text, and this is {type}", place, remedy=remedy)

    def set(self, action: Set, step: Step, names: Names) -> Type:
        """Names and their values; all values are computed before any name is bound."""
        types = {name: self.infer(value, names) for name, value in action.names.items()}
        for name, type in types.items():
            span = self.places.get((step.span, f"set.{name}"), step.span)
            self.assign(name, type, span, names)
        return NULL

    def fork(self, action: Fork, names: Names) -> Type:
        """Branches: each has names and ids of its own."""
        fields = []
        for name, block in action.branches.items():
            result = self.block(block, names.inner(parallel=True), {})
            fields.append((name, ANY if returns(block) else result))
        all_join = action.join == len(action.branches)
        return ObjectOf(tuple(fields), frozenset(action.branches) if all_join else frozenset())

    def map(self, action: Map, step: Step, names: Names, ids: Ids) -> Type:
        """Items, the body, and how results are combined."""
        inside = names.inner(parallel=True)
        item = self.items(action.items, names, (step.span, "map"))
        self.bind_field(action.bind, ("item", item), (step.span, "as"), inside)
        self.bind_field(action.index, ("index", INTEGER), (step.span, "index"), inside)
        result = self.body(action.body, inside, ids, step)
        if action.reduce is not None:
            return self.reduce(action.reduce, names, step)
        return ListOf(union((result, NULL)) if action.tolerate else result)

    def reduce(self, reduce: Reduce, names: Names, step: Step) -> Type:
        """How results are combined: the call reads the partial ones as `items`."""
        partial = names.inner()
        partial.own["items"] = Binding("item", LIST)
        return self.call(reduce, partial, step)

    def body(self, body: Call | Block, names: Names, ids: Ids, step: Step) -> Type:
        """What is done with each item."""
        if isinstance(body, Call):
            return self.call(body, names, step)
        result = self.block(body, names, ids)
        return ANY if returns(body) else result

    def items(self, template: Template, names: Names, place: tuple[Span, str]) -> Type:
        """The type of the items of a list; what is surely no list is noted."""
        type = self.infer(template, names)
        if isinstance(type, ListOf):
            return type.item
        if not any(member == ANY or isinstance(member, ListOf) for member in members(type)):
            is_text = isinstance(template, Expression | Interpolation)
            span = template.span if is_text else self.places.get(place, place[0])
            self.error("AF226", f"`{place[1]}` goes through a list", span, f"this is {type}")
        return ANY

    def loop(self, action: Loop, step: Step, names: Names, ids: Ids) -> Type:
        """Rounds: `while` is checked outside of them, `until` may read what a round found."""
        inside = names.inner()
        if action.bind is not None:
            item = self.items(action.items, names, (step.span, "for"))
            self.bind_field(action.bind, ("item", item), (step.span, "as"), inside)
        self.bind_field(action.index, ("index", INTEGER), (step.span, "index"), inside)
        if not action.until:
            self.condition(action.condition, names)
        result = self.block(action.do, inside, ids)
        if action.until:
            self.condition(action.condition, inside)
        return union((result, NULL))

    def pipeline(self, action: Pipeline, step: Step, names: Names, ids: Ids) -> Type:
        """The source, and stages that read what the one before gave."""
        if isinstance(action.source, Call):
            self.call(action.source, names, step)
            item: Type = ANY
        else:
            item = self.items(action.source, names, (step.span, "from"))
        for stage in action.stages:
            self.identify(stage.id, stage.span, ids)
            self.infer(stage.timeout, names)
            inside = names.inner(parallel=True)
            self.bind_field(action.bind, ("item", item), (step.span, "as"), inside)
            item = self.body(stage.body, inside, {}, step)
        if action.reduce is not None:
            return self.reduce(action.reduce, names, step)
        return ListOf(item)

    def states(self, action: States, step: Step, names: Names) -> Type:
        """States: transitions may read what their state found."""
        start = self.places.get((step.span, "start"), step.span)
        flow.transitions(action, start, self.diagnostics)
        for state in action.states.values():
            inside = names.inner()
            self.block(state.do, inside, {})
            for transition in state.next:
                self.condition(transition.when, inside)
        return ANY
