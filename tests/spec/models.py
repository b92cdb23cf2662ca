"""Workflows for tests: how to compare two of them, and any number of random ones."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

from agentflow.errors import Json, Span
from agentflow.spec import model as m
from agentflow.spec.expressions.template import Expression, Interpolation, parse_expression

NOWHERE = Span("", 1, 1, 1, 1)


def placeless(node: Any) -> Any:
    """A workflow without what depends on where it was read from."""
    if dataclasses.is_dataclass(node) and not isinstance(node, Expression | Interpolation | type):
        fields = {f.name: placeless(getattr(node, f.name)) for f in dataclasses.fields(node)}
        fields |= {name: NOWHERE for name in ("span",) if name in fields}
        fields |= {name: "" for name in ("digest",) if name in fields}
        return type(node)(**fields)
    if isinstance(node, tuple | list):
        return type(node)(map(placeless, node))
    return {k: placeless(v) for k, v in node.items()} if isinstance(node, dict) else node


def expression(source: str) -> Expression:
    """An expression by its text."""
    found = parse_expression(source, lambda _start, _end: NOWHERE, [])
    assert found is not None, source
    return found


SOURCES = (
    "a",
    "a.b[0] + 1",
    "[x for x in a if x > 1]",
    '{"k": a}',
    "f'{a}: {b}'",
    'a == "it\'s"',
    "a\n + b",
)
PLAIN = (
    "", "a", "yes", "1.0", "1e5", "~", "a: b", "a #b", "x\ny\n", "\n", "a\n\n  b", "$", "- a", "=", "<<", "on",
    "0x1F", "12:30", "2030-01-31", "it's", 'a "b" c', "\\n", "\x00\x85\u2028\ufeff", "☃ 😀", "a ", " a", "a:", "#",
    "%", "@", "[a", "{b}", "a, b", "null", "...", "---", ".5", "+1", "x" * 200, "tab\there", "true", "d\n---\ne",
)  # fmt: skip
TEXTS = (*PLAIN, "${", "$${", "a ${ b }", "$$${")
NUMBERS = (0, 1, -1, 2**53 - 1, 0.5, 1.0, -0.0, 1e16, 1e-7, 1.7976931348623157e308)
SECONDS = (0.1, 0.5, 1.0, 30.0, 90.0, 5400.0, 86400.0, 1e20, 1 / 3, 0.0011)
SCHEMAS = ({"type": "object", "properties": {"a": {"type": "string"}}}, True)


class Maker:
    """Makes workflows that can be written; their names need not make sense."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.names = 0

    def maybe(self, make: Callable[[], Any], otherwise: Any = None) -> Any:
        return make() if self.dice.random() < 0.4 else otherwise

    def several(self, make: Callable[[], Any], least: int = 1) -> tuple[Any, ...]:
        return tuple(make() for _ in range(self.dice.randint(least, 2)))

    def one(self, values: Any) -> Any:
        return self.dice.choice(values)

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    def path(self) -> str:
        return f"functions.{self.name()}"

    def count(self) -> int:
        return self.dice.randint(1, 2000)

    def expression(self) -> Expression:
        return expression(self.one(SOURCES))

    def interpolation(self) -> Interpolation:
        text = self.one([text for text in TEXTS if text and text[-1] != "$"])
        return Interpolation((text, self.expression(), self.expression()), NOWHERE)

    def data(self, depth: int = 2, leaf: Callable[[], Json] | None = None) -> Json:
        kind = self.dice.randint(0, 9)
        if depth and kind < 2:
            return [self.data(depth - 1, leaf) for _ in range(self.dice.randint(0, 3))]
        if depth and kind < 5:
            keys = [self.one(PLAIN if leaf else TEXTS) for _ in range(self.dice.randint(0, 3))]
            return {key: self.data(depth - 1, leaf) for key in keys}
        return leaf() if leaf else self.one((None, True, False, *NUMBERS, *TEXTS))

    def template(self) -> Any:
        return self.data(2, self.leaf)

    def leaf(self) -> Any:
        return self.one((self.expression, self.interpolation, lambda: self.data(0)))()

    def arguments(self) -> dict[str, Any]:
        return {self.name(): self.template() for _ in range(self.dice.randint(0, 3))}

    def duration(self) -> Any:
        return self.one((self.one(SECONDS), self.expression()))

    def errors(self) -> tuple[str, ...]:
        return self.one((("*",), ("Timeout",), ("A", "B")))

    def retry(self) -> m.Retry:
        backoff, jitter = self.one((1.0, 2.0, 1.5)), self.one(("full", "none"))
        interval = self.one((0.0, *SECONDS))
        return m.Retry(self.errors(), self.count(), interval, backoff, self.one(SECONDS), jitter)

    def resources(self) -> m.Resources:
        memory = self.maybe(lambda: self.one((1, 1000, 2**20, 3 * 2**30)))
        cpus, gpus = self.maybe(lambda: self.one((0.5, 2.0))), self.maybe(lambda: 1.0)
        return m.Resources(cpus, gpus, memory, self.maybe(lambda: {"pip": ["a"]}))

    def plain_call(self) -> m.Call:
        return m.Call(self.path(), self.arguments(), NOWHERE, self.maybe(self.resources))

    def agent_call(self) -> m.Call:
        key = self.maybe(lambda: self.one((self.interpolation(), "a")))
        return m.Call(f"agent:{self.name()}", self.arguments(), NOWHERE, key=key)

    def compensation(self) -> m.Compensation:
        retry, timeout = self.maybe(self.retry), self.maybe(self.duration)
        return m.Compensation(self.path(), self.arguments(), NOWHERE, retry, timeout)

    def reduce(self) -> m.Reduce:
        arguments = self.one((self.arguments(), {"items": expression("items")}))
        arity, retry, timeout = (
            self.dice.randint(2, 20),
            self.maybe(self.retry),
            self.maybe(self.duration),
        )
        return m.Reduce(self.path(), arguments, NOWHERE, arity, retry, timeout)

    def map(self, depth: int) -> m.Map:
        body = self.one((self.plain_call, lambda: self.block(depth)))()
        batch = self.maybe(lambda: self.one(("auto", 5))) if isinstance(body, m.Call) else None
        tolerate = self.one((0, 3, 0.05, 0.07, 0.125, 1.0))
        items, bind, index = self.template(), self.one((self.name(), "item")), self.maybe(self.name)
        return m.Map(
            items,
            body,
            bind,
            index,
            self.maybe(self.count),
            batch,
            tolerate,
            self.maybe(self.reduce),
        )

    def loop(self, depth: int) -> m.Loop:
        do, index, most = self.block(depth), self.maybe(self.name), self.one((1000, self.count()))
        if self.dice.random() < 0.5:
            bind = self.one((self.name(), "item"))
            return m.Loop(do, items=self.template(), bind=bind, index=index, max=most)
        return m.Loop(do, self.expression(), self.one((True, False)), index=index, max=most)

    def fork(self, depth: int) -> m.Fork:
        branches = {self.name(): self.block(depth) for _ in range(self.dice.randint(1, 3))}
        return m.Fork(branches, self.dice.randint(1, len(branches)))

    def handler(self, depth: int) -> m.Catch:
        return m.Catch(self.errors(), self.block(depth), NOWHERE, self.maybe(self.name))

    def try_(self, depth: int) -> m.Try:
        catch = self.several(lambda: self.handler(depth), 0)
        final = self.block(depth) if not catch else self.maybe(lambda: self.block(depth))
        return m.Try(self.block(depth), catch, final)

    def switch(self, depth: int) -> m.Switch:
        cases = self.several(lambda: m.Case(self.expression(), self.block(depth)))
        return m.Switch(cases, self.maybe(lambda: self.block(depth)))

    def saga(self, depth: int) -> m.Saga:
        call = dataclasses.replace(self.plain_call(), compensate=self.compensation())
        return m.Saga(m.Block((*self.block(depth).steps, m.Step(self.name(), call, NOWHERE))))

    def state(self, depth: int) -> m.State:
        last = m.Transition(self.name(), NOWHERE)
        ways = self.one(
            ((), (last,), (m.Transition(self.name(), NOWHERE, self.expression()), last))
        )
        return m.State(self.maybe(lambda: self.block(depth), m.Block(())), ways, NOWHERE)

    def states(self, depth: int) -> m.States:
        return m.States(
            self.name(), {self.name(): self.state(depth) for _ in range(2)}, self.count()
        )

    def stage(self, depth: int) -> m.Stage:
        body = self.one((self.plain_call, lambda: self.block(depth)))()
        retry, timeout = self.maybe(self.retry), self.maybe(self.duration)
        return m.Stage(self.name(), body, NOWHERE, self.one((1, 4)), retry, timeout)

    def pipeline(self, depth: int) -> m.Pipeline:
        call = m.Call(self.path(), self.arguments(), NOWHERE)
        source = self.one((call, self.expression(), [self.template()]))
        stages, buffer = self.several(lambda: self.stage(depth)), self.one((16, 4))
        return m.Pipeline(source, stages, self.name(), buffer, self.maybe(self.reduce))

    def simple(self) -> Any:
        return self.one(
            (
                lambda: dataclasses.replace(
                    self.plain_call(), at_most_once=self.one((True, False))
                ),
                self.agent_call,
                lambda: m.Set({self.name(): self.template() for _ in range(2)}),
                lambda: m.Wait(self.one((self.duration(), "5s", "2030-01-31T09:00:00Z"))),
                lambda: m.Listen(self.one(PLAIN), self.template()),
                lambda: m.Listen(
                    None, None, self.maybe(lambda: self.one(SCHEMAS)), self.template()
                ),
                lambda: m.Emit(self.template(), self.template(), self.template(), self.template()),
                lambda: m.Run(self.one(PLAIN), self.template(), NOWHERE),
                lambda: m.Raise(
                    self.one((self.expression(), {"name": "A", "data": self.template()}))
                ),
                lambda: m.Return(self.template()),
            )
        )()

    def step(self, depth: int) -> m.Step:
        compound = (
            self.switch,
            self.fork,
            self.map,
            self.loop,
            self.try_,
            self.saga,
            self.states,
            self.pipeline,
        )
        action = (
            self.one(compound)(depth - 1) if depth and self.dice.random() < 0.6 else self.simple()
        )
        catch = ()
        if depth and not isinstance(action, m.Try):
            catch = self.maybe(lambda: (self.handler(depth - 1),), ())
        when, timeout = self.maybe(self.expression), self.maybe(self.duration)
        description = self.maybe(lambda: self.one(PLAIN), "")
        return m.Step(
            self.name(), action, NOWHERE, when, timeout, self.maybe(self.retry), catch, description
        )

    def block(self, depth: int) -> m.Block:
        return m.Block(self.several(lambda: self.step(depth)))

    def workflow(self) -> m.Workflow:
        has_output = self.one((True, False))
        return m.Workflow(
            name=self.name(),
            do=self.block(2),
            span=NOWHERE,
            version=self.one([text for text in PLAIN if text]),
            description=self.one(PLAIN),
            input=self.maybe(lambda: self.one(SCHEMAS)),
            output=self.template() if has_output else None,
            has_output=has_output,
            timeout=self.maybe(self.duration),
            retry=self.maybe(self.retry),
            call_timeout=self.maybe(self.duration),
            secrets=self.maybe(lambda: (self.name(),), ()),
            concurrency=self.maybe(self.count),
            labels={self.one(TEXTS): self.one(PLAIN)},
            targets=self.maybe(lambda: {"ray": {self.one(TEXTS): self.data()}}),
        )
