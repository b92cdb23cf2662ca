"""Tasks that wait for their token, put together again.

An import makes three steps of one: a token is drawn, the work is asked for with it, and a message
answers. On the service it is one Task, whose token is the service's own.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from agentflow.adapters.aws import calls
from agentflow.spec.expressions.template import Expression
from agentflow.spec.model import Block, Call, Listen, Step, Workflow
from agentflow.spec.survey import steps

TOKEN: Final = "token"  # noqa: S105 -- the name of an argument
"""The argument that tells the compiler which name stands for the token."""
_TASK: Final = f"{calls.FOREIGN}task"
_ACTIVITY: Final = f"{calls.FOREIGN}activity"


def fused(workflow: Workflow) -> Workflow:
    """The workflow with each request and the `listen` for its answer as one step."""
    if any(_asks(step) for step in steps(workflow.do)):
        changed: Block = _changed(workflow.do)
        return replace(workflow, do=changed)
    return workflow


def _changed(part: Any) -> Any:
    match part:
        case Block(inside):
            return Block(_fused([_changed(step) for step in inside]))
        case dict():
            return {key: _changed(each) for key, each in part.items()}
        case tuple():
            return tuple(map(_changed, part))
        case Expression():
            return part
        case _ if is_dataclass(part) and not isinstance(part, type):
            own = {each.name: getattr(part, each.name) for each in fields(part)}
            return replace(part, **{key: _changed(value) for key, value in own.items()})
        case _:
            return part


def _fused(inside: list[Step]) -> tuple[Step, ...]:
    for place in range(len(inside) - 1, 0, -1):
        request, answer = inside[place - 1 : place + 1]
        if _asks(request) and _answers(answer) and request.when is None and answer.when is None:
            inside[place - 1 : place + 1] = [_one(request, answer)]
    return tuple(inside)


def _asks(step: Step) -> bool:
    """Whether a step asks for work that somebody else completes."""
    call = step.action
    if not isinstance(call, Call):
        return False
    if call.function == _ACTIVITY:
        return True
    waits = str(call.arguments.get("resource")).endswith(".waitForTaskToken")
    return call.function == _TASK and waits


def _answers(step: Step) -> bool:
    return isinstance(step.action, Listen) and isinstance(step.action.correlation, Expression)


def _one(request: Step, answer: Step) -> Step:
    call, listen = request.action, answer.action
    assert isinstance(call, Call)
    assert isinstance(listen, Listen)
    together = replace(call, arguments={**call.arguments, TOKEN: listen.correlation})
    return replace(answer, action=together)
