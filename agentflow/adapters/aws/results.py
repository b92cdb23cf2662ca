"""What is known for sure of a step's result: what the state machine itself makes of it.

What functions return is not known: their annotations are not checked when they return.
"""

from __future__ import annotations

from agentflow.spec.expressions.types import ANY, NULL, ListOf, ObjectOf, Type
from agentflow.spec.model import Emit, Fork, Map, Set, Step, Wait


def result_type(step: Step) -> Type:
    """The type of a step's result."""
    match step.action:
        case Set() | Wait() | Emit():
            return NULL
        case Map(reduce=None):
            return ListOf(ANY)
        case Fork(branches=branches, join=join):
            known = frozenset(branches) if join == len(branches) else frozenset()
            return ObjectOf(tuple((name, ANY) for name in branches), known)
        case _:
            return ANY
