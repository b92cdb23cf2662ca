"""Read calls of functions and agents, wherever they stand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agentflow.functions.agents import PREFIX
from agentflow.spec.fields import Fields
from agentflow.spec.grammar import SHAPES
from agentflow.spec.model import Call, Compensation
from agentflow.spec.source import Mapping, Node

if TYPE_CHECKING:
    from agentflow.spec.parse import Parser

_AGENT_PLACE = "remove it: all calls of an instance run where the instance is"


def read_call(parser: Parser, found: Fields) -> Call:
    """A `call` step."""
    call = replace(plain_call(parser, found), at_most_once=_at_most_once(parser, found))
    node = found.get("compensate")
    if node is None:
        return call
    if not parser.in_saga:
        parser.reader.error(
            "AF129",
            "`compensate` stands outside of a `saga`",
            node,
            remedy="only a saga undoes calls: put the step inside `saga: {do: […]}`",
        )
    undo = _compensation(parser, node)
    return replace(call, compensate=undo)


def _at_most_once(parser: Parser, found: Fields) -> bool:
    node = found.get("execution")
    choices = ("at_least_once", "at_most_once")
    return node is not None and parser.reader.choice(node, "`execution`", choices) == choices[1]


def plain_call(parser: Parser, found: Fields) -> Call:
    """`call`, `with` and `resources`, wherever they stand."""
    read = parser.reader
    span = found["call"].span
    function = found.read("call", parser.function) or ""
    _check_agent_fields(parser, found, function)
    arguments = found.get("with")
    if isinstance(arguments, Mapping):
        for name, entry in arguments.entries.items():
            read.places[span, f"with.{name}"] = entry.key.span
    return Call(
        function=function,
        arguments=found.read("with", read.arguments) or {},
        span=span,
        resources=found.read("resources", read.resources),
        key=found.read("key", read.text_template),
    )


def _check_agent_fields(parser: Parser, found: Fields, function: str) -> None:
    """A key belongs to an agent; one invocation of an agent is one call, where its instance is."""
    if not function.startswith(PREFIX):
        if "key" in found and function:
            message = "`key` chooses an instance of an agent, and this calls a function"
            remedy = "remove it, or call an agent: `call: agent:NAME`"
            parser.reader.error("AF129", message, found["key"], remedy=remedy)
        return
    for name, remedy in (("batch", "its calls are made one by one"), ("resources", _AGENT_PLACE)):
        if name in found:
            parser.reader.error(
                "AF129", f"`{name}` does not go with an agent", found[name], remedy=remedy
            )


def _compensation(parser: Parser, node: Node) -> Compensation | None:
    read = parser.reader
    found = read.object(node, SHAPES["compensate"])
    if "call" not in found:
        return None
    call = plain_call(parser, found)
    retry, timeout = found.read("retry", read.retry), parser.timeout(found)
    return Compensation(call.function, call.arguments, call.span, retry, timeout, call.key)
