"""Read what is particular to each verb: one function a verb, in the table `READ`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from agentflow.errors import Span
from agentflow.functions.agents import PREFIX
from agentflow.spec.expressions.template import Template, parse_string
from agentflow.spec.fields import Fields
from agentflow.spec.grammar import SHAPES
from agentflow.spec.invocations import plain_call, read_call
from agentflow.spec.model import (
    Action,
    Block,
    Call,
    Case,
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
    Stage,
    State,
    States,
    Switch,
    Transition,
    Try,
    Wait,
)
from agentflow.spec.source import Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from agentflow.spec.parse import Parser

_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")


def _set(parser: Parser, found: Fields) -> Set:
    read = parser.reader
    names: dict[str, Template] = {}
    for name, key, value in read.keys(found["set"], "`set`", read.identifier):
        read.places[found.span, f"set.{name}"] = key.span
        names[name] = read.template(value)
    return Set(names)


def _switch(parser: Parser, found: Fields) -> Switch:
    cases = [_case(parser, node) for node in _items(parser, found["switch"], "`switch`")]
    return Switch(
        tuple(case for case in cases if case is not None),
        parser.block(found["else"]) if "else" in found else None,
    )


def _case(parser: Parser, node: Node) -> Case | None:
    read = parser.reader
    if isinstance(node, Mapping) and list(node.entries) == ["else"]:
        remedy = "put `else` beside `switch`, not in its list"
        read.error("AF129", "`else` is no case", node, remedy=remedy)
        parser.block(node.entries["else"].value)
        return None
    found = read.object(node, SHAPES["case"])
    when = read.condition(found, "when")
    block = parser.block(found.get("do"))
    return None if when is None else Case(when, block)


def _fork(parser: Parser, found: Fields) -> Fork:
    read = parser.reader
    branches: dict[str, Block] = {}
    for name, key, value in read.keys(found["fork"], "`fork`", read.id):
        read.places[found.span, f"branch.{name}"] = key.span
        branches[name] = parser.block(read.object(value, SHAPES["branch"]).get("do"))
    join = found.get("join")
    return Fork(branches, _join(parser, join, len(branches)) if join else len(branches))


def _join(parser: Parser, node: Node, branches: int) -> int:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        word = parser.reader.choice(node, "`join`", ("all", "any"))
        return 1 if word == "any" else branches
    count = parser.reader.count(node, "`join`")
    if count is not None and count > branches:
        message, label = f"`join: {count}` can never be reached", f"there are {branches} branches"
        parser.reader.error("AF126", message, node, label=label)
    return count or branches


def _map(parser: Parser, found: Fields) -> Map:
    read = parser.reader
    for name in ("batch", "with", "resources"):
        if name in found and "do" in found and "call" not in found:
            read.error(
                "AF129",
                f"`{name}` needs a `call`, and this map has `do`",
                found[name],
                remedy=f"remove `{name}`, or let the map `call` a function",
            )
    read.places[found.span, "map"] = found["map"].span
    reduce = found.get("reduce")
    return Map(
        items=read.template(found["map"]),
        body=_body(parser, found),
        bind=parser.bind(found, "as", found.span) or "item",
        index=parser.bind(found, "index", found.span),
        concurrency=found.read("concurrency", read.count),
        batch=_batch(parser, found["batch"]) if "batch" in found else None,
        tolerate=_tolerate(parser, found["tolerate"]) if "tolerate" in found else 0,
        reduce=_reduce(parser, reduce) if reduce else None,
    )


def _body(parser: Parser, found: Fields) -> Call | Block:
    return plain_call(parser, found) if "call" in found else parser.block(found.get("do"))


def _batch(parser: Parser, node: Node) -> int | Literal["auto"] | None:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return "auto" if parser.reader.choice(node, "`batch`", ("auto",)) else None
    return parser.reader.count(node, "`batch`")


def _tolerate(parser: Parser, node: Node) -> int | float:
    if not (isinstance(node, Scalar) and isinstance(node.value, str)):
        return parser.reader.count(node, "`tolerate`", 0) or 0
    match = _SHARE.fullmatch(node.value)
    if match and float(match[1]) <= 100:
        return float(match[1]) / 100
    message = "`tolerate` is a count such as `3` or a share such as `5%`"
    parser.reader.error("AF126", message, node)
    return 0


def _reduce(parser: Parser, node: Node) -> Reduce | None:
    read = parser.reader
    found = read.object(node, SHAPES["reduce"])
    if "call" not in found:
        return None
    call = plain_call(parser, found)
    partials = parse_string("${ items }", lambda _start, _end: call.span, read.diagnostics)
    return Reduce(
        call.function,
        call.arguments if "with" in found else {"items": partials},
        call.span,
        found.read("arity", lambda each, what: read.count(each, what, 2)) or 16,
        found.read("retry", read.retry),
        parser.timeout(found),
        call.key,
    )


def _loop(parser: Parser, found: Fields) -> Loop:
    read = parser.reader
    inner = read.object(found["loop"], SHAPES["loop"])
    if "as" in inner and "for" not in inner and ("while" in inner or "until" in inner):
        remedy = "only `for` has items; rounds are counted by `index`"
        read.error("AF129", "`as` needs `for`", inner["as"], remedy=remedy)
    if "for" in inner:
        read.places[found.span, "for"] = inner["for"].span
    bind = parser.bind(inner, "as", found.span) or "item"
    before, after = read.condition(inner, "while"), read.condition(inner, "until")
    return Loop(
        do=parser.block(inner.get("do")),
        condition=before or after,
        until=before is None and after is not None,
        items=read.template(inner.get("for")),
        bind=bind if "for" in inner else None,
        index=parser.bind(inner, "index", found.span),
        max=inner.read("max", read.count) or 1000,
    )


def _try(parser: Parser, found: Fields) -> Try:
    inner = parser.reader.object(found["try"], SHAPES["try"])
    if "do" in inner and "catch" not in inner and "finally" not in inner:
        remedy = "without them its steps can stand alone"
        parser.reader.error(
            "AF121", "`try` needs `catch` or `finally`", found["try"], remedy=remedy
        )
    return Try(
        parser.block(inner.get("do")),
        inner.read("catch", parser.catch) or (),
        parser.block(inner["finally"]) if "finally" in inner else None,
    )


def _saga(parser: Parser, found: Fields) -> Saga:
    inner = parser.reader.object(found["saga"], SHAPES["saga"])
    outer, parser.in_saga = parser.in_saga, True
    block = parser.block(inner.get("do"))
    parser.in_saga = outer
    return Saga(block)


def _pipeline(parser: Parser, found: Fields) -> Pipeline:
    read = parser.reader
    inner = read.object(found["pipeline"], SHAPES["pipeline"])
    if "from" in inner:
        read.places[found.span, "from"] = inner["from"].span
    stages = _items(parser, inner["stages"], "`stages`") if "stages" in inner else []
    return Pipeline(
        source=_source(parser, inner.get("from")),
        bind=parser.bind(inner, "as", found.span) or "item",
        stages=tuple(_stage(parser, node) for node in stages),
        buffer=inner.read("buffer", read.count) or 16,
        reduce=_reduce(parser, inner["reduce"]) if "reduce" in inner else None,
    )


def _source(parser: Parser, node: Node | None) -> Template | Call:
    if not isinstance(node, Mapping):
        return parser.reader.template(node)
    found = parser.reader.object(node, SHAPES["source"])
    if "call" not in found:
        return None
    call = plain_call(parser, found)
    if call.function.startswith(PREFIX):
        remedy = "call the agent in a step before, and write `from: ${ … }`"
        parser.reader.error("AF129", "an agent is no source of items", call.span, remedy=remedy)
    return call


def _stage(parser: Parser, node: Node) -> Stage:
    read = parser.reader
    found = read.object(node, SHAPES["stage"])
    return Stage(
        id=found.read("id", read.id) or "",
        body=_body(parser, found),
        span=found["id"].span if "id" in found else node.span,
        concurrency=found.read("concurrency", read.count) or 1,
        retry=found.read("retry", read.retry),
        timeout=parser.timeout(found),
    )


def _states(parser: Parser, found: Fields) -> States:
    read = parser.reader
    states = {
        name: _state(parser, read.object(value, SHAPES["state"]), key.span)
        for name, key, value in read.keys(found["states"], "`states`", read.id)
    }
    if "start" in found:
        read.places[found.span, "start"] = found["start"].span
    most = found.read("max", read.count)
    return States(found.read("start", read.text) or "", states, most or 1000)


def _state(parser: Parser, found: Fields, span: Span) -> State:
    read = parser.reader
    end, following = found.get("end"), found.get("next")
    if end is not None and (not isinstance(end, Scalar) or end.value is not True):
        read.wrong(end, "`end`", "`true`", remedy="remove it, or say where the state goes: `next`")
    elif end is not None and following is not None:
        read.error("AF129", "a state with `end` goes nowhere", following, remedy="keep one of them")
    block = parser.block(found["do"]) if "do" in found else Block(())
    return State(block, _next(parser, following) if following else (), span)


def _next(parser: Parser, node: Node) -> tuple[Transition, ...]:
    if isinstance(node, Scalar):
        to = parser.reader.text(node, "`next`")
        return () if to is None else (Transition(to, node.span),)
    if isinstance(node, Mapping):
        parser.reader.wrong(node, "`next`", "a state or a list of transitions")
        return ()
    transitions = (_transition(parser, item) for item in _items(parser, node, "`next`"))
    return tuple(each for each in transitions if each is not None)


def _transition(parser: Parser, node: Node) -> Transition | None:
    read = parser.reader
    found = read.object(node, SHAPES["transition"])
    to = found.read("to", read.text)
    when = read.condition(found, "when")
    return None if to is None else Transition(to, found["to"].span, when)


def _wait(parser: Parser, found: Fields) -> Wait:
    return Wait(found.read("wait", parser.reader.moment))


def _listen(parser: Parser, found: Fields) -> Listen:
    return Listen(
        name=found.read("listen", parser.reader.text) or "",
        correlation=parser.reader.template(found.get("correlation")),
    )


def _approve(parser: Parser, found: Fields) -> Listen:
    read = parser.reader
    node = found["approve"]
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return Listen(name=None, prompt=read.template(node))
    inner = read.object(node, SHAPES["approve"])
    prompt, form = read.template(inner.get("message")), inner.read("form", read.schema)
    return Listen(name=None, prompt=prompt, form=form)


def _emit(parser: Parser, found: Fields) -> Emit:
    inner = parser.reader.object(found["emit"], SHAPES["emit"])
    given = {name: parser.reader.template(node) for name, node in inner.items()}
    return Emit(**{"type": None, **given})


def _run(parser: Parser, found: Fields) -> Run:
    return Run(
        workflow=found.read("run", parser.reader.text) or "",
        input=parser.reader.template(found["with"]) if "with" in found else {},
        span=found["run"].span,
    )


def _raise(parser: Parser, found: Fields) -> Raise:
    read = parser.reader
    node = found["raise"]
    if isinstance(node, Scalar) and isinstance(node.value, str) and "${" in node.value:
        return Raise(read.expression(node, "`raise`"))
    inner = read.object(node, SHAPES["raise"])
    return Raise({name: read.template(value) for name, value in inner.items()})


def _return(parser: Parser, found: Fields) -> Return:
    return Return(parser.reader.template(found["return"]))


def _items(parser: Parser, node: Node, what: str) -> list[Node]:
    """The entries of a list that must not be empty."""
    if not isinstance(node, Sequence):
        parser.reader.wrong(node, what, "a list")
        return []
    if not node.items:
        parser.reader.error("AF130", f"{what} is empty", node)
    return node.items


READ: dict[str, Callable[[Parser, Fields], Action]] = {
    "call": read_call,
    "set": _set,
    "switch": _switch,
    "fork": _fork,
    "map": _map,
    "loop": _loop,
    "try": _try,
    "saga": _saga,
    "pipeline": _pipeline,
    "states": _states,
    "wait": _wait,
    "listen": _listen,
    "approve": _approve,
    "emit": _emit,
    "run": _run,
    "raise": _raise,
    "return": _return,
}
"""How each verb's fields become its action."""
