"""Maps that read their items themselves, put together again.

An import makes two steps of one: the items are read, and a map goes over them. On the service it
is one distributed Map with an `ItemReader`, whose items never enter the state machine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agentflow.adapters.aws import calls
from agentflow.adapters.aws.distributed import READER
from agentflow.adapters.lowering.rewriting import expressions
from agentflow.spec.expressions.template import Expression
from agentflow.spec.expressions.tree import free_names
from agentflow.spec.model import Call, Map, Step

_ITEMS: Final = f"{calls.FOREIGN}items"


def reads(step: Step) -> bool:
    """Whether a step reads items and does nothing else."""
    call = step.action
    return isinstance(call, Call) and call.function == _ITEMS and is_bare(step)


def is_bare(step: Step) -> bool:
    """Whether a step has nothing beside what it does."""
    return step.when is None and step.retry is None and step.timeout is None and not step.catch


def takes(step: Step, read: Step, inside: list[Step]) -> bool:
    """Whether a step is a map over the items of the one before it, which nothing else reads."""
    map_ = step.action
    if not isinstance(map_, Map) or step.when is not None:
        return False
    if not isinstance(map_.items, Expression) or map_.items.source != read.id:
        return False
    others = [each for each in inside if each is not step]
    used = expressions([*others, replace(step, action=replace(map_, items=None))])
    return all(name.name != read.id for each in used for name in free_names(each.tree))


def reading(step: Step, read: Step) -> Step:
    """The map with its own reader."""
    call, map_ = read.action, step.action
    assert isinstance(call, Call)
    assert isinstance(map_, Map)
    return replace(step, action=replace(map_, items={READER: dict(call.arguments)}))
