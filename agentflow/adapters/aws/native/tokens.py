"""Tasks that wait for their token, put together again.

An import makes three steps of one: a token is drawn, the work is asked for with it, and a message
answers. On the service it is one Task, whose token is the service's own.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from agentflow.adapters.aws import calls
from agentflow.adapters.aws.native import runs
from agentflow.adapters.aws.native.readers import reading, reads, takes
from agentflow.adapters.lowering.rewriting import expressions
from agentflow.spec.expressions.template import Expression
from agentflow.spec.expressions.tree import free_names
from agentflow.spec.model import Block, Call, Listen, Step, Workflow
from agentflow.spec.survey import steps

EVALUATED: Final = "evaluated"
"""The argument that holds the foreign expression which gives the arguments of the work."""
TOKEN: Final = "token"  # noqa: S105 -- the name of an argument
"""The argument that tells the compiler which name stands for the token."""
_TASK: Final = f"{calls.FOREIGN}task"
_ACTIVITY: Final = f"{calls.FOREIGN}activity"
_EVALUATIONS: Final = (f"{calls.FOREIGN}jsonata", f"{calls.FOREIGN}jsonpath")


def fused(workflow: Workflow) -> Workflow:
    """The workflow with what an import has parted as one step again.

    That is each request and the `listen` for its answer, what reads items and their map, and what
    runs a map, its children and their result.
    """
    if any(_asks(step) or reads(step) or runs.opens(step) for step in steps(workflow.do)):
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
        if place >= len(inside):
            continue  # the last three became one
        three = inside[max(place - 2, 0) : place + 1]
        if len(three) == 3 and (run := runs.one(three, inside)) is not None:
            inside[place - 2 : place + 1] = [run]
            continue
        request, answer = inside[place - 1 : place + 1]
        if reads(request) and takes(answer, request, inside):
            inside[place - 1 : place + 1] = [reading(answer, request)]
        if _asks(request) and _answers(answer) and request.when is None and answer.when is None:
            inside[place - 1 : place + 1] = [_one(request, answer)]
            if place > 1 and _gives(inside[place - 2], inside[place - 1], inside):
                inside[place - 2 : place] = [_evaluating(inside[place - 2], inside[place - 1])]
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


def _gives(before: Step, request: Step, inside: list[Step]) -> bool:
    """Whether a step evaluates the arguments of a request, and nothing else reads them."""
    evaluation, call = before.action, request.action
    assert isinstance(call, Call)
    if not isinstance(evaluation, Call) or evaluation.function not in _EVALUATIONS:
        return False
    arguments = call.arguments.get("arguments")
    if not isinstance(arguments, Expression) or arguments.source != before.id:
        return False
    others = [step for step in inside if step is not request]
    read = {name.name for each in expressions(others) for name in free_names(each.tree)}
    return before.when is None and before.id not in read


def _evaluating(before: Step, request: Step) -> Step:
    evaluation, call = before.action, request.action
    assert isinstance(evaluation, Call)
    assert isinstance(call, Call)
    kept = {key: each for key, each in call.arguments.items() if key != "arguments"}
    language = evaluation.function.removeprefix(calls.FOREIGN)
    given = {"language": language, **evaluation.arguments}
    return replace(request, action=replace(call, arguments={**kept, EVALUATED: given}))


def _one(request: Step, answer: Step) -> Step:
    call, listen = request.action, answer.action
    assert isinstance(call, Call)
    assert isinstance(listen, Listen)
    together = replace(call, arguments={**call.arguments, TOKEN: listen.correlation})
    return replace(answer, action=together)
