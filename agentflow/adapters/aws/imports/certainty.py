"""What is sure of the steps around a state's work: that they cannot fail, or do the same again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from agentflow.adapters.aws import foreign
from agentflow.adapters.aws.calls import is_recorded
from agentflow.adapters.aws.imports.terms import source_of
from agentflow.spec.expressions.template import Template, parts
from agentflow.spec.expressions.tree import (
    Call,
    ListDisplay,
    Literal,
    Name,
    ObjectDisplay,
    Tree,
    children,
)
from agentflow.spec.model import Call as CallStep
from agentflow.spec.model import Set, Step

_EVALUATIONS: Final = (f"{foreign.MODULE}.jsonata", f"{foreign.MODULE}.jsonpath")
_CHANGING: Final = re.compile(r"\$(now|millis|random|uuid|shuffle)\b|States\.(UUID|MathRandom)")
"""Functions of the service's languages that may give something else each time."""


def cannot_fail(steps: Iterable[Step], variables: str | None) -> bool:
    """Whether steps do nothing but bind what surely has a value.

    `variables` names the object of the variables, into which whatever is assigned is merged.
    """
    return all(
        isinstance(step.action, Set) and has_value(step.action.names, variables) for step in steps
    )


def has_value(template: Template, variables: str | None) -> bool:
    """Whether a template surely has a value: it looks for nothing in what it reads."""
    return all(_has_value(each.tree, variables) for each in parts(template))


def _has_value(tree: Tree, variables: str | None) -> bool:
    match tree:
        case Call(function="merge", arguments=(Name(name=name), assigned)) if name == variables:
            # What is assigned is an object, because `Assign` is.
            return _has_value(assigned, variables)
        case Name() | Literal() | ListDisplay() | ObjectDisplay():
            return all(_has_value(each, variables) for each in children(tree))
    return False


def is_repeatable(steps: Iterable[Step]) -> bool:
    """Whether steps only evaluate, and give the same each time."""
    return all(_is_repeatable(step) for step in steps)


def _is_repeatable(step: Step) -> bool:
    match step.action:
        case Set(names):
            return not is_recorded(names)
        case CallStep(function, arguments) if function in _EVALUATIONS:
            changes = _CHANGING.search(source_of(arguments["template"])) is not None
            return not changes and not is_recorded(arguments)
    return False
