"""What generated expressions come to: here, and as compiled JSONata on its engines.

Both give an outcome: the value as canonical JSON, or the name of the fault.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from sfnx.testing import Failure
from sfnx.testing import evaluate as evaluate_sfnx

from agentflow.adapters.aws import expressions, jsonata
from agentflow.adapters.aws.asl.errors import EvaluationError
from agentflow.adapters.aws.asl.jsonata import engine
from agentflow.adapters.aws.asl.template import resolve
from agentflow.adapters.aws.asl.values import Absent
from agentflow.adapters.aws.checks import Reference, References
from agentflow.adapters.aws.functions import NeedsHelper
from agentflow.adapters.aws.templates import Hop, Templates
from agentflow.adapters.bundle.helper import Helper
from agentflow.errors import MAX_INTEGER, Fault, Json
from agentflow.functions.context import Context
from agentflow.functions.encoding import as_doubles
from agentflow.spec.expressions.compiler import Code, Compiler
from agentflow.spec.expressions.limits import Frame
from agentflow.spec.expressions.mistakes import Mistake
from agentflow.spec.expressions.parse import parse
from agentflow.spec.expressions.schema import of_value
from agentflow.spec.expressions.tree import Tree
from agentflow.spec.expressions.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    LIST,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    ListOf,
    ObjectOf,
    Type,
    union,
)
from tests.aws.generated import Case, Generator
from tests.aws.in_jsonata import bound
from tests.conformance.outcomes import canonical
from tests.expressions.language import evaluate, fill, read, scope, template

Outcome: TypeAlias = tuple[str, str]
"""`value` and its canonical JSON, `fault` and its name, or `broken` and what was said."""

BEYOND: Final = re.compile(
    "Expression evaluation (timeout|memory limit)|Stack overflow|Invalid array length|Too many"
)
"""What engines say of expressions that take more than they give."""


@dataclass(frozen=True)
class Written:
    """A case as JSONata, with something known of the types of its names."""

    case: Case
    text: str
    expected: Outcome

    def explained(self, found: Outcome) -> bool:
        """Whether an outcome is right where whole floats and integers are the same.

        JSONata cannot tell `2.0` from `2`. So there a float that is whole is an index, and too
        large where an integer is.
        """
        return found == by_whole_numbers(self.case)

    def told(self, found: Outcome) -> str:
        """The difference in words."""
        return f"{self.case.source} with {self.case.names}: {found}, not {self.expected}"


def cases(seed: int, count: int, *, native: float = 0.9) -> Iterator[Case]:
    """So many cases that can be read."""
    generator = Generator(seed, native)
    while count:
        case = generator.case()
        try:
            parse(case.source)
        except Mistake:
            continue
        count -= 1
        yield case


def written(seed: int, count: int) -> Iterator[Written]:
    """So many cases as JSONata, those left out that need the helper."""
    chance = random.Random(seed)
    for case in cases(seed, count):
        try:
            text = expressions.write(read(case.source), references(case.names, chance))
        except NeedsHelper:
            continue
        yield Written(case, jsonata.complete(text), expected(case))


def references(names: dict[str, Json], chance: random.Random) -> References:
    """What names are in JSONata, with types that are true and say more or less."""
    know = chance.choice((lambda _: ANY, lambda kind: kind, lambda kind: _looser(kind, chance)))
    return {
        name: Reference(f"${jsonata.variable(name)}", know(of_value(value)))
        for name, value in names.items()
    }


def _looser(kind: Type, chance: random.Random) -> Type:
    """A type that has all values of a type, and perhaps others."""
    drawn = chance.random()
    if drawn < 0.25:
        return ANY
    if drawn < 0.4:
        return union((kind, chance.choice((NULL, STRING, INTEGER, LIST, OBJECT, BOOLEAN))))
    match kind:
        case ListOf(item) if item != ANY:
            return ListOf(_looser(item, chance))
        case ObjectOf(fields, required):
            kept = [(name, _looser(each, chance)) for name, each in fields if chance.random() < 0.8]
            there = {name for name, _ in kept if name in required and chance.random() < 0.7}
            return ObjectOf(tuple(kept), frozenset(there), ANY)
        case _:
            return NUMBER if kind == INTEGER and drawn < 0.7 else kind


# --- here -----------------------------------------------------------------------------------------


def expected(case: Case) -> Outcome:
    """What our evaluator says."""
    return outcome(lambda: evaluate(case.source, **case.names))


def by_whole_numbers(case: Case) -> Outcome:
    """What it would say if every float that is whole were an integer, as JSON writes it."""
    expression = read(case.source)
    names = {name: _whole(value) for name, value in case.names.items()}
    code = _WholeNumbers(expression.source).code(expression.tree)
    return outcome(lambda: code(Frame(scope(names))))


class _WholeNumbers(Compiler):
    def code(self, tree: Tree) -> Code:
        run = super().code(tree)
        return lambda frame: _whole(run(frame))


def _whole(value: Json) -> Json:
    match value:
        case float() if value.is_integer() and abs(value) <= MAX_INTEGER:
            return int(value)
        case list():
            return [_whole(each) for each in value]
        case dict():
            return {key: _whole(each) for key, each in value.items()}
        case _:
            return value


def outcome(run: Callable[[], Json]) -> Outcome:
    """The outcome of running something."""
    try:
        value = run()
    except Fault as fault:
        return "fault", fault.name
    except (EvaluationError, Failure) as error:
        return failed(error.detail if isinstance(error, EvaluationError) else error.cause)
    return ("broken", "undefined") if isinstance(value, Absent) else ("value", canonical(value))


def failed(cause: str) -> Outcome:
    """The outcome of an evaluation that failed; a quoted expression says nothing of its own."""
    said = cause.rpartition("threw an error during evaluation")[2]
    if found := re.search("<<([A-Za-z]+)>>", said):
        return "fault", found[1]
    if "out of range" in said:
        return "fault", "NumberOutOfRange"
    return ("fault", "LimitExceeded") if BEYOND.search(said) else ("broken", said)


# --- there ----------------------------------------------------------------------------------------


def by_our_engine(each: Written) -> Outcome:
    """On the engine of the simulation."""
    return outcome(lambda: engine.evaluate(each.text, "Output", _seen(bound(each.case.names))))


def by_sfnx(each: Written) -> Outcome:
    """On jsonata-python as sfnx has it."""
    return outcome(lambda: evaluate_sfnx(each.text, bound(each.case.names), {"input": None}))


def _seen(names: dict[str, Json]) -> engine.Scope:
    return engine.Scope({**names, "states": {"input": None}}, 0.0, random.Random(1))


def by_states(text: str, names: dict[str, Json], chance: random.Random) -> Outcome:
    """A template in a state, after the invocation of the helper that it asks for."""
    hop = Hop(lambda: "computed")
    value = Templates(references(names, chance), hop).value(template(text))

    def run() -> Json:
        seen = bound(names)
        if hop.templates:
            asked = {"evaluate": dict(hop.templates), "names": dict(hop.names)}
            payload = _sent(resolve(asked, _seen(seen), "Arguments"))
            seen["computed"] = _sent(Helper().answer(payload, Context("execution", "", "step", 1)))
        return resolve(value, _seen(seen), "Output")

    return outcome(run)


def _sent(value: Json) -> Json:
    """A value on its way between a state and a function."""
    return as_doubles(json.loads(json.dumps(value)))


def filled(text: str, names: dict[str, Json]) -> Outcome:
    """What our evaluator says of a template."""
    return outcome(lambda: fill(template(text), **names))
