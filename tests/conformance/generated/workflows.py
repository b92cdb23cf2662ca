"""A whole workflow by chance."""

from __future__ import annotations

import random
from typing import Any

from tests.conformance.generated.lanes import LANES
from tests.conformance.generated.maker import Made, Maker, Place
from tests.conformance.generated.scope import Name, Scope
from tests.conformance.generated.steps import BLOCKS, LEAVES, TOP
from tests.conformance.generated.values import Values

INPUT = {"n": 3, "t": "text", "f": True, "l": [1, 2, 3], "r": {"n": 7, "t": "seven", "l": [7, 8]}}
SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "t": {"type": "string"},
        "f": {"type": "boolean"},
        "l": {"type": "array", "items": {"type": "integer"}},
        "r": {"type": "object"},
    },
    "required": ["n", "t", "f", "l", "r"],
}
KINDS: dict[str, Any] = {"n": "number", "t": "text", "f": "flag", "l": "numbers", "r": "record"}


def workflow(seed: int, budget: int = 14) -> Made:
    """The workflow of a seed; the same each time."""
    rng = random.Random(seed)
    made = Made({}, INPUT)
    blocks = {**BLOCKS, **LANES}
    maker = Maker(rng, made, Values(rng), LEAVES, blocks, TOP, rng.randint(1, budget))
    scope = Scope()
    is_typed = maker.chance(0.3)
    for field, kind in KINDS.items():
        scope.bind(Name(f"input.{field}", kind, is_opaque=not is_typed))
    scope.bind(Name("input", "any", is_opaque=not is_typed))
    scope.bind(Name("execution", "error"))  # its id is each engine's own
    made.spec = {"workflow": "made"}
    if is_typed:
        made.spec["input"] = SCHEMA
    if maker.chance(0.05):
        made.spec["defaults"] = {"retry": {"max_attempts": 2, "interval": "0s"}}
    if maker.chance(0.1):
        made.spec["concurrency"] = rng.randint(1, 3)
    made.spec["do"] = maker.block(Place(scope))
    if maker.chance(0.7):
        names = [each.name for each in scope.names.values() if each.kind != "error"]
        chosen = {name.replace(".", "_"): f"${{ {name} }}" for name in names if name != "input"}
        made.spec["output"] = chosen
    return made
