"""The steps of a workflow while they are made: their ids, and the block that is being filled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from agentflow.errors import Diagnostic, Span
from agentflow.spec.expressions.template import Expression
from agentflow.spec.expressions.tree import Literal, Name
from agentflow.spec.model import Action, Call, Fork, Listen, Map, Run, Set, Step
from agentflow.spec.parse import Parser
from agentflow.spec.python.literals import Literals
from agentflow.spec.reader import Reader
from agentflow.spec.source import Node, Sequence

NOTHING = Literal(None)
"""What the steps without a result give."""


class Steps:
    """Takes steps one by one; ids are unique in the whole workflow, in the order of the source."""

    def __init__(self, literals: Literals, taken: set[str], diagnostics: list[Diagnostic]) -> None:
        self.literals = literals
        self.diagnostics = diagnostics
        self.places: dict[tuple[Span, str], Span] = {}
        self.block: list[Step] = []
        """The steps of the block at hand."""
        self._taken = taken

    def unique(self, base: str) -> str:
        """An id like `base` that nothing else has."""
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name

    def release(self, name: str) -> None:
        """Let an id be used again: the step that had it became part of another."""
        self._taken.discard(name)

    def add(self, name: str, action: Action, node: Any) -> Name:
        """Add a step to the block; the tree reads its result."""
        self.block.append(Step(name, action, self.literals.module.head(node)))
        return Name(name)

    def assign(self, name: str, value: Any, node: Any) -> None:
        """Add a step that sets a variable."""
        self.add(self.unique(f"set_{name}"), Set({name: value}), node)

    def unknown(self, name: str, node: Any, *, assigned: bool) -> None:
        """Bind a name whose statement was refused, so that what reads it is checked too."""
        if not assigned:
            self.add(name, Listen("?"), node)
            return
        step = self.add(self.unique("unknown"), Listen("?"), node)
        self.assign(name, Expression(step.name, step, self.literals.module.span(node)), node)

    @contextmanager
    def inside(self) -> Iterator[list[Step]]:
        """Fill another block; the one at hand goes on afterwards."""
        outer, self.block = self.block, []
        try:
            yield self.block
        finally:
            self.block = outer

    def refine(self, options: dict[str, Node], node: Any) -> None:
        """Add to the last step what any step of its verb may carry, as the reader of specs does."""
        step = self.block[-1]
        entries = {"id": self.literals.made("step", node), **self._verb(step.action, node)}
        reader = Reader(self.diagnostics)
        read = Parser(reader, {}).step(self.literals.mapping(entries | options, node))
        assert read is not None
        action = step.action
        if isinstance(action, Call) and isinstance(read.action, Call):
            resources, once = read.action.resources, read.action.at_most_once
            action = replace(action, resources=resources, at_most_once=once)
        elif isinstance(action, Map) and isinstance(read.action, Map):
            given = read.action
            action = replace(
                action,
                concurrency=given.concurrency,
                batch=given.batch,
                tolerate=given.tolerate,
            )
        self.block[-1] = replace(
            step,
            action=action,
            retry=read.retry or step.retry,
            timeout=read.timeout or step.timeout,
            description=read.description,
        )

    def _verb(self, action: Action, node: Any) -> dict[str, Node]:
        """The fields of a step like this one, as little as the reader needs."""
        made = self.literals.made
        step = self._mapping({"id": made("a", node), "wait": made(1, node)}, node)
        block = self._sequence([step], node)
        match action:
            case Call():
                return {"call": made("a.b", node)}
            case Run():
                return {"run": made("a", node)}
            case Listen():
                return {"listen": made("a", node)}
            case Map(body=Call()):
                return {"map": self._sequence([], node), "call": made("a.b", node)}
            case Map():
                return {"map": self._sequence([], node), "do": block}
            case Fork():
                branch = self._mapping({"do": block}, node)
                return {"fork": self._mapping({"a": branch}, node)}
            case _:
                return {"wait": made(1, node)}

    def _sequence(self, items: list[Node], node: Any) -> Sequence:
        start, end = self.literals.module.offsets(node)
        return Sequence(self.literals.module.source, start, end, items)

    def _mapping(self, entries: dict[str, Node], node: Any) -> Node:
        return self.literals.mapping(entries, node)
