"""What is known for sure of a step's result: what the state machine itself makes of it.

What functions return is not known: their annotations are not checked when they return.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentflow.spec.expressions.types import ANY, NULL, ListOf, ObjectOf, Type
from agentflow.spec.model import Emit, Fork, Map, Reduce, Set, Step, Wait


@dataclass(frozen=True, slots=True)
class StoredMap(Map):
    """A map whose results go through S3: its `reduce` is for the handler, and not for a pass."""

    combine: Reduce | None = None


def result_type(step: Step) -> Type:
    """The type of a step's result."""
    match step.action:
        case Set() | Wait() | Emit():
            return NULL
        case StoredMap():
            return ANY
        case Map(reduce=None):
            return ListOf(ANY)
        case Fork(branches=branches, join=join):
            known = frozenset(branches) if join == len(branches) else frozenset()
            return ObjectOf(tuple((name, ANY) for name in branches), known)
        case _:
            return ANY
