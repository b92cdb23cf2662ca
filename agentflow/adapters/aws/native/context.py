"""The context object that foreign expressions read: on the service, what it knows itself.

A workflow has an id where the service has an ARN. What an import has put in for ARNs and roles is
read from the service's own context again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agentflow.adapters.aws.checks import Reference
from agentflow.adapters.aws.variables import Names
from agentflow.errors import Span
from agentflow.spec.expressions.template import Expression, Template
from agentflow.spec.expressions.tree import Name
from agentflow.spec.expressions.types import ANY, STRING, Type

_OWN: Final[Mapping[str, Mapping[str, Type]]] = {
    "Execution": {"Id": STRING, "RoleArn": STRING, "RedriveCount": ANY},
    "StateMachine": {"Id": STRING, "Name": STRING},
}
"""Members of the context that only the service knows."""


def of_service(names: Names, around: Template, span: Span) -> tuple[Names, Template]:
    """Names and a context object in which the service's own members stand for an import's."""
    if not isinstance(around, dict):
        return names, around
    inner, found = names.inner(), dict(around)
    for part, members in _OWN.items():
        given = found.get(part)
        if not isinstance(given, dict):
            continue
        own = dict(given)
        for member, kind in members.items():
            if member in given:
                name = f"service_{part}_{member}"
                inner.own[name] = Reference(f"$states.context.{part}.{member}", kind)
                own[member] = Expression(name, Name(name=name), span)
        found[part] = own
    return inner, found


def in_states(names: Names, states: Template, span: Span) -> tuple[Names, Template]:
    """The same of what stands for `$states`."""
    if not isinstance(states, dict) or "context" not in states:
        return names, states
    inner, context = of_service(names, states["context"], span)
    return inner, {**states, "context": context}
