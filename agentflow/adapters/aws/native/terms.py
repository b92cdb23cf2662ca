"""Arguments of `foreign` that the compiler has to know."""

from __future__ import annotations

from agentflow.adapters.aws.writer import Writer
from agentflow.errors import Json
from agentflow.spec.expressions.template import Expression, Template
from agentflow.spec.expressions.tree import ListDisplay, Literal, Negate, ObjectDisplay, Tree
from agentflow.spec.model import Call, Step


class _Computed(Exception):
    """A value is known only when it runs."""


def literal(w: Writer, step: Step, name: str) -> Json:
    """An argument that is written out; one that is computed is refused."""
    assert isinstance(step.action, Call)
    return plain(w, step, name, step.action.arguments.get(name))


def plain(w: Writer, step: Step, name: str, template: Template) -> Json:
    """A template that is written out, as an expression too: a template's keys hold no symbol."""
    try:
        return _written(template)
    except _Computed:
        w.refusals.refuse(
            "AF602",
            f"`{name}` of `{step.id}` is computed",
            step.span,
            "the state machine holds it as it is",
            "write it out",
        )
        return None


def _written(template: Template) -> Json:
    match template:
        case Expression():
            return _constant(template.tree)
        case dict():
            return {key: _written(each) for key, each in template.items()}
        case list():
            return [_written(each) for each in template]
        case _:
            return template


def _constant(tree: Tree) -> Json:
    match tree:
        case Literal(value=value):
            return value
        case Negate(operand=Literal(value=int() | float() as number)):
            return -number
        case ListDisplay(items=items):
            return [_constant(each) for each in items]
        case ObjectDisplay(entries=entries):
            return {str(_constant(key)): _constant(each) for key, each in entries}
        case _:
            raise _Computed
