"""Batches of a distributed map: one invocation calls the function for several items.

The handler gives one outcome per item. Items that failed and may be tried again make the next,
smaller batch, so that `retry` and the attempts of an item are what they are without batches. If
the process dies, the items are tried one by one, and the one that did it is found.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentflow.adapters.aws import jsonata
from agentflow.adapters.aws.calls import RESULT, is_recorded
from agentflow.adapters.aws.control import choice
from agentflow.adapters.aws.flow import After, Region
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.outcomes import refuse_undoing
from agentflow.adapters.aws.templates import query, source
from agentflow.adapters.aws.writer import LAMBDA, Writer, transient
from agentflow.errors import Json
from agentflow.spec.model import Call, Map, Retry, Step

CHILDREN = 1000
"""As many batches `batch: auto` aims at: child executions that the service runs at once."""


def batch_size(w: Writer, step: Step, map_: Map) -> int | str | None:
    """Items in a batch: a number, or JSONata of the items `{0}`; `None`: each is on its own."""
    body = map_.body
    if map_.batch is None or not isinstance(body, Call):
        return None
    reasons = {
        "they have a time limit, which ends a whole invocation": step.timeout is not None,
        "a call that is made at most once cannot be told from its neighbours": body.at_most_once,
        "their arguments read the time or chance": is_recorded(body.arguments),
        "agents are called one by one": body.function.startswith("agent:"),
    }
    for reason, applies in reasons.items():
        if applies:
            w.note(f"the items of `{w.last_id}` are no batches: {reason}")
            return None
    if map_.batch == "auto":
        return f"$max([1, $ceil($count({{0}}) / {CHILDREN})])"
    return map_.batch


@dataclass(frozen=True, slots=True)
class _Child:
    """The variables of a child execution."""

    pending: str
    """The items that are to be called."""
    outcomes: str
    """What the last invocation told."""
    done: str
    """The outcomes that stay as they are."""
    attempt: str
    delay: str
    names: str


def write_batch(w: Writer, step: Step, map_: Map, carried: dict[str, Json]) -> None:
    """The states of a child execution: call, judge, and perhaps call what failed once more."""
    assert isinstance(map_.body, Call)
    refuse_undoing(w, map_.body)
    w.needs_helper = True
    w.functions.add(map_.body.function)
    w.use("function", w.settings.handler, "lambda:InvokeFunction")
    words = ("pending", "outcomes", "done", "attempt", "delay", "names")
    child = _Child(*(w.variable(word) for word in words))
    retry = step.retry if step.retry is not None and step.retry.max_attempts > 1 else None
    begin, judge, region = Label(), Label(), Region(w.variable("failure"))
    first: dict[str, Json] = {
        child.pending: "{% $states.input.Items %}",
        child.names: "{% $states.input.BatchInput.names %}",
        child.done: [],
        child.attempt: 1,
        **carried,
    }
    if retry is not None:
        first[child.delay] = min(retry.interval, retry.max_interval)
    w.assign(first, begin, "batch")
    w.scope.place(begin)
    with w.handled(region, None):
        call = _invocation(w, map_, child, f"${child.pending}", retry)
        kept = {child.outcomes: query(RESULT)}
        w.add(w.name("call"), {**call, "Assign": kept, "Next": judge, **w.catch()})
    w.scope.place(judge)
    _judge(w, child, retry, begin)
    w.receive(region)
    _lost(w, map_, child, retry, After(judge, (region.error,)))


def _invocation(w: Writer, map_: Map, child: _Child, items: str, retry: Retry | None) -> State:
    """The Task that calls the function for items."""
    call = map_.body
    assert isinstance(call, Call)
    asked: State = {
        "items": f"{{% {items} %}}",
        "as": map_.bind,
        **({"at": map_.index} if map_.index is not None else {}),
        "with": source(call.arguments),
        "names": f"{{% ${child.names} %}}",
        "on": [] if retry is None else list(retry.on),
    }
    attempt = f"{{% ${child.attempt} + $states.context.State.RetryCount %}}"
    payload: State = {"function": call.function, "batch": asked, **w.about(), "attempt": attempt}
    return {
        "Type": "Task",
        "Resource": LAMBDA,
        "Arguments": {"FunctionName": w.settings.handler, "Payload": payload},
        "Retry": [transient()],
    }


def _judge(w: Writer, child: _Child, retry: Retry | None, again: Label) -> None:
    """End with the outcomes, or call those once more that failed and may be tried again."""
    finish = Label()
    failed = f"$having(${child.outcomes}, 'again')"
    if retry is not None:
        more = query(f"${child.attempt} < {retry.max_attempts} and $count({failed}) > 0")
        rest = Label()
        w.add(w.name("judge"), choice([{"Condition": more, "Next": rest}], finish))
        w.scope.place(rest)
        factor = "$random() * " if retry.jitter == "full" else ""
        if retry.interval:
            pause = f"{{% $ceil({factor}${child.delay}) %}}"
            waited = Label()
            w.add(w.name("pause"), {"Type": "Wait", "Seconds": pause, "Next": waited})
            w.scope.place(waited)
        settled = f"$filter(${child.outcomes}, function($o) {{ $exists($o.again) = false }})"
        left = f"$filter(${child.pending}, function($p) {{ $p.index in $places }})"
        longer = f"$min([${child.delay} * {retry.backoff!r}, {retry.max_interval!r}])"
        w.assign(
            {
                child.done: f"{{% $append(${child.done}, $append([], {settled})) %}}",
                child.pending: query(f"($places := {failed}.index; $append([], {left}))"),
                child.attempt: f"{{% ${child.attempt} + 1 %}}",
                child.delay: f"{{% {longer} %}}",
            },
            again,
            "again",
        )
    w.scope.place(finish)
    told = f"{{% $append(${child.done}, ${child.outcomes}) %}}"
    w.add(w.name("told"), {"Type": "Pass", "Output": told, "End": True})


def _lost(w: Writer, map_: Map, child: _Child, retry: Retry | None, after: After) -> None:
    """An invocation gave nothing: it is every item's failure, or one item took the process down.

    Its error is in the one variable of `after`, at whose label the outcomes are judged.
    """
    (error,), judge = after.sinks, after.label
    assert judge is not None
    alone, all_ = Label(), Label()
    several = query(f"${error}.name = 'WorkerLost' and $count(${child.pending}) > 1")
    w.add(w.name("lost"), choice([{"Condition": several, "Next": alone}], all_))
    w.scope.place(all_)
    failures = _failures(f"${child.pending}", f"${error}", retry)
    w.assign({child.outcomes: failures}, judge, "failed")
    w.scope.place(alone)
    name = w.name("alone")
    with w.inner() as scope:
        failed, item, one = Region(w.variable("failure")), w.variable("item"), Label()
        w.assign({item: "{% $states.input %}"}, one, "one")
        w.scope.place(one)
        with w.handled(failed, None):
            call = _invocation(w, map_, child, f"[${item}]", retry)
            w.add(w.name("call"), {**call, "Output": query(RESULT), "End": True, **w.catch()})
        w.receive(failed)
        told = _failures(f"[${item}]", f"${failed.error}", retry)
        w.add(w.name("failed"), {"Type": "Pass", "Output": told, "End": True})
        processor = {"ProcessorConfig": {"Mode": "INLINE"}, **scope.definition()}
    w.add(
        name,
        {
            "Type": "Map",
            "Items": f"{{% ${child.pending} %}}",
            "MaxConcurrency": 1,
            "ItemProcessor": processor,
            "Assign": {child.outcomes: query("$joined($states.result)")},
            "Next": judge,
        },
    )


def _failures(items: str, error: str, retry: Retry | None) -> str:
    """Outcomes of items that all failed with one error."""
    failure = f"{{'index': $p.index, 'failure': {error}}}"
    if retry is not None:
        again = f"$merge([{failure}, {{'again': true}}])"
        named = f"{error}.name in {jsonata.literal(list(retry.on))}"
        failure = again if "*" in retry.on else f"{named} ? {again} : {failure}"
    return query(f"$append([], $map({items}, function($p) {{ {failure} }}))")
