"""Drawing the steps of a workflow: what each kind of step needs, and the blocks they make.

A block is either *safe*, so that no error leaves it, or it may fail; where siblings run beside each
other at most one of them may. The kinds of steps are tables of functions, in `steps` and `lanes`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from agentflow.errors import Json
from agentflow.spec.load import Loaded, loads
from tests.conformance.cases import PROJECT
from tests.conformance.generated.scope import Kind, Name, Scope
from tests.conformance.generated.values import KINDS, Values

Data: TypeAlias = dict[str, Any]
"""A step, or another part of a spec."""

MODULE: Final = "made"
ERRORS: Final = (
    "Boom", "Odd", "Busy", "TypeMismatch", "MissingKey", "IndexOutOfRange", "DivisionByZero",
    "LoopLimit", "Timeout", "TypeError",
)  # fmt: skip
FOREVER: Final = "1000h"
"""Longer than anything here takes."""
DEEP: Final = 4
"""How deep steps are in steps at most."""


@dataclass(slots=True)
class Made:
    """A workflow, how it is run, and what of it is left to chance."""

    spec: Data
    input: Json
    children: dict[str, Data] = field(default_factory=dict)
    messages: dict[str, Json] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)
    """Values of `at` whose calls may be cancelled by a sibling."""
    is_ordered: bool = True
    """Whether nothing runs side by side, so that the order of calls is fixed."""
    is_timed: bool = False
    """Whether its outcome depends on time that passes."""

    def loaded(self) -> Loaded:
        """The workflow, read and checked.

        Raises:
            SpecError: it is not valid.
        """
        texts = {
            name: json.dumps(child, ensure_ascii=False) for name, child in self.children.items()
        }
        text = json.dumps(self.spec, ensure_ascii=False)
        return loads(text, path="made.json", root=PROJECT, functions=True, children=texts)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands."""

    scope: Scope
    ids: set[str] = field(default_factory=set)
    """Those that are taken within the enclosing step."""
    depth: int = 0
    is_safe: bool = False
    in_saga: bool = False

    def inner(self, ids: set[str], *, parallel: bool = False, safe: bool | None = None) -> Place:
        """The place of a block inside a step that has these ids."""
        return Place(
            self.scope.inner(parallel=parallel),
            ids,
            self.depth + 1,
            is_safe=self.is_safe if safe is None else safe,
            in_saga=self.in_saga and not parallel,
        )

    def leaf(self) -> Place:
        """The same place, for steps that have no others inside."""
        return replace(self, depth=DEEP)


Draw: TypeAlias = "Callable[[Maker, Place, set[str], str], tuple[Data, Kind]]"
"""Draws a step at a place, whose inner ids are given, and whose own id it will be."""
Table: TypeAlias = Mapping[Draw, int]
"""Kinds of steps, and how often each is drawn."""


