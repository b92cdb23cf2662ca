"""Writing one workflow as one state machine: what all kinds of steps share.

Steps become states of one flat scope wherever that is possible: a `try` is a set of `Catch` fields
that go to the same place, a loop is a transition backwards, a `return` a transition to the end.
So variables keep their values, errors and returns go where they go in the workflow, and only what
runs in parallel gets a scope of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agentflow.adapters.aws import faults, jsonata
from agentflow.adapters.aws.flow import After, Exit, Region, UndoLog
from agentflow.adapters.aws.graph import Label, Scope, State, StateNames
from agentflow.adapters.aws.paths import Path
from agentflow.adapters.aws.results import result_type
from agentflow.adapters.aws.settings import Settings
from agentflow.adapters.aws.templates import Hop, Templates, can_fail
from agentflow.adapters.aws.timeouts import check_timeout
from agentflow.adapters.aws.variables import Names, Types, Variables
from agentflow.adapters.lowering.rewriting import expressions
from agentflow.adapters.lowering.steps import Attempts
from agentflow.adapters.refusals import Refusals
from agentflow.adapters.report import Report
from agentflow.adapters.target import Resource
from agentflow.errors import Json, Span
from agentflow.spec.agents import Agents
from agentflow.spec.expressions.infer import infer_template
from agentflow.spec.expressions.template import Template
from agentflow.spec.expressions.tree import free_names
from agentflow.spec.expressions.types import ANY, ListOf, Type
from agentflow.spec.model import Block, Map, Set, Step, Try, Workflow
from agentflow.spec.survey import steps

WriteStep: TypeAlias = "Callable[[Writer, Step, Names, After], None]"

LAMBDA = "arn:aws:states:::lambda:invoke"


@dataclass(slots=True)
class Writer:
    """The state machine of one workflow, while it is written."""

    workflow: Workflow
    settings: Settings
    refusals: Refusals
    report: Report
    table: Mapping[type[Any], WriteStep]
    project: Agents
    """Where the agents are that it calls."""
    scope: Scope = field(default_factory=Scope)
    depth: tuple[int, ...] = (0,)
    """The scope's place among all, outermost first."""
    region: Region | None = None
    exit: Exit | None = None
    undo: UndoLog | None = None
    """What the nearest saga of this scope keeps."""
    in_saga: bool = False
    """Whether a saga is around, perhaps outside this scope."""
    path: Path = field(default_factory=Path)
    execution: str = "$states.context.Execution.Name"
    """JSONata for the execution's id; a child execution of a map is told that of its parent."""
    within: Step | None = None
    """The step being written."""
    names: StateNames = field(default_factory=StateNames)
    variables: Variables = field(default_factory=Variables)
    homes: dict[Span, Names] = field(default_factory=dict)
    """The block in which the author wrote a `set` that a pass put into another."""
    functions: set[str] = field(default_factory=set)
    agents: dict[str, str] = field(default_factory=dict)
    """Import paths of methods, by what calls name."""
    resources: set[Resource] = field(default_factory=set)
    needs_helper: bool = False
    renames: bool = False
    """Whether an error may leave the machine under a name that is the service's."""
    opened: int = 0
    read: frozenset[str] = frozenset()
    assigned: Counter[str] = field(default_factory=Counter)
    ids: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        trees = (each.tree for each in expressions(self.workflow))
        self.read = frozenset(name.name for tree in trees for name in free_names(tree))
        every = list(steps(self.workflow.do))
        self.ids.update(id for id, _ in {(step.id, step.span) for step in every})
        for step in every:
            if isinstance(step.action, Set):
                self.assigned.update(step.action.names.keys())

    # --- blocks and steps -----------------------------------------------------------------------

    def block(self, block: Block, names: Names, after: After) -> None:
        """Write steps in order; the last one's value is the block's."""
        *first, last = block.steps
        for step in first:
            following = Label()
            self.step(step, names, After(following))
            self.scope.place(following)
        self.step(last, names, after)

    def step(self, step: Step, names: Names, after: After) -> None:
        """Write one step, and bind its result if somebody reads it."""
        outer, self.path = (self.path, self.within), self.path.step(step.id)
        own: tuple[str, ...] = ()
        around = self.within
        is_part = around is not None and is_same(around, step)  # the outer one takes its result
        if around is not None and (is_part or _is_body(around, step)):
            # A pass put the step inside another one, whose place it has.
            self.path = outer[0]
        if not is_part and step.id in self.read and after.label is not None:
            own = (self.variables.take(step.id, self.depth),)
        self.within = step
        check_timeout(step, self.workflow, self.refusals)
        self.table[type(step.action)](self, step, names, After(after.label, own + after.sinks))
        if own:
            names.bind(step.id, own[0], result_type(step))
        self.path, self.within = outer

    # --- states ---------------------------------------------------------------------------------

    def name(self, suffix: str = "") -> str:
        """A name for a state of the step being written: its id, then with a suffix.

        An id that several steps have gets those of the steps around it in front.
        """
        path = self.path.plain
        id = path.rpartition(".")[2]
        base = id if self.ids[id] == 1 else path
        wishes = [base, f"{base}.{suffix}", f"{path}.{suffix}"] if suffix else [base, path]
        return self.names.take(*wishes)

    def name_around(self, suffix: str) -> str:
        """A name for a state that leaves the step's own name to what is inside it."""
        id = self.path.plain.rpartition(".")[2]
        base = id if self.ids[id] == 1 else self.path.plain
        return self.names.take(f"{base}.{suffix}")

    def add(self, name: str, state: State) -> None:
        """Add a state to the scope being written."""
        self.scope.add(name, state)

    def catch(self) -> State:
        """The `Catch` of a state that can have one, where errors are handled in this scope."""
        if self.region is None:
            return {}
        self.region.is_raw_used = True
        return {
            "Catch": [
                {
                    "ErrorEquals": [faults.ALL],
                    "Assign": {self.region.error: "{% $states.errorOutput %}"},
                    "Next": self.region.raw,
                }
            ]
        }

    def ending(self, after: After, value: Json) -> State:
        """The end of a state that has a value: who takes it, and where it goes on."""
        if after.label is None:
            return {"Output": value, "End": True}
        assign = dict.fromkeys(after.sinks, value)
        return {**({"Assign": assign} if assign else {}), "Next": after.label}

    def done(self, value: Json, after: After, suffix: str = "") -> None:
        """Give a value that needs no work; adds a state only if somebody takes it."""
        if after.label is not None and not after.sinks:
            # Whoever comes here goes on at once: the label means what comes next.
            self.add(self.name(suffix), {"Type": "Pass", "Next": after.label})
            return
        if after.label is None:
            value = self.secured({"value": value}, suffix)["value"]
            self.add(self.name(suffix), {"Type": "Pass", "Output": value, "End": True})
            return
        self.assign(dict.fromkeys(after.sinks, value), after.label, suffix)

    def assign(self, values: Mapping[str, Json], label: Label, suffix: str = "") -> None:
        """Assign variables and go on; where a fault has a handler, by a state that can catch."""
        name = self.name(suffix)
        ending: State = {"Assign": dict(values), "Next": label}
        self.add(name, self.pure(name, ending, dict(values)))

    def pure(self, name: str, ending: State, values: Json) -> State:
        """A state that only evaluates. A Pass cannot catch; a Parallel with nothing to do can."""
        if not can_fail(values):
            return {"Type": "Pass", **ending}
        self.renames = True
        if self.region is None:
            return {"Type": "Pass", **ending}
        ready = self.names.take(f"{name}.ready")
        branch = {"StartAt": ready, "States": {ready: {"Type": "Succeed"}}}
        return {"Type": "Parallel", "Branches": [branch], **ending, **self.catch()}

    def secured(self, values: dict[str, Json], suffix: str = "") -> dict[str, Json]:
        """Values for a state that cannot catch: evaluated before it, where a fault is handled."""
        if not can_fail(values):
            return values
        if self.region is None:
            self.renames = True
            return values
        kept = {key: self.variable(f"{self.last_id}_{key}") for key in values}
        following = Label()
        self.assign({kept[key]: value for key, value in values.items()}, following, suffix or "try")
        self.scope.place(following)
        return {key: f"{{% ${kept[key]} %}}" for key in values}

    @property
    def last_id(self) -> str:
        """The id of the step being written."""
        return self.path.plain.rpartition(".")[2] or self.workflow.name

    def variable(self, wish: str) -> str:
        """A variable of the scope being written."""
        clean = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in wish)
        return self.variables.take(clean, self.depth)

    # --- templates ------------------------------------------------------------------------------

    @contextmanager
    def templates(self, step: Step, names: Names) -> Iterator[Templates]:
        """Write templates; a state that asks the helper for some comes before what is added next.

        Use its values only after the block.
        """
        hop = Hop(lambda: self.variable(f"{step.id}_values"))
        written = Templates(names, hop)
        yield written
        if hop.templates:
            self._ask_helper(step, hop)

    def _ask_helper(self, step: Step, hop: Hop) -> None:
        self.needs_helper = self.renames = True
        following = Label()
        self.report.add(self.path.plain, "helper hop", "; ".join(hop.reasons), step.span)
        payload: State = {"evaluate": hop.templates, "names": hop.names, **self.about()}
        self.add(
            self.name("values"),
            {
                "Type": "Task",
                "Resource": LAMBDA,
                "Arguments": {"FunctionName": self.settings.handler, "Payload": payload},
                "Retry": [transient()],
                "Assign": {hop.variable: "{% $states.result.Payload %}"},
                "Next": following,
                **self.catch(),
            },
        )
        self.use("function", self.settings.handler, "lambda:InvokeFunction")
        self.scope.place(following)

    def about(self) -> State:
        """Who asks: execution and step, from which idempotency keys are made, and which attempt."""
        return {
            "execution": f"{{% {self.execution} %}}",
            "step": self.path.value(),
            "attempt": "{% $states.context.State.RetryCount + 1 %}",
        }

    def type_of(self, template: Template, names: Names) -> Type:
        """What is known for sure of a template's value."""
        return infer_template(template, Types(names), [])

    def item_type(self, bind: str, template: Template, names: Names) -> Type:
        """What is known for sure of the items of a list, which have a name."""
        if self.assigned[bind]:
            return ANY  # the stages of a pipeline give it what they make of the item
        found = self.type_of(template, names)
        return found.item if isinstance(found, ListOf) else ANY

    def variable_type(self, name: str, template: Template, names: Names) -> Type:
        """What is known of a variable: something only if it is assigned in one place."""
        return self.type_of(template, names) if self.assigned[name] == 1 else ANY

    # --- scopes ---------------------------------------------------------------------------------

    @contextmanager
    def inner(self) -> Iterator[Scope]:
        """Write into a scope of its own: a branch, or the processor of a map."""
        outer = (self.scope, self.depth, self.region, self.exit, self.undo)
        around = (self.path, self.execution)
        self.opened += 1
        self.scope, self.depth = Scope(), (*self.depth, self.opened)
        self.region = self.exit = self.undo = None
        yield self.scope
        self.scope, self.depth, self.region, self.exit, self.undo = outer
        self.path, self.execution = around

    @contextmanager
    def handled(self, region: Region | None, exit: Exit | None) -> Iterator[None]:
        """Write with other handlers of errors and returns."""
        outer = (self.region, self.exit)
        self.region, self.exit = region, exit
        yield
        self.region, self.exit = outer

    @contextmanager
    def closed(self, after: After) -> Iterator[After]:
        """For steps that cannot end a scope themselves: gives them something to go on to."""
        if after.label is not None:
            yield after
            return
        result, label = self.variable(f"{self.last_id}_result"), Label()
        yield After(label, (result, *after.sinks))
        self.scope.place(label)
        self.add(self.name("result"), {"Type": "Pass", "Output": f"{{% ${result} %}}", "End": True})

    # --- errors ---------------------------------------------------------------------------------

    def rethrow(self, error: str) -> None:
        """Pass the error in a variable on to the next handler outside, or end the scope with it."""
        if self.region is None:
            self.add(
                self.name("fail"),
                {
                    "Type": "Fail",
                    "Error": f"{{% ${error}.name %}}",
                    "Cause": f"{{% $string(${error}) %}}",
                },
            )
            return
        self.region.is_known_used = True
        self.add(
            self.name("fail"),
            {
                "Type": "Pass",
                "Assign": {self.region.error: f"{{% ${error} %}}"},
                "Next": self.region.known,
            },
        )

    def fail(self, name: str, message: str, suffix: str) -> None:
        """Raise an error of the engine."""
        value = {"name": name, "message": message, "data": None, "cause": None}
        if self.region is None:
            cause = f"{{% $string({jsonata.literal(value)}) %}}"
            self.add(self.name(suffix), {"Type": "Fail", "Error": name, "Cause": cause})
            return
        self.region.is_known_used = True
        self.add(
            self.name(suffix),
            {"Type": "Pass", "Assign": {self.region.error: value}, "Next": self.region.known},
        )

    def receive(self, region: Region, extra: Mapping[str, Json] | None = None) -> None:
        """The states in which errors of a region arrive; what is added next finds the value."""
        if region.is_raw_used:
            self.scope.place(region.raw)
            value = f"{{% {faults.decoded(f'${region.error}')} %}}"
            self.add(
                self.name("error"),
                {"Type": "Pass", "Assign": {region.error: value}, "Next": region.known},
            )
        self.scope.place(region.known)

    def note(self, text: str) -> None:
        """Tell the reader of the report something, once."""
        if text not in self.report.notes:
            self.report.notes.append(text)

    def use(self, kind: str, name: str, action: str) -> None:
        """Note something that the workflow's role must be allowed."""
        self.resources.add(Resource(kind, name, action))


def is_same(outer: Step, inner: Step) -> bool:
    """Whether a step inside another is the same to the author: a pass took the two apart."""
    return outer.id == inner.id and outer.span == inner.span


def _is_body(outer: Step, inner: Step) -> bool:
    """Whether a pass put a step among others that are not the author's: it keeps its place.

    That is a map among steps that combine its results, or one of the attempts of a step.
    """
    if outer.span != inner.span:
        return False
    if isinstance(outer.action, Attempts):
        return isinstance(inner.action, Try)
    return isinstance(outer.action, Try) and isinstance(inner.action, Map)


def transient(names: tuple[str, ...] = faults.TRANSIENT) -> State:
    """The retry of what fails in the Lambda service rather than in a function."""
    return {
        "ErrorEquals": list(names),
        "IntervalSeconds": 1,
        "MaxAttempts": 5,
        "BackoffRate": 2,
        "JitterStrategy": "FULL",
    }
