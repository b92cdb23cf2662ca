"""Arguments of `foreign` that the compiler has to know."""

from __future__ import annotations

from agentflow.adapters.aws.writer import Writer
from agentflow.errors import Json
from agentflow.spec.expressions.template import parts
from agentflow.spec.model import Call, Step


def literal(w: Writer, step: Step, name: str) -> Json:
    """An argument that is written out; one that is computed is refused."""
    assert isinstance(step.action, Call)
    given = step.action.arguments.get(name)
    if any(parts(given)):
        w.refusals.refuse(
            "AF602",
            f"`{name}` of `{step.id}` is computed",
            step.span,
            "the state machine holds it as it is",
            "write it out",
        )
        return None
    plain: Json = given
    return plain