@dataclass(slots=True)
class Maker:
    """Draws the steps of a workflow."""

    rng: random.Random
    made: Made
    values: Values
    leaves: Table
    blocks: Table
    top: Table
    budget: int
    """How many more steps there may be, roughly."""
    sites: int = 0
    shadows: int = 0
    """How many steps around may cancel what is drawn now."""

    def chance(self, share: float) -> bool:
        """Whether something happens that does so often."""
        return self.rng.random() < share

    def kind(self) -> Kind:
        """A kind of value."""
        return self.rng.choice(KINDS)

    def template(self, kind: Kind, at: Place) -> Json:
        """A template that may fail where that is allowed."""
        return self.values.template(kind, at.scope, safe=at.is_safe)

    def call(self, function: str, **given: Json) -> Data:
        """A call with its arguments, at a site of its own."""
        self.sites += 1
        site = f"s{self.sites}"
        if self.shadows:
            self.made.loose.add(site)
        return {"call": f"{MODULE}.{function}", "with": {"at": site, **given}}

    @contextmanager
    def shadowed(self, *, really: bool = True) -> Iterator[None]:
        """Calls that are drawn inside may be cancelled."""
        self.shadows += really
        yield
        self.shadows -= really

    def bound(self, at: Place, kind: Kind) -> str:
        """A new id, for a step of its own kind, whose result is of a kind."""
        name = at.scope.fresh(self.rng, at.ids)
        at.scope.bind(Name(name, kind))
        return name

    # --- blocks -----------------------------------------------------------------------------------

    def block(self, at: Place) -> list[Data]:
        """Steps in order."""
        if at.is_safe:
            return [self._safe(at)]
        steps = [self.step(at) for _ in range(self.rng.randint(1, 3 if at.depth else 5))]
        if self.chance(0.12):
            steps.append(self._last(at))
        return steps

    def _safe(self, at: Place) -> Data:
        """A step that no error leaves."""
        if self.budget <= 0 or self.chance(0.4):
            kind = self.kind()
            call = self.call("give", x=self.template(kind, at))
            return {"id": self.bound(at, kind), **call}
        inner: set[str] = set()
        tried = self.block(at.inner(inner, safe=False))
        handler = {"do": self.block(at.inner(inner).leaf())}
        return {"id": self.bound(at, "any"), "try": {"do": tried, "catch": [handler]}}

    def _last(self, at: Place) -> Data:
        id = at.scope.fresh(self.rng, at.ids)
        if self.chance(0.5):
            return {"id": id, "return": self.template(self.kind(), at)}
        told = {"message": "made", "data": self.template("any", at)}
        return {"id": id, "raise": {"name": self.rng.choice(ERRORS[:3]), **told}}

    def step(self, at: Place) -> Data:
        """Any step."""
        self.budget -= 1
        is_leaf = at.depth >= DEEP or self.budget <= 0
        table = self.leaves if is_leaf else {**self.leaves, **self.blocks}
        if at.depth == 0:
            table = {**table, **self.top}
        (draw,) = self.rng.choices(list(table), list(table.values()))
        ids: set[str] = set()
        name = at.scope.fresh(self.rng, at.ids)
        condition = self.template("flag", at) if self.chance(0.1) else None
        before = dict(at.scope.names)
        step, kind = draw(self, at, ids, name)
        # What a `set` binds cannot be read in its own handlers, nor be hidden there.
        after, at.scope.names = at.scope.names, before
        ids |= after.keys() - before.keys()
        if condition is not None:
            step["if"] = condition
        self._adorn(step, at, ids)
        at.scope.names = after
        is_open = not step.keys().isdisjoint(("if", "catch"))
        given = "any" if is_open else kind
        at.scope.bind(Name(name, given, is_open or _is_opaque(step)))
        return {"id": name, **step}

    def _adorn(self, step: Data, at: Place, ids: set[str]) -> None:
        """Give a step some of what every step may carry."""
        if self.chance(0.08):
            step["retry"] = self._retry()
        if self.chance(0.04) and "timeout" not in step:
            step["timeout"] = FOREVER
        if self.chance(0.12) and "try" not in step:
            step["catch"] = self.handlers(at, ids)

    def _retry(self) -> Data:
        interval = self.rng.choice(("0s", "1s"))
        retry: Data = {"max_attempts": self.rng.randint(2, 3), "interval": interval}
        if self.chance(0.5):
            retry["on"] = self.rng.sample(ERRORS, 2)
        if self.chance(0.3):
            retry |= {"backoff": self.rng.choice((1, 1.5, 3)), "max_interval": "2s"}
        if self.chance(0.2):
            retry["jitter"] = self.rng.choice(("full", "none"))
        return retry

    def handlers(self, at: Place, ids: set[str]) -> list[Data]:
        """What is done about errors."""
        return [self._handler(at, ids) for _ in range(1 if self.chance(0.7) else 2)]

    def _handler(self, at: Place, ids: set[str]) -> Data:
        inside = at.inner(ids)
        handler: Data = {}
        if self.chance(0.5):
            names = self.rng.sample(ERRORS, self.rng.randint(1, 2))
            handler["on"] = self.rng.choice((names, names[0], [*names, "*"], "*"))
        do: list[Data] = []
        if self.chance(0.6):
            error = handler["as"] = inside.scope.fresh(self.rng, set(ids))
            inside.scope.bind(Name(error, "error"))
            do.append(self._told(inside, error))
            if self.chance(0.2):
                again = {"id": inside.scope.fresh(self.rng, ids), "raise": f"${{ {error} }}"}
                return {**handler, "do": [*do, again]}
        return {**handler, "do": [*do, *self.block(inside)]}

    def _told(self, at: Place, error: str) -> Data:
        """What can be known of an error; not its message: an engine's own errors have its words."""
        step = at.scope.fresh(self.rng, at.ids)
        told = at.scope.fresh(self.rng, {step})
        at.scope.bind(Name(step, "any"))
        at.scope.bind(Name(told, "any", is_variable=True))
        return {"id": step, "set": {told: f"${{ [{error}.name, {error}.data] }}"}}


def _is_opaque(step: Data) -> bool:
    """Whether the checks know nothing of a step's result."""
    return "call" in step and step["call"] != f"{MODULE}.count"
